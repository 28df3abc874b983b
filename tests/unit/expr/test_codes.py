"""The table of codes: every page has an example that raises exactly its code, and one that raises nothing."""

from decimal import Decimal

import pytest

from ruvon.ir import Diagnostic
from ruvon.ir.expr import CODES, ExpressionError, check, expect, parse, print_expr
from ruvon.ir.expr._examples import EXAMPLE_ENV

EXPRESSIONS = [code for code, info in CODES.items() if info.language == "expression"]
_CONDITIONS = frozenset({"RV0306", "RV0524"})


def _findings(text: str, code: str) -> list[Diagnostic]:
    try:
        expr = parse(text, refs={})
    except ExpressionError as error:
        return list(error.diagnostics)
    checked = check(expr, EXAMPLE_ENV, condition=code in _CONDITIONS)
    mismatch = expect(checked, Decimal) if code == "RV0526" else None
    return [*checked.diagnostics, *([mismatch] if mismatch else [])]


@pytest.mark.parametrize("code", EXPRESSIONS)
def test_the_failing_example_raises_its_code(code: str) -> None:
    """The `bad` example gives this code and no other, with a place and a sentence."""
    found = _findings(CODES[code].bad, code)
    assert [item.code for item in found] == [code]
    assert found[0].span is not None
    assert found[0].message


@pytest.mark.parametrize("code", EXPRESSIONS)
def test_the_mended_example_is_clean(code: str) -> None:
    """The `good` example has no finding, and every page has a title and an explanation."""
    info = CODES[code]
    assert _findings(info.good, code) == []
    assert info.title
    assert info.explanation.endswith(".")
    assert print_expr(parse(info.good))


def test_codes_are_in_their_ranges() -> None:
    """Codes of this package are the shared ones or from the ranges allotted to expressions."""
    shared = {"RV0201", "RV0202", "RV0306", "RV0501", "RV0502", "RV0503", "RV0504"}
    own = {f"RV{number:04}" for number in (*range(210, 240), *range(520, 550))}
    assert set(CODES) <= shared | own
