"""Evaluating a text once, for providers and tools: parse, check the rules, compile, run, with nothing but given data."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, cast, final

from ruvon.ir.expr._budget import Budget
from ruvon.ir.expr._compile import Compiled, compile_expr
from ruvon.ir.expr._environment import DEFAULT_BUDGET, Environment
from ruvon.ir.expr._parse import parse

__all__ = ["evaluate"]

_CACHED: Final = 512


def evaluate(text: str, context: Mapping[str, object], *, budget: Budget = DEFAULT_BUDGET) -> object:
    """The value of an expression over given data.

    Nothing but the names of `context` and the functions of the language can be used: no references, recorded values,
    secrets or templates. A plain dict in the context may be read by attribute as well (`state.amount`), so that data
    that came from JSON reads like a model.

    Args:
        text: The expression.
        context: Values by name.
        budget: What the evaluation may cost.

    Raises:
        ExpressionError: the text is not an expression of the language, or reads a name that is not in the context.
        ExpressionBudgetError: the evaluation would cost more than the budget.
        ExpressionAccessError: a value's attribute or method is not data.
        Exception: whatever Python raises for the same expression.
    """
    compiled = _compiled(text, frozenset(context))
    names = {name: _readable(value) for name, value in context.items()}
    value: object = compiled(Environment(names, budget=budget))
    return dict(value) if isinstance(value, _Record) else value


@lru_cache(maxsize=_CACHED)
def _compiled(text: str, scope: frozenset[str]) -> Compiled:
    return compile_expr(parse(text, refs={}), scope)


@final
class _Record(dict[str, Any]):
    """A dict from outside whose keys can be read as attributes; to everything else it is the dict."""

    __slots__ = ()

    def expression_attribute(self, name: str) -> object:
        """The value of a key."""
        if name in self:
            return _readable(self[name])
        message = f"'dict' object has no attribute {name!r}"
        raise AttributeError(message, name=name, obj=self)


def _readable(value: object) -> object:
    return _Record(cast("dict[str, Any]", value)) if type(value) is dict else value
