"""Operators as closures: Python's own operators behind the checks that keep results within the budget."""

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sized
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, TypeAlias, cast

from ruvon.ir.expr._budget import ATOMS, FlatMeter, counted
from ruvon.ir.expr._guards import check_decimal, check_power, convert_text

__all__ = ["COMPARISONS", "UNARY", "Code", "binary", "compare", "growing"]

Code: TypeAlias = Callable[[Any], Any]
"""A compiled part: takes the scope it runs in and gives its value."""

_FLOATING: Final = frozenset({float, Decimal})
_LARGE: Final = 1 << 1024
_FEW: Final = 64
_WIDTH: Final = re.compile(r"\d+")

UNARY: Final[Mapping[str, Callable[[Any], Any]]] = MappingProxyType(
    {"not": operator.not_, "-": operator.neg, "+": operator.pos, "~": operator.invert}
)
COMPARISONS: Final[Mapping[str, Callable[[Any, Any], Any]]] = MappingProxyType(
    {
        "==": operator.eq,
        "!=": operator.ne,
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
        "in": lambda a, b: a in b,
        "not in": lambda a, b: a not in b,
        "is": operator.is_,
        "is not": operator.is_not,
    }
)
growing: Final = frozenset({"+", "*", "%", "**", "<<", "|"})
"""Operators whose result can be larger than both operands together, or is a new collection."""


def binary(op: str, left: Code, right: Code) -> Code:
    """The closure for `left op right`."""
    return _BINARY[op](left, right)


def _add(left: Code, right: Code) -> Code:
    def add(f: Any) -> Any:
        value = left(f) + right(f)
        return value if type(value) in ATOMS else f.meter.grown(value)

    return add


def _plain(function: Callable[[Any, Any], Any]) -> Callable[[Code, Code], Code]:
    """`-`, `&` and `^`: cheap for numbers and dates, a walk through both operands for sets."""

    def make(left: Code, right: Code) -> Code:
        def apply(f: Any) -> Any:
            a = left(f)
            if type(a) in ATOMS:
                return function(a, right(f))
            b = right(f)
            f.meter.compared(a)
            return f.meter.grown(function(a, b))

        return apply

    return make


def _floordiv(left: Code, right: Code) -> Code:
    def floordiv(f: Any) -> Any:
        a = left(f)
        b = right(f)
        if type(a) is int and not -_LARGE < a < _LARGE:
            f.meter.step(a.bit_length() >> 8)
        return a // b

    return floordiv


def _mul(left: Code, right: Code) -> Code:
    def mul(f: Any) -> Any:
        a = left(f)
        b = right(f)
        if type(a) in _FLOATING or type(b) in _FLOATING:
            return a * b
        if type(a) is int and type(b) is int:
            value = a * b
            if -_LARGE < value < _LARGE:
                return value
            return f.meter.grown(value)
        _check_repeat(f.meter, a, b)
        return f.meter.grown(a * b)

    return mul


def _check_repeat(meter: FlatMeter, a: Any, b: Any) -> None:
    for items, times in ((a, b), (b, a)):
        if isinstance(items, str | bytes | list | tuple) and isinstance(times, int):
            meter.grow(max(0, times) * len(cast("Sized", items)))


def _mod(left: Code, right: Code) -> Code:
    def mod(f: Any) -> Any:
        a = left(f)
        b = right(f)
        if isinstance(a, str | bytes):
            _check_percent(f.meter, a, b)
            return f.meter.grown(a % b)
        if type(a) is int and not -_LARGE < a < _LARGE:
            f.meter.step(a.bit_length() >> 8)
        return a % b

    return mod


def _check_percent(meter: FlatMeter, form: str | bytes, values: Any) -> None:
    text = form if isinstance(form, str) else form.decode("latin-1")
    for number in _WIDTH.findall(text):
        meter.grow(int(number[:12]))
    given: Iterable[object] = (values,)
    if isinstance(values, tuple):
        given = cast("tuple[object, ...]", values)
    elif isinstance(values, dict):
        given = cast("dict[object, object]", values).values()
    for value in given:
        convert_text(meter, value)
        check_decimal(meter, value)
        if "*" in text and isinstance(value, int):
            meter.grow(abs(value))


def _pow(left: Code, right: Code) -> Code:
    def power(f: Any) -> Any:
        a = left(f)
        b = right(f)
        check_power(f.meter, a, b)
        return a**b

    return power


def _lshift(left: Code, right: Code) -> Code:
    def lshift(f: Any) -> Any:
        a = left(f)
        b = right(f)
        if isinstance(a, int) and isinstance(b, int) and a:
            f.meter.bits(a.bit_length() + max(0, b))
        return a << b

    return lshift


