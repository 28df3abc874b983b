"""Every page of the linker's catalogue is true: its bad program gets the code, the mended one gets nothing."""

import pytest

from ruvon_dsl import compile_source
from ruvon_dsl._compile import Kind
from ruvon_dsl._link import CODES


@pytest.mark.parametrize("code", sorted(CODES))
def test_bad_program_gets_its_code(code: str) -> None:
    """The smallest failing program of a page gets its finding."""
    info = CODES[code]
    kind: Kind = "yaml" if info.language == "yaml" else "python"
    found = compile_source(info.bad, kind=kind, file="bad.txt").diagnostics
    assert code in [item.code for item in found]


@pytest.mark.parametrize("code", sorted(CODES))
def test_mended_program_gets_nothing(code: str) -> None:
    """The mended program of a page compiles without any finding."""
    info = CODES[code]
    kind: Kind = "yaml" if info.language == "yaml" else "python"
    result = compile_source(info.good, kind=kind, file="good.txt")
    assert (result.diagnostics, len(result.definitions) >= 1) == ((), True)
