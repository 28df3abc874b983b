"""The expression checker as the linker uses it: types, narrowing and findings over a fact of the data flow."""

from typing import Any, final

from ruvon.ir._diagnostics import Diagnostic
from ruvon.ir.expr._nodes import Expr
from ruvon_dsl._link._env import Env
from ruvon_dsl._link._resolve import Resolver

__all__ = ["Checker"]


@final
class Checker:
    """Checks expressions of one definition."""

    def __init__(self, state: object, resolver: Resolver) -> None:
        self._state = state
        self._resolver = resolver

    def type_of(self, expr: Expr, env: Env) -> object:
        """The type of an expression's value; `Any` where nobody knows."""
        return Any

    def type_for(self, expr: Expr, env: Env, expected: object) -> object:
        """The type of a value where `expected` is expected, which an empty display takes on."""
        return self.type_of(expr, env)

    def declared_type(self, target: Expr, env: Env) -> object:
        """The declared type of a place such as `state.owner`; None where nobody knows."""
        return None

    def element_of(self, over: Expr, env: Env) -> object:
        """The type of the items that an iteration over the expression gives."""
        return Any

    def item_of(self, type_: object) -> object:
        """The type of the items of a list or of the values of a dict; None where it has none."""
        return None

    def narrow(self, condition: Expr, env: Env) -> tuple[Env | None, Env | None]:
        """The facts where the condition is true and where it is false."""
        return env, env

    def fits(self, value: object, expected: object) -> bool:
        """Whether a value of one type may stand where another is expected."""
        return True

    def is_error(self, type_: object) -> bool:
        """Whether a value of the type can be raised."""
        return True

    def findings(self, expr: Expr, env: Env, expected: object = None) -> list[Diagnostic]:
        """What is wrong with the expression here."""
        return []

    def condition_findings(self, expr: Expr, env: Env) -> list[Diagnostic]:
        """What is wrong with a condition here."""
        return []

    def iteration_findings(self, expr: Expr, env: Env) -> list[Diagnostic]:
        """What is wrong with an iteration over the expression here."""
        return []

    def target_findings(self, target: Expr, env: Env) -> list[Diagnostic]:
        """What is wrong with an assignment to the path."""
        return []
