"""Workflows of several files with one type and version: harmless where they are equal, else nobody knows which is meant.

Inside one file the front ends say it themselves, also of equal ones. Here a YAML file may lie beside the Python one that it
was printed from: only definitions with different digests clash.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, Protocol

from ruvon.ir._diagnostics import Diagnostic, Related
from ruvon.ir._nodes import Definition
from ruvon.ir._spans import Span

__all__ = ["Sourced", "clash", "clashes"]

_SAME_NAME: Final = "RV0136"


class Sourced(Protocol):
    """A definition, and the file that it came from."""

    @property
    def definition(self) -> Definition:
        """The graph and its header."""
        ...

    @property
    def digest(self) -> bytes | None:
        """SHA-256 of the linked definition; None where it was not linked."""
        ...

    @property
    def span(self) -> Span | None:
        """Where it is defined."""
        ...

    @property
    def file(self) -> str:
        """The file as it was named."""
        ...


def clashes(workflows: Iterable[Sourced]) -> list[Diagnostic]:
    """A finding for each workflow that has the type and version of an earlier one and another digest."""
    first: dict[tuple[str, str], Sourced] = {}
    found: list[Diagnostic] = []
    for item in workflows:
        earlier = first.setdefault((item.definition.workflow_type, item.definition.workflow_version), item)
        finding = clash(earlier, item)
        if finding is not None:
            found.append(finding)
    return found


def clash(first: Sourced, second: Sourced) -> Diagnostic | None:
    """The finding about two workflows of one type and version; None where they are the same, or one file holds both."""
    if first.digest is None or second.digest is None or first.digest == second.digest:
        return None
    if Path(first.file).resolve() == Path(second.file).resolve():
        return None
    definition = second.definition
    name, version = definition.workflow_type, definition.workflow_version
    return Diagnostic(
        code=_SAME_NAME,
        message=f"`{name}` {version} is defined twice and differently: in `{second.file}` and in `{first.file}`",
        span=second.span,
        label="this one",
        related=(Related(first.span, "the other one"),) if first.span is not None else (),
        reason="a definition is found by its type and version, so only one of them could ever be found",
        help="give one of them another version (or another type), or leave one of the files out",
    )
