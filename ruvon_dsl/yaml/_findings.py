"""Where the front end collects what it finds: every mistake of a file at once, in order of position."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from typing import Final, final

from ruvon.ir._diagnostics import Diagnostic, Fix, Related, Severity
from ruvon.ir._spans import Position, Span

__all__ = ["Findings", "listed"]

_HINTED: Final = 200
_LONGEST: Final = 80


@final
class Findings:
    """The findings of one file."""

    def __init__(self) -> None:
        self._items: dict[tuple[object, ...], Diagnostic] = {}

    def add(self, diagnostic: Diagnostic) -> None:
        """Take one finding; the same finding at the same place (through an alias) counts once."""
        key = (diagnostic.code, diagnostic.message, str(diagnostic.span))
        self._items.setdefault(key, diagnostic)

    def replace(self, diagnostic: Diagnostic) -> None:
        """Take a finding in place of the one of the same code, message and place."""
        self._items[diagnostic.code, diagnostic.message, str(diagnostic.span)] = diagnostic

    def closest(self, word: str, known: Collection[str], otherwise: str = "") -> str:
        """`did you mean ...?` for a word that is near a known one, else `otherwise`.

        Looking for near words is slow, so a file with hundreds of findings gets no more hints.
        """
        by_case = {name.lower(): name for name in known} if len(self._items) < _HINTED else {}
        if word.lower() in by_case:
            return f"did you mean `{by_case[word.lower()]}`?"
        close = get_close_matches(word.lower()[:_LONGEST], list(by_case), 1, 0.6)
        return f"did you mean `{by_case[close[0]]}`?" if close else otherwise

    def extend(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Take several findings."""
        for diagnostic in diagnostics:
            self.add(diagnostic)

    def error(
        self,
        code: str,
        message: str,
        span: Span,
        help_: str = "",
        *,
        reason: str = "",
        related: tuple[Related, ...] = (),
        fix: Fix | None = None,
    ) -> None:
        """Report a mistake that stops the definition."""
        self.add(Diagnostic(code=code, message=message, span=span, help=help_, reason=reason, related=related, fix=fix))

    def warning(self, code: str, message: str, span: Span, help_: str = "", *, fix: Fix | None = None) -> None:
        """Report what is probably a mistake."""
        self.add(Diagnostic(code=code, message=message, span=span, help=help_, fix=fix, severity=Severity.WARNING))

    @property
    def failed(self) -> bool:
        """Whether there is an error among the findings."""
        return any(item.severity is Severity.ERROR for item in self._items.values())

    def ordered(self) -> tuple[Diagnostic, ...]:
        """All findings in order of position."""
        return tuple(sorted(self._items.values(), key=_order))


def _order(item: Diagnostic) -> tuple[int, int, str]:
    start = Position(0, 0) if item.span is None else item.span.start
    return start.line, start.column, item.code


def listed(words: Iterable[str]) -> str:
    """Words in backticks with commas between them."""
    return ", ".join(f"`{word}`" for word in words)
