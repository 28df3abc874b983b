"""The functions and methods of the language, each with an account of what it is about to cost.

Every function here does exactly what Python's does, same values, same errors, after asking the meter. What a function
builds is accounted for by the caller afterwards, so a guard is needed only where the result can be far larger than the
arguments, where an iterator is gone through, or where Python itself would hang.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, TypeAlias, cast
from uuid import UUID

from ruvon.ir.expr._budget import FlatMeter, counted
from ruvon.ir.expr._errors import ExpressionAccessError
from ruvon.ir.expr._language import words

__all__ = [
    "CHEAP",
    "CLASS_FUNCTIONS",
    "FUNCTIONS",
    "LOOPING_METHODS",
    "METHOD_GUARDS",
    "check_decimal",
    "check_spec",
    "convert_text",
]

Function: TypeAlias = Callable[..., Any]

_NUMBER: Final = re.compile(r"\d+")
_CODECS: Final = frozenset({"ascii", "latin-1", "latin1", "iso-8859-1", "utf-8", "utf8", "utf-16", "utf-32", "cp1252"})
_NUMERIC: Final = frozenset({bool, int, float, Decimal, timedelta})


def check_decimal(meter: FlatMeter, value: object) -> None:
    """A Decimal with a huge exponent is small until it is written out."""
    if isinstance(value, Decimal) and value.is_finite():
        meter.bits(abs(value.adjusted()) * 10 // 3)


def check_spec(meter: FlatMeter, value: object, spec: object) -> None:
    """Widths and precisions of a format specification, before Python builds the text."""
    if type(spec) is not str or not spec:
        return
    if not isinstance(value, date | time):
        for number in _NUMBER.findall(spec):
            meter.grow(int(number[:12]))
    else:
        meter.grow(len(spec) * 16)
    if spec[-1] not in "eEgG":
        check_decimal(meter, value)


def convert_text(meter: FlatMeter, value: object) -> None:
    """A value is about to be written out as text with everything in it."""
    meter.compared(value)


def _check_codec(args: tuple[object, ...], keywords: Mapping[str, object], position: int) -> None:
    name = args[position] if len(args) > position else keywords.get("encoding", "utf-8")
    if isinstance(name, str) and name.lower().replace("_", "-") not in _CODECS:
        raise ExpressionAccessError(str, name, "only plain text encodings such as utf-8 are known")


def _over(function: Function) -> Function:
    """A function that goes through its first argument."""

    def guarded(meter: FlatMeter, *args: Any, **keywords: Any) -> Any:
        if args:
            return function(counted(args[0], meter), *args[1:], **keywords)
        return function(*args, **keywords)

    return guarded


def _extreme(function: Function) -> Function:
    """`min` and `max`, which go through one argument or compare several."""

    def guarded(meter: FlatMeter, *args: Any, **keywords: Any) -> Any:
        if len(args) == 1:
            return function(counted(args[0], meter), **keywords)
        meter.step(len(args))
        return function(*args, **keywords)

    return guarded


def _plain(function: Function) -> Function:
    """A function that costs no more than its result."""

    def guarded(_: FlatMeter, *args: Any, **keywords: Any) -> Any:
        return function(*args, **keywords)

    return guarded


def _written(function: Function) -> Function:
    """A function that writes its first argument out."""

    def guarded(meter: FlatMeter, *args: Any, **keywords: Any) -> Any:
        if args:
            convert_text(meter, args[0])
        return function(*args, **keywords)

    return guarded


def _str(meter: FlatMeter, *args: Any, **keywords: Any) -> Any:
    if len(args) + len(keywords) > 1:
        _check_codec(args, keywords, 1)
    elif args:
        convert_text(meter, args[0])
    return str(*args, **keywords)


def _bytes(meter: FlatMeter, *args: Any, **keywords: Any) -> Any:
    if len(args) + len(keywords) > 1:
        _check_codec(args, keywords, 1)
    if args and isinstance(args[0], int):
        meter.grow(args[0])
    elif args:
        return bytes(counted(args[0], meter), *args[1:], **keywords)
    return bytes(*args, **keywords)


def _int(meter: FlatMeter, *args: Any, **keywords: Any) -> Any:
    if args:
        check_decimal(meter, args[0])
        if isinstance(args[0], str | bytes):
            meter.step(len(args[0]) >> 4)
    return int(*args, **keywords)


def _round(meter: FlatMeter, *args: Any, **keywords: Any) -> Any:
    if args:
        check_decimal(meter, args[0])
    digits = args[1] if len(args) > 1 else keywords.get("ndigits")
    if args and isinstance(digits, int) and isinstance(args[0], int):
        meter.bits(max(0, -digits) * 4)
    return cast("Function", round)(*args, **keywords)


def _pow(meter: FlatMeter, *args: Any, **keywords: Any) -> Any:
    given = [*args, *keywords.values()]
    if len(given) == 2:
        check_power(meter, given[0], given[1])
    elif len(given) == 3 and all(isinstance(part, int) for part in given):
        limbs = (given[2].bit_length() >> 6) + 1
        meter.step(given[1].bit_length() * limbs * limbs >> 6)
    return cast("Function", pow)(*args, **keywords)


def check_power(meter: FlatMeter, base: object, exponent: object) -> None:
    """The size of an integer power, before Python computes it."""
    if isinstance(base, int) and isinstance(exponent, int) and exponent > 1:
        meter.bits(base.bit_length() * exponent if base not in (-1, 0, 1) else 1)


def _sum(meter: FlatMeter, *args: Any, **keywords: Any) -> Any:
    start: object = args[1] if len(args) > 1 else keywords.get("start", 0)
    function = cast("Function", sum)
    if not args:
        return function(*args, **keywords)
    items = counted(args[0], meter)
    if type(start) in _NUMERIC or isinstance(start, str | bytes | bytearray) or len(args) + len(keywords) > 2:
        return function(items, *args[1:], **keywords)
    total: Any = start
    for item in cast("Iterable[Any]", items):
        total = meter.grown(total + item)
    return total


def _format(meter: FlatMeter, *args: Any, **keywords: Any) -> Any:
    if args:
        check_spec(meter, args[0], (args[1:] or ("",))[0])
        convert_text(meter, args[0])
    return format(*args, **keywords)


def _decimal(meter: FlatMeter, *args: Any, **keywords: Any) -> Any:
    if args and isinstance(args[0], str):
        meter.step(len(args[0]) >> 4)
    return Decimal(*args, **keywords)


FUNCTIONS: Final[Mapping[str, Function]] = MappingProxyType(
    {
        **{
            name: _over(cast("Function", function))
            for name, function in {
                "all": all,
                "any": any,
                "dict": dict,
                "frozenset": frozenset,
                "list": list,
                "set": set,
                "sorted": sorted,
                "tuple": tuple,
            }.items()
        },
        **{name: _extreme(function) for name, function in {"max": max, "min": min}.items()},
        **{name: _written(function) for name, function in {"ascii": ascii, "repr": repr}.items()},
        **{
            name: _plain(cast("Function", function))
            for name, function in {
                "abs": abs,
                "bin": bin,
                "bool": bool,
                "chr": chr,
                "divmod": divmod,
                "enumerate": enumerate,
                "float": float,
                "hex": hex,
                "len": len,
                "oct": oct,
                "ord": ord,
                "range": range,
                "reversed": reversed,
                "UUID": UUID,
                "date": date,
                "datetime": datetime,
                "time": time,
                "timedelta": timedelta,
                "timezone": timezone,
            }.items()
        },
        "Decimal": _decimal,
        "bytes": _bytes,
        "format": _format,
        "int": _int,
        "pow": _pow,
        "round": _round,
        "str": _str,
        "sum": _sum,
        "zip": _plain(zip),
    }
)
"""The functions of the language by name; the meter is the first argument."""
CHEAP: Final = frozenset(
    words("abs bin bool chr divmod float hex int isinstance len new_id now oct ord random range round secret str")
) | {"Decimal", "UUID", "date", "datetime", "time", "timedelta", "timezone"}
"""Functions that go through no iterator, so that nothing has to be counted for them."""
LOOPING_METHODS: Final = frozenset(
    words("difference fromkeys intersection isdisjoint issubset issuperset join symmetric_difference union")
)
"""Methods that go through their argument."""


def _fromtimestamp(_: FlatMeter, *args: Any, **keywords: Any) -> Any:
    if len(args) + len(keywords) < 2 or (args[1:] or (keywords.get("tz"),))[0] is None:
        raise ExpressionAccessError(datetime, "fromtimestamp", "without a time zone the machine's own would decide")
    return datetime.fromtimestamp(*args, **keywords)  # noqa: DTZ006 - a zone was given


CLASS_FUNCTIONS: Final[Mapping[tuple[str, str], Function]] = MappingProxyType(
    {
        ("Decimal", "from_float"): _plain(Decimal.from_float),
        ("bytes", "fromhex"): _plain(bytes.fromhex),
        ("date", "fromisocalendar"): _plain(date.fromisocalendar),
        ("date", "fromisoformat"): _plain(date.fromisoformat),
        ("date", "fromordinal"): _plain(date.fromordinal),
        ("datetime", "combine"): _plain(datetime.combine),
        ("datetime", "fromisoformat"): _plain(datetime.fromisoformat),
        ("datetime", "fromtimestamp"): _fromtimestamp,
        ("dict", "fromkeys"): _over(cast("Function", dict.fromkeys)),
        ("float", "fromhex"): _plain(float.fromhex),
        ("int", "from_bytes"): _plain(int.from_bytes),
        ("time", "fromisoformat"): _plain(time.fromisoformat),
    }
)
"""The constructors that are methods of a class, by class and method name."""


def _width(meter: FlatMeter, method: Function, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    if args and isinstance(args[0], int):
        meter.grow(args[0])
    return method(*args, **keywords)


def _replace(meter: FlatMeter, method: Function, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    owner: Any = getattr(method, "__self__", "")
    if len(args) >= 2 and isinstance(owner, str | bytes) and type(args[0]) is type(owner) is type(args[1]):
        found = cast("Any", owner).count(args[0])
        times = min(found, args[2]) if len(args) > 2 and isinstance(args[2], int) and args[2] >= 0 else found
        meter.grow(len(owner) + max(0, times * (len(args[1]) - len(args[0]))))
    return method(*args, **keywords)


def _expandtabs(meter: FlatMeter, method: Function, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    size = args[0] if args else keywords.get("tabsize", 8)
    owner: Any = getattr(method, "__self__", "")
    if isinstance(size, int):
        tabs = owner.count("\t") if isinstance(owner, str) else owner.count(b"\t")
        meter.grow(len(owner) + tabs * max(0, size))
    return method(*args, **keywords)


def _join(meter: FlatMeter, method: Function, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    if len(args) != 1 or keywords or not hasattr(type(cast("object", args[0])), "__iter__"):
        return method(*args, **keywords)
    owner: Any = getattr(method, "__self__", "")
    parts: list[Any] = list(counted(args[0], meter))
    meter.grow(sum(len(part) for part in parts if isinstance(part, str | bytes)) + len(owner) * len(parts))
    return method(parts)


def _to_bytes(meter: FlatMeter, method: Function, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    length = args[0] if args else keywords.get("length", 1)
    if isinstance(length, int):
        meter.grow(length)
    return method(*args, **keywords)


def _coded(_: FlatMeter, method: Function, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    _check_codec(args, keywords, 0)
    return method(*args, **keywords)


def _unwritten(meter: FlatMeter, method: Function, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    check_decimal(meter, getattr(method, "__self__", None))
    return method(*args, **keywords)


def _iterated(meter: FlatMeter, method: Function, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    meter.compared(getattr(method, "__self__", None))
    return method(*(counted(arg, meter) for arg in args), **keywords)


def _searched(meter: FlatMeter, method: Function, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    owner: Any = getattr(method, "__self__", ())
    if not isinstance(owner, range) or (args and not isinstance(args[0], int)):
        meter.step(len(owner))
    return method(*args, **keywords)


def _zoned(_: FlatMeter, method: Function, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    moment: object = getattr(method, "__self__", None)
    if isinstance(moment, datetime) and moment.tzinfo is None:
        name = getattr(method, "__name__", "timestamp")
        raise ExpressionAccessError(datetime, name, "the time has no time zone, so the machine's own would decide")
    return method(*args, **keywords)


def _strftime(meter: FlatMeter, method: Function, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    form = args[0] if args else keywords.get("format", "")
    if isinstance(form, str):
        meter.grow(len(form) * 16)
    return method(*args, **keywords)


METHOD_GUARDS: Final[Mapping[tuple[type, str], Function]] = MappingProxyType(
    {
        **{(kind, name): _width for kind in (str, bytes) for name in ("center", "ljust", "rjust", "zfill")},
        **{(kind, "replace"): _replace for kind in (str, bytes)},
        **{(kind, "expandtabs"): _expandtabs for kind in (str, bytes)},
        **{(kind, "join"): _join for kind in (str, bytes)},
        (str, "encode"): _coded,
        (bytes, "decode"): _coded,
        (int, "to_bytes"): _to_bytes,
        (Decimal, "as_integer_ratio"): _unwritten,
        **{(kind, name): _searched for kind in (list, tuple, range) for name in ("count", "index")},
        **{
            (kind, name): _iterated
            for kind in (set, frozenset)
            for name in words("difference intersection isdisjoint issubset issuperset symmetric_difference union")
        },
        (datetime, "timestamp"): _zoned,
        (datetime, "astimezone"): _zoned,
        **{(kind, "strftime"): _strftime for kind in (date, datetime, time)},
    }
)
"""Methods that have to be asked about before they run, by built-in type and name; called with the bound method."""
