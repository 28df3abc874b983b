"""What attributes and methods the members of a type have, as far as expressions may read them."""

import inspect
import typing
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from enum import Enum, EnumMeta
from typing import Any, Final, Literal, cast, final
from uuid import UUID

from ruvon.ir.expr._access import computed_names, method_base
from ruvon.ir.expr._language import DATA_ATTRIBUTES, words
from ruvon.ir.expr._types import UNKNOWN, base_of, fields_of, generic, item_of, iterator_of, join, literal
from ruvon.ir.types._fields import class_kind
from ruvon.ir.types._shape import literal_values, parameters_of

__all__ = ["Found", "advice_of", "attribute_of", "method_result"]


@final
@dataclass(frozen=True, slots=True)
class Found:
    """What looking up an attribute gave: a type, or why there is none and which names there are."""

    annotation: object = UNKNOWN
    problem: Literal["", "missing", "code", "key"] = ""
    known: frozenset[str] = frozenset()


_DATA_TYPES: Final[dict[tuple[type, str], object]] = {
    (UUID, "bytes"): bytes,
    (UUID, "hex"): str,
    (UUID, "urn"): str,
    (UUID, "variant"): str,
    (UUID, "version"): int | None,
    (BaseException, "args"): tuple,
    **{(kind, "tzinfo"): tzinfo | None for kind in (datetime, time)},
    **{(kind, name): kind for kind in (date, datetime, time, timedelta) for name in ("min", "max", "resolution")},
    (time, "resolution"): timedelta,
}


def attribute_of(member: object, name: str) -> Found:
    """The type of `value.name` for a value of one member of a type."""
    base = base_of(member)
    if base is UNKNOWN or not isinstance(base, type):
        return Found()
    if base is type:
        return _class_attribute(member, name)
    for kind, names in DATA_ATTRIBUTES.items():
        if name in names and kind is not BaseException and issubclass(base, kind):
            return Found(_DATA_TYPES.get((kind, name), int))
    if isinstance(base, EnumMeta):
        return _enum_attribute(member, cast("type[Enum]", base), name)
    return _field(member, cast("type[object]", base), name)


_KNOWN_MODULES: Final = frozenset({"builtins", "datetime", "decimal", "uuid"})


def _class_attribute(member: object, name: str) -> Found:
    arguments = parameters_of(member)[1]
    enum = arguments[0] if arguments else None
    if not isinstance(enum, type) or not issubclass(enum, Enum):
        return Found(problem="code") if enum is not None else Found()
    if name in enum.__members__:
        return Found(literal(enum.__members__[name]))
    return Found(problem="missing", known=frozenset(enum.__members__))


def _enum_attribute(member: object, base: type[Enum], name: str) -> Found:
    values = literal_values(member) or tuple(base)
    if name == "value":
        return Found(join(literal(value.value) for value in values if isinstance(value, Enum)))
    if name == "name":
        return Found(join(literal(value.name) for value in values if isinstance(value, Enum)))
    problem: Literal["code", "missing"] = "code" if hasattr(base, name) else "missing"
    return Found(problem=problem, known=frozenset({"name", "value"}))


def _field(member: object, base: type[object], name: str) -> Found:
    kind = class_kind(base)
    fields = fields_of(member)
    if fields is None:
        return Found()
    if kind == "typeddict":
        return Found(problem="key" if name in fields else "missing", known=frozenset(fields))
    if name in fields:
        return Found(fields[name].annotation)
    if tuple in base.__mro__ and name in getattr(base, "_fields", ()):
        return Found(typing.get_type_hints(base).get(name, UNKNOWN))
    if name in computed_names(base):
        return Found(_returned(base, name))
    static = inspect.getattr_static(base, name, None)
    if kind == "exception":
        return Found(tuple if name == "args" else UNKNOWN, "code" if inspect.isroutine(static) else "")
    if static is not None:
        return Found(problem="code", known=frozenset(fields))
    if (kind is None and base.__module__ not in _KNOWN_MODULES) or (kind == "model" and _takes_extra(base)):
        return Found()
    if issubclass(base, dict):
        return Found(problem="key")
    known = frozenset(fields) | computed_names(base) | _data_names(base)
    return Found(problem="missing", known=known)


_ELSEWHERE: Final[dict[type, str]] = {
    timedelta: "compare it with another one, such as `> timedelta(hours=2)`, or read `.total_seconds()`",
    str: "a text has methods alone, such as `.upper()` and `.split(',')`; what it holds is read in a step",
    list: "take an item of it, `[0]`, or read the field of each: `[item.name for item in ...]`",
}
"""What to write in place of a field, for types that have none of what people ask them."""


