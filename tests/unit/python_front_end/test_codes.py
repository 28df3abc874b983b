"""Each code of the front end has a page, whose first program gets it and whose second gets nothing."""

import pytest

from ruvon_dsl import compile_source
from ruvon_dsl.python import _codes
from ruvon_dsl.python._codes import CODES

ELSEWHERE = {"RV0201", "RV0233"}
"""Codes of the expression language that the front end reports too; their pages stand there."""


def test_every_code_has_a_page() -> None:
    """The constants and the pages are the same codes."""
    constants = {value for name, value in vars(_codes).items() if name.isupper() and isinstance(value, str)}

    assert constants - ELSEWHERE == set(CODES)


@pytest.mark.parametrize("code", sorted(CODES))
def test_the_failing_program_gets_the_code(code: str) -> None:
    """`bad` has the finding, with a place and a sentence."""
    result = compile_source(CODES[code].bad, file="page.py")
    found = [item for item in result.diagnostics if item.code == code]

    assert found
    assert all(item.span is not None and item.message for item in found)


@pytest.mark.parametrize("code", sorted(CODES))
def test_the_mended_program_gets_nothing(code: str) -> None:
    """`good` compiles without findings."""
    result = compile_source(CODES[code].good, file="page.py")

    assert [f"{item.code} {item.span}: {item.message}" for item in result.diagnostics] == []
    assert result.definitions
