"""Every page of the decorators' catalogue is true: its bad module is refused with the code, the mended one imports."""

import linecache
import sys
from types import ModuleType

import pytest

from ruvon import DeclarationError
from ruvon.authoring._codes import CODES


def run_module(name: str, text: str) -> None:
    """Execute a module's text under its own name."""
    module = ModuleType(name)
    sys.modules[name] = module
    try:
        exec(compile(text, f"{name}.py", "exec"), module.__dict__)  # noqa: S102 - pages of our own
    finally:
        del sys.modules[name]
        linecache.checkcache(f"{name}.py")


@pytest.mark.parametrize("code", sorted(CODES))
def test_bad_module_is_refused_with_its_code(code: str) -> None:
    """Importing the smallest failing module raises the finding."""
    with pytest.raises(DeclarationError) as caught:
        run_module(f"page_bad_{code}", CODES[code].bad)
    assert [item.code for item in caught.value.diagnostics] == [code]


@pytest.mark.parametrize("code", sorted(CODES))
def test_mended_module_imports(code: str) -> None:
    """Importing the mended module raises nothing."""
    run_module(f"page_good_{code}", CODES[code].good)
    assert CODES[code].language == "declaration"
