"""Every page of the linker's catalogue is true: its bad program gets the code, the mended one gets nothing."""

import pytest

from ruvon_dsl._link import CODES
from tests.catalogue.pages import findings_of


@pytest.mark.parametrize("code", sorted(CODES))
def test_bad_program_gets_its_code(code: str) -> None:
    """The smallest failing program of a page gets its finding."""
    assert code in findings_of(code, CODES[code], CODES[code].bad).codes


@pytest.mark.parametrize("code", sorted(CODES))
def test_mended_program_gets_nothing(code: str) -> None:
    """The mended program of a page compiles without any finding."""
    assert findings_of(code, CODES[code], CODES[code].good).codes == []
