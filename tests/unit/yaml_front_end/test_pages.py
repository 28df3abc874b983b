"""Each code has a page whose first file gets it and whose second gets nothing."""

import re
from pathlib import Path

import pytest

import ruvon_dsl.yaml
from ruvon_dsl._compile import compile_source
from ruvon_dsl.yaml import CODES
from ruvon_dsl.yaml import _codes as codes


@pytest.mark.parametrize("code", CODES)
def test_bad_file_gets_the_code(code: str) -> None:
    """The failing file of the page gets the page's code."""
    found = compile_source(CODES[code].bad, kind="yaml").diagnostics

    assert code in {item.code for item in found}


@pytest.mark.parametrize("code", CODES)
def test_good_file_gets_nothing(code: str) -> None:
    """The mended file of the page compiles without findings."""
    assert compile_source(CODES[code].good, kind="yaml").diagnostics == ()


def test_every_code_has_a_page() -> None:
    """The numbers and the pages are the same set."""
    numbers = {value for name, value in vars(codes).items() if name.isupper() and isinstance(value, str)}

    assert numbers == set(CODES)


def test_every_code_is_used() -> None:
    """No code exists that nothing reports."""
    folder = Path(ruvon_dsl.yaml.__file__).parent
    text = "\n".join(file.read_text() for file in folder.glob("*.py") if file.name != "_codes.py")
    names = [name for name, value in vars(codes).items() if name.isupper() and isinstance(value, str)]

    assert [name for name in names if not re.search(rf"codes\.{name}\b", text)] == []
