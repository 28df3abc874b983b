"""Every diagnostic code in one table: what `ruvon explain` prints and the tests prove."""

import difflib
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import Final, cast

from ruvon.ir import CodeInfo
from ruvon_dsl.diagnostics._pages import page_text

__all__ = ["catalogue", "explain", "similar_codes"]

_MODULES: Final = (
    "ruvon.ir._codes",
    "ruvon.ir.expr._codes",
    "ruvon.ir.types._codes",
    "ruvon.authoring._codes",
    "ruvon_dsl._link._codes",
    "ruvon_dsl._portable._codes",
    "ruvon_dsl.python._codes",
    "ruvon_dsl.yaml._codes",
)


@cache
def catalogue() -> Mapping[str, CodeInfo]:
    """All codes in order; each package keeps its own and gives a code one meaning.

    Raises:
        RuntimeError: two packages claim one code (a mistake of ours, held by a test).
    """
    found: dict[str, CodeInfo] = {}
    for module in _MODULES:
        codes = cast("Mapping[str, CodeInfo]", import_module(module).CODES)
        if twice := sorted(found.keys() & codes.keys()):
            raise RuntimeError(f"{module} claims {', '.join(twice)}, which another package has")
        found.update(codes)
    return MappingProxyType(dict(sorted(found.items())))


def similar_codes(code: str) -> list[str]:
    """Codes that the caller may have meant."""
    return difflib.get_close_matches(code.upper(), list(catalogue()), n=3, cutoff=0.6)


def explain(code: str) -> str:
    """The page of a code as plain text: title, a program that gets it, the explanation, and the program mended.

    Raises:
        KeyError: there is no such code.
    """
    return page_text(code.upper(), catalogue()[code.upper()])
