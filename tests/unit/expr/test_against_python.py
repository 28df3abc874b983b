"""The language is Python: random expressions give the same value, type or error as CPython's own `eval`."""

import warnings

import pytest
from hypothesis import assume, given, reject, settings

from ruvon.ir.expr import (
    Expr,
    ExpressionAccessError,
    ExpressionBudgetError,
    ExpressionError,
    compile_expr,
    parse,
    print_expr,
)
from tests.support.cases import CAMPAIGN
from tests.unit.expr.strategies import expressions
from tests.unit.expr.world import PYTHON_NAMES, REFS, environment

_NAMES = {path: name for name, path in REFS.items()}
_BEYOND = (MemoryError, RecursionError)


def _python(text: str) -> object:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            return ("value", eval(text, dict(PYTHON_NAMES)))  # noqa: S307 - CPython is the oracle
    except _BEYOND:
        raise
    except Exception as error:  # noqa: BLE001 - any error is a result here
        return ("error", error)


def _ours(expr: Expr) -> object:
    try:
        return ("value", compile_expr(expr)(environment()))
    except (ExpressionAccessError, ExpressionBudgetError, ExpressionError, *_BEYOND):
        raise
    except Exception as error:  # noqa: BLE001 - any error is a result here
        return ("error", error)


def _seen(result: object) -> tuple[str, ...]:
    assert isinstance(result, tuple)
    kind, value = result
    if kind == "error":
        return (kind, type(value).__qualname__, _arguments(value))
    return (kind, type(value).__qualname__, repr(value))


def _arguments(error: BaseException) -> str:
    if type(error).__module__.startswith("pydantic"):
        return str(error)
    return repr(error.args)


@pytest.mark.campaign
@settings(max_examples=CAMPAIGN)
@given(expressions())
def test_value_type_and_error_are_those_of_cpython(expr: Expr) -> None:
    """Law: the value, its type, or the class and arguments of the error are the same (S2-071)."""
    text = print_expr(expr, _NAMES)
    assume("fstring(" not in text)  # the spelling of f-strings that Python 3.11 cannot write; not Python itself
    try:
        ours = _ours(parse(text, refs=REFS))
    except ExpressionBudgetError:
        reject()
    except ExpressionError as refused:
        assert {item.code for item in refused.diagnostics} <= {"RV0503", "RV0211"}  # noqa: PT017 - never a refusal of form
        reject()
    assert _seen(ours) == _seen(_python(text)), text


@pytest.mark.campaign
@settings(max_examples=CAMPAIGN)
@given(expressions())
def test_printing_and_reading_gives_the_same_tree(expr: Expr) -> None:
    """Law: the canonical text of every tree is read back to that tree, and printed the same again."""
    text = print_expr(expr)
    again = parse(text)
    assert again == expr
    assert print_expr(again) == text
