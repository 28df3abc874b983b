"""Closures for f-strings: Python's conversions and format protocol, with widths checked before a text is built."""

from collections.abc import Callable
from typing import Any, Final

from ruvon.ir.expr._compile_values import CompilePart
from ruvon.ir.expr._guards import check_spec, convert_text
from ruvon.ir.expr._nodes import FormatPart, FormatString
from ruvon.ir.expr._operators import Code
from ruvon.ir.expr._scopes import Scopes

__all__ = ["compile_format"]

_CONVERSIONS: Final[dict[str, Callable[[Any], str]]] = {"r": repr, "s": str, "a": ascii}


def compile_format(expr: FormatString, scopes: Scopes, part: CompilePart) -> Code:
    """The closure of an f-string."""
    pieces = [_piece(item, scopes, part) for item in expr.parts]

    def join(f: Any) -> Any:
        return f.meter.grown("".join([piece if type(piece) is str else piece(f) for piece in pieces]))

    return join


def _piece(item: str | FormatPart, scopes: Scopes, part: CompilePart) -> Any:
    if isinstance(item, str):
        return item
    value = part(item.value, scopes)
    spec = None if item.spec is None else compile_format(item.spec, scopes, part)
    conversion = _CONVERSIONS.get(item.conversion)

    def write(f: Any) -> str:
        given = value(f)
        if conversion is not None:
            convert_text(f.meter, given)
            given = conversion(given)
        if type(given) is str and spec is None:
            return given
        form = "" if spec is None else spec(f)
        check_spec(f.meter, given, form)
        convert_text(f.meter, given)
        return format(given, form)

    return write
