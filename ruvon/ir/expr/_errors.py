"""The three errors of the expression language: a wrong text, a forbidden read and an exhausted budget."""

from collections.abc import Sequence

from ruvon.ir._diagnostics import Diagnostic
from ruvon.ir._errors import DefinitionError, RuvonError

__all__ = ["ExpressionAccessError", "ExpressionBudgetError", "ExpressionError"]


class ExpressionError(DefinitionError):
    """An expression is outside the language; `diagnostics` holds every finding, in order of position."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__(diagnostics)
        lines = [f"{item.code}: {item.message}" + (f" ({item.help})" if item.help else "") for item in self.diagnostics]
        self.args = ("; ".join(lines),)


class ExpressionAccessError(RuvonError):
    """A compiled expression met a value whose attribute or method is not plain data; nothing was read or called."""

    def __init__(self, value_type: type, name: str, reason: str) -> None:
        self.value_type = value_type
        self.name = name
        self.reason = reason
        super().__init__(f"an expression may not use `{name}` of {value_type.__qualname__}: {reason}")


class ExpressionBudgetError(RuvonError):
    """An evaluation would take more steps or build a larger value than its budget allows.

    This is a limit of the engine, not an error of the body: no handler of a workflow can catch it.
    """

    def __init__(self, kind: str, wanted: int, limit: int) -> None:
        self.kind = kind
        self.wanted = wanted
        self.limit = limit
        super().__init__(
            f"the expression needs {wanted:,} {kind}, more than the {limit:,} one evaluation may use; "
            "move the work into a step or raise the budget"
        )

    def __reduce__(self) -> "tuple[type[ExpressionBudgetError], tuple[str, int, int]]":
        return ExpressionBudgetError, (self.kind, self.wanted, self.limit)