def _data_names(base: type) -> frozenset[str]:
    """The attributes of a built-in type that are data."""
    return frozenset(
        name
        for kind, names in DATA_ATTRIBUTES.items()
        if kind is not BaseException and issubclass(base, kind)
        for name in names
        if name not in {"min", "max", "resolution"}
    )


def advice_of(base: object) -> str:
    """What a class says to somebody who reads something of it that it does not store; "" for most."""
    found = getattr(base, "__ruvon_advice__", _ELSEWHERE.get(base, "")) if isinstance(base, type) else ""
    return found if isinstance(found, str) else ""


def _takes_extra(base: type) -> bool:
    config: Any = getattr(base, "model_config", {})
    return bool(config.get("extra") == "allow")


def _returned(base: type, name: str) -> object:
    getter: object = getattr(inspect.getattr_static(base, name, None), "fget", None)
    if getter is None:
        computed: Any = getattr(getattr(base, "__pydantic_decorators__", None), "computed_fields", {})
        return getattr(getattr(computed.get(name), "info", None), "return_type", UNKNOWN)
    try:
        return typing.get_type_hints(getter).get("return", UNKNOWN)
    except (NameError, TypeError):
        return UNKNOWN


_TEXT_LISTS: Final = frozenset({"rsplit", "split", "splitlines"})
_TRIPLES: Final = frozenset({"partition", "rpartition"})
_TRUTHS: Final = frozenset({"endswith", "isdisjoint", "issubset", "issuperset", "startswith"})
_COUNTS: Final = frozenset(
    words("adjusted bit_count bit_length count find index isoweekday rfind rindex toordinal weekday")
)
_WORDS: Final = frozenset({"decode", "isoformat", "strftime"})
_SPECIAL: Final[dict[tuple[type, str], object]] = {
    (str, "encode"): bytes,
    (bytes, "hex"): str,
    (float, "hex"): str,
    (float, "as_integer_ratio"): tuple[int, int],
    (int, "as_integer_ratio"): tuple[int, int],
    (int, "to_bytes"): bytes,
    (Decimal, "as_integer_ratio"): tuple[int, int],
    (Decimal, "as_tuple"): UNKNOWN,
    (date, "isocalendar"): UNKNOWN,
    (datetime, "isocalendar"): UNKNOWN,
    (datetime, "date"): date,
    (datetime, "time"): time,
    (datetime, "timetz"): time,
    (datetime, "timestamp"): float,
    (timedelta, "total_seconds"): float,
    **{(kind, name): timedelta | None for kind in (datetime, time) for name in ("dst", "utcoffset")},
    **{(kind, "tzname"): str | None for kind in (datetime, time)},
}


def method_result(member: object, name: str, args: list[object]) -> object | None:
    """The type a method of the language gives for a value of one member, or None where it has no such method."""
    base = base_of(member)
    if base is UNKNOWN or not isinstance(base, type):
        return UNKNOWN
    kind = method_base(base, name)
    if kind is None:
        return None
    if kind is dict:
        return _dict_method(member, name, args)
    if (kind, name) in _SPECIAL:
        return _SPECIAL[kind, name]
    if kind in (str, bytes):
        if name in _TEXT_LISTS:
            return generic(list, kind)
        if name in _TRIPLES:
            return generic(tuple, kind, kind, kind)
    if name in _TRUTHS or (name.startswith("is") and name not in _COUNTS | _WORDS):
        return bool
    if name in _COUNTS:
        return int
    if name in _WORDS:
        return str
    if kind in (set, frozenset):
        return join([member, *(generic(kind, item_of(arg) or UNKNOWN) for arg in args)]) if name == "union" else member
    return member if kind is list else kind


def _dict_method(member: object, name: str, args: list[object]) -> object:
    arguments = parameters_of(member)[1]
    fields = fields_of(member) if class_kind(base_of(member)) == "typeddict" else None
    key, value = arguments if len(arguments) == 2 else (UNKNOWN, UNKNOWN)
    match name:
        case "get":
            return _get(fields, value, args)
        case "keys":
            return iterator_of(key)
        case "values":
            return iterator_of(value)
        case "items":
            return iterator_of(generic(tuple, key, value))
        case _:
            return member


def _get(fields: Any, value: object, args: list[object]) -> object:
    if fields is not None:
        keys = literal_values(args[0]) if args else None
        found = [fields[key] for key in keys or () if key in fields]
        if not keys or len(found) < len(keys):
            return UNKNOWN
        value = join(field.annotation for field in found)
        if all(field.required for field in found):
            return value
    return join([value, args[1] if len(args) > 1 else None])
