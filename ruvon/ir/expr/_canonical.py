"""Building blocks that keep a tree canonical: equal meaning by construction has one tree.

The parser and every rewriting of a tree build nodes through these functions, so that constructors of value types with
constant arguments stand as the constant, negative numbers are constants, equal boolean operators are flat and texts of
f-strings are joined. Assumes canonical parts, guarantees a canonical whole; that is what makes
`parse(print_expr(e)) == e` hold.
"""

import math
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal, DecimalException
from typing import Final
from uuid import UUID

from ruvon.ir._spans import Span
from ruvon.ir.expr._nodes import (
    Attribute,
    Boolean,
    Call,
    Const,
    ConstValue,
    Expr,
    FormatPart,
    FormatString,
    Keyword,
    Name,
    Unary,
)

__all__ = ["FoldError", "boolean", "call", "format_string", "timezone_of", "unary"]

_FLOAT_TEXTS: Final = frozenset({"inf", "-inf", "nan"})
_FOLDED: Final[dict[str, type]] = {
    "Decimal": Decimal,
    "UUID": UUID,
    "date": date,
    "datetime": datetime,
    "time": time,
    "timedelta": timedelta,
}


class FoldError(Exception):
    """A constructor with constant arguments that Python refuses; carries Python's own words."""

    def __init__(self, function: str, error: Exception) -> None:
        self.function = function
        detail = "not a number" if isinstance(error, DecimalException) else str(error) or type(error).__name__
        super().__init__(f"`{function}` cannot be made of these arguments: {detail}")


def unary(op: str, operand: Expr, span: Span | None = None) -> Expr:
    """`op operand`; the minus of a number literal becomes part of the number."""
    if op == "-" and isinstance(operand, Const):
        value = operand.value
        if type(value) in (int, float) and not _is_negative(value):
            return Const(-value, span)  # type: ignore[operator]  # pyright: ignore[reportOptionalOperand, reportOperatorIssue]
    return Unary(op, operand, span)


def _is_negative(value: object) -> bool:
    if isinstance(value, float):
        return math.copysign(1.0, value) < 0 or math.isnan(value)
    return isinstance(value, int) and value < 0


def boolean(op: str, values: Iterable[Expr], span: Span | None = None) -> Expr:
    """`a op b op c`; parts with the same operator are taken in flat, which changes neither value nor order."""
    flat: list[Expr] = []
    for value in values:
        if isinstance(value, Boolean) and value.op == op:
            flat.extend(value.values)
        else:
            flat.append(value)
    return flat[0] if len(flat) == 1 else Boolean(op, tuple(flat), span)


def format_string(parts: Iterable[str | FormatPart], span: Span | None = None) -> Const | FormatString:
    """An f-string with neighbouring texts joined; one without parts is the text itself."""
    joined: list[str | FormatPart] = []
    for part in parts:
        if isinstance(part, FormatPart):
            joined.append(part)
        elif part:
            last = joined[-1] if joined else None
            if isinstance(last, str):
                joined[-1] = last + part
            else:
                joined.append(part)
    if not joined:
        return Const("", span)
    first = joined[0]
    if isinstance(first, str) and len(joined) == 1:
        return Const(first, span)
    return FormatString(tuple(joined), span)


def call(
    function: Expr, args: tuple[Expr, ...] = (), keywords: tuple[Keyword, ...] = (), span: Span | None = None
) -> Expr:
    """A call; a constructor of a value type with constant arguments becomes its value.

    Raises:
        FoldError: the arguments are constants that Python refuses.
    """
    if isinstance(function, Name):
        folded = _fold(function.id, args, keywords)
        if folded is not None:
            return Const(folded, span)
    return Call(function, args, keywords, span)


def _fold(name: str, args: tuple[Expr, ...], keywords: tuple[Keyword, ...]) -> ConstValue:
    if name == "float" and len(args) == 1 and not keywords:
        only = args[0]
        if isinstance(only, Const) and isinstance(only.value, str) and only.value in _FLOAT_TEXTS:
            return float(only.value)
        return None
    kind = _FOLDED.get(name)
    if kind is None:
        return None
    plain = [_constant(arg) for arg in args]
    named = {word.name: _constant(word.value) for word in keywords if word.name is not None}
    if None in plain or None in named.values() or len(named) < len(keywords):
        return None
    try:
        value: ConstValue = kind(*(part for (part,) in filter(None, plain)), **{k: v[0] for k, v in named.items() if v})
    except (ArithmeticError, TypeError, ValueError, AttributeError) as error:
        raise FoldError(name, error) from None
    return value


def _constant(expr: Expr) -> tuple[object] | None:
    if isinstance(expr, Const):
        return (expr.value,)
    zone = timezone_of(expr)
    return None if zone is None else (zone,)


def timezone_of(expr: Expr) -> timezone | None:
    """The fixed offset that `timezone.utc` or `timezone(timedelta(...))` stands for, or None for any other expression."""
    match expr:
        case Attribute(value=Name(id="timezone"), name="utc"):
            return UTC
        case Call(function=Name(id="timezone"), args=(Const(value=timedelta() as offset),), keywords=()):
            return _zone(offset)
        case Call(function=Name(id="timezone"), args=(Const(value=timedelta() as offset), Const(value=str(name)))):
            return _zone(offset, name)
        case _:
            return None


def _zone(offset: timedelta, name: str | None = None) -> timezone | None:
    if not timedelta(hours=-24) < offset < timedelta(hours=24):
        return None
    return timezone(offset) if name is None else timezone(offset, name)
