"""The root of every error that Ruvon raises on purpose.

    RuvonError
    ├── DefinitionError          the author must act: a definition is wrong
    │   └── IRError              a stored or built graph is malformed
    ├── ExecutionError           a run failed or was asked for something it cannot do   (ruvon.providers)
    ├── PersistenceError         the operator must act: a store is missing, stale, full (ruvon.providers)
    ├── TransportError           the operator must act: a peer cannot be reached        (ruvon.providers)
    └── ProtocolError            the peer must act: it sent what cannot be accepted     (ruvon.providers)

The second level is split by who must act. Every class takes typed arguments and builds its own sentence, which names
the remedy.
"""

from collections.abc import Sequence
from typing import Final

from ruvon.ir._diagnostics import Diagnostic, Severity

__all__ = ["DefinitionError", "IRError", "NotStorableError", "RuvonError"]

_AGAIN: Final = "compile the workflow again from its source"


class RuvonError(Exception):
    """Root of all errors that Ruvon raises on purpose."""


class DefinitionError(RuvonError):
    """A workflow definition has mistakes; `diagnostics` holds all of them, in order of position.

    Args:
        diagnostics: What was found.
        shown: The errors as they are shown to people; made of places, messages and helps where it is not given.
    """

    def __init__(self, diagnostics: Sequence[Diagnostic], *, shown: str = "") -> None:
        self.diagnostics: tuple[Diagnostic, ...] = tuple(diagnostics)
        errors = [item for item in self.diagnostics if item.severity is Severity.ERROR]
        count = f"{len(errors)} error{'s' if len(errors) != 1 else ''}"
        super().__init__(f"the definition has {count}:\n" + (shown or "\n".join(map(_line, errors))))


def _line(item: Diagnostic) -> str:
    help_ = f"; {item.help}" if item.help else ""
    return f"{item.span or '<definition>'}: {item.code}: {item.message}{help_}"


class IRError(DefinitionError):
    """A graph, read from a file or built by hand, breaks a rule of the IR; it was made by a broken tool or edited."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__([Diagnostic(code="RV0901", message=problem, help=_AGAIN) for problem in self.problems])


class NotStorableError(RuvonError):
    """A value cannot be stored exactly; the message names the path to it and its type."""

    def __init__(self, path: str, value_type: type, reason: str = "") -> None:
        self.path = path
        self.value_type = value_type
        why = f" ({reason})" if reason else ""
        super().__init__(
            f"`{path}` holds a {value_type.__module__}.{value_type.__qualname__}, which Ruvon cannot store{why}; "
            "use a pydantic model, a dataclass, an enum member or a plain value"
        )


# Definitions name an error's classes by path for ever (`except`), so the path is the public one and not a file's.
for _class in (DefinitionError, IRError, NotStorableError, RuvonError):
    _class.__module__ = "ruvon.ir"