def _or(left: Code, right: Code) -> Code:
    def union(f: Any) -> Any:
        value = left(f) | right(f)
        return value if type(value) in ATOMS else f.meter.grown(value)

    return union


_BINARY: Final[Mapping[str, Callable[[Code, Code], Code]]] = MappingProxyType(
    {
        "+": _add,
        "-": _plain(operator.sub),
        "*": _mul,
        "/": lambda left, right: lambda f: left(f) / right(f),
        "//": _floordiv,
        "%": _mod,
        "**": _pow,
        "<<": _lshift,
        ">>": lambda left, right: lambda f: left(f) >> right(f),
        "&": _plain(lambda a, b: a & b),
        "|": _or,
        "^": _plain(lambda a, b: a ^ b),
    }
)

_SIMPLE: Final[Mapping[str, Callable[[Code, Code], Code]]] = MappingProxyType(
    {
        "==": lambda left, right: lambda f: left(f) == right(f),
        "!=": lambda left, right: lambda f: left(f) != right(f),
        "<": lambda left, right: lambda f: left(f) < right(f),
        "<=": lambda left, right: lambda f: left(f) <= right(f),
        ">": lambda left, right: lambda f: left(f) > right(f),
        ">=": lambda left, right: lambda f: left(f) >= right(f),
        "is": lambda left, right: lambda f: left(f) is right(f),
        "is not": lambda left, right: lambda f: left(f) is not right(f),
    }
)


def _with_constant(op: str, left: Code, value: Any) -> Code:
    """The commonest comparison, `path op literal`, without a call for the literal."""
    match op:
        case "==":
            return lambda f: left(f) == value
        case "!=":
            return lambda f: left(f) != value
        case "<":
            return lambda f: left(f) < value
        case "<=":
            return lambda f: left(f) <= value
        case ">":
            return lambda f: left(f) > value
        case ">=":
            return lambda f: left(f) >= value
        case "in":
            return lambda f: left(f) in value
        case "not in":
            return lambda f: left(f) not in value
        case "is":
            return lambda f: left(f) is value
        case _:
            return lambda f: left(f) is not value


def compare(
    left: Code, ops: tuple[str, ...], rights: tuple[Code, ...], constant: tuple[Any] | None, in_loop: bool
) -> Code:
    """The closure for a comparison, chained as in Python.

    Args:
        left: The first operand.
        ops: The signs.
        rights: The further operands.
        constant: The value of the only further operand, where it is a literal.
        in_loop: Whether the comparison can run many times, so that what it goes through must be accounted for.
    """
    if len(ops) == 1:
        if constant is not None and (ops[0] in _SIMPLE or _is_short(constant[0])):
            return _with_constant(ops[0], left, constant[0])
        if ops[0] in _SIMPLE and not in_loop:
            return _SIMPLE[ops[0]](left, rights[0])
    functions = tuple(_accounted(op) for op in ops)
    if len(ops) == 1:
        only, right = functions[0], rights[0]
        return lambda f: only(f.meter, left(f), right(f))
    pairs = tuple(zip(functions, rights, strict=True))

    def chain(f: Any) -> Any:
        value = left(f)
        result: Any = True
        for function, right in pairs:
            other = right(f)
            result = function(f.meter, value, other)
            if not result:
                return result
            value = other
        return result

    return chain


def _is_short(value: object) -> bool:
    return isinstance(value, tuple) and len(cast("tuple[object, ...]", value)) <= _FEW


def _accounted(op: str) -> Callable[[FlatMeter, Any, Any], Any]:
    function = COMPARISONS[op]
    if op in {"is", "is not"}:
        return lambda _, a, b: function(a, b)
    contains = op in {"in", "not in"}

    def compared(meter: FlatMeter, a: Any, b: Any) -> Any:
        kind = type(cast("object", b))
        if contains and hasattr(kind, "__next__"):
            b = counted(b, meter)
        elif kind not in ATOMS or contains:
            _account(meter, a, b, kind, contains)
        return function(a, b)

    return compared


def _account(meter: FlatMeter, a: Any, b: Any, kind: type[object], contains: bool) -> None:
    if not contains:
        if type(cast("object", a)) is kind:
            meter.compared(b)
    elif kind is list or kind is tuple:
        meter.step(len(b) >> 2)
        meter.compared(a)
    elif kind is str or kind is bytes:
        meter.step(len(b) >> 6)
    elif kind is range:
        if not isinstance(a, int):
            meter.step(len(b))
    else:
        meter.compared(a)
