"""The list of findings that one compilation grows: every pass reports here and goes on."""

from typing import final

from ruvon.ir._diagnostics import Diagnostic, Edit, Fix, Related, Severity
from ruvon.ir._spans import Position, Span

__all__ = ["Findings", "edit_fix", "in_order"]


@final
class Findings:
    """Collects diagnostics; the same finding at the same place is kept once."""

    __slots__ = ("_items", "_seen")

    def __init__(self) -> None:
        self._items: list[Diagnostic] = []
        self._seen: set[tuple[str, Span | None, str]] = set()

    def add(self, *items: Diagnostic) -> None:
        """Take findings made elsewhere, for example by the expression language."""
        for item in items:
            key = (item.code, item.span, item.message)
            if key not in self._seen:
                self._seen.add(key)
                self._items.append(item)

    def error(
        self,
        code: str,
        message: str,
        span: Span,
        *,
        help: str = "",  # noqa: A002 - the field of the diagnostic is called so
        reason: str = "",
        label: str = "",
        related: tuple[Related, ...] = (),
        fix: Fix | None = None,
        severity: Severity = Severity.ERROR,
    ) -> None:
        """Report one mistake of the author."""
        self.add(
            Diagnostic(
                code=code,
                message=message,
                span=span,
                severity=severity,
                label=label,
                related=related,
                reason=reason,
                help=help,
                fix=fix,
            )
        )

    @property
    def count(self) -> int:
        """How many there are by now."""
        return len(self._items)

    def sorted(self) -> tuple[Diagnostic, ...]:
        """All findings by position."""
        return in_order(self._items)


def in_order(items: list[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Findings by position, then code; those without a place first."""
    nowhere = Position(0, 0)
    return tuple(sorted(items, key=lambda item: (item.span.start if item.span else nowhere, item.code, item.message)))


def edit_fix(title: str, *edits: tuple[Span, str]) -> Fix:
    """A fix from pairs of a span and its new text."""
    return Fix(title, tuple(Edit(span, text) for span, text in edits))
