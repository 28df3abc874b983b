"""What the language knows by name: functions, value types, methods and readable attributes.

One place holds every whitelist, because the rules, the type checker, the compiler and the documentation must agree on
them. A name that is not here cannot be called and an attribute that is not here (nor a field of the author's own data)
cannot be read.
"""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Final
from uuid import UUID

__all__ = [
    "BUILTINS",
    "CLASS_ATTRIBUTES",
    "CLASS_METHODS",
    "DATA_ATTRIBUTES",
    "DEFINITION_PATHS",
    "FUNCTION_NAMES",
    "IMPURE",
    "KEY_FUNCTIONS",
    "MAX_DEPTH",
    "MAX_INT_BITS",
    "MAX_INT_DIGITS",
    "MAX_NODES",
    "MAX_TEXT",
    "METHODS",
    "METHOD_NAMES",
    "MUTATING_METHODS",
    "SPECIAL",
    "TYPE_NAMES",
    "VALUE_TYPES",
    "words",
]

MAX_TEXT: Final = 100_000
"""Code points in the text of one expression."""
MAX_DEPTH: Final = 100
"""Levels of nesting."""
MAX_NODES: Final = 10_000
"""Nodes of one expression tree."""
MAX_INT_DIGITS: Final = 4_000
"""Decimal digits of an integer literal; CPython prints at most 4,300."""
MAX_INT_BITS: Final = 13_287
"""The same limit in bits."""


def words(text: str) -> tuple[str, ...]:
    """The words of a text; tables of names are written this way."""
    return tuple(text.split())


BUILTINS: Final = frozenset(
    words(
        "abs all any ascii bin bool bytes chr dict divmod enumerate float format frozenset hex int isinstance len list max "
        "min oct ord pow range repr reversed round set sorted str sum tuple zip"
    )
)
VALUE_TYPES: Final[Mapping[str, type]] = MappingProxyType(
    {
        "Decimal": Decimal,
        "UUID": UUID,
        "date": date,
        "datetime": datetime,
        "time": time,
        "timedelta": timedelta,
        "timezone": timezone,
    }
)
IMPURE: Final = frozenset({"new_id", "now", "random"})
"""Calls whose value is recorded once by the engine."""
SPECIAL: Final = frozenset({"fstring", "ref", "secret", "template"})
"""Calls that take literal text and are part of the notation rather than functions."""
FUNCTION_NAMES: Final = BUILTINS | frozenset(VALUE_TYPES) | IMPURE | SPECIAL
KEY_FUNCTIONS: Final = frozenset({"abs", "bool", "float", "int", "len", "repr", "str"})
"""Functions that may be named, uncalled, in `key=`."""
TYPE_NAMES: Final[Mapping[str, type]] = MappingProxyType(
    {
        "bool": bool,
        "bytes": bytes,
        "dict": dict,
        "float": float,
        "frozenset": frozenset,
        "int": int,
        "list": list,
        "set": set,
        "str": str,
        "tuple": tuple,
        **VALUE_TYPES,
    }
)
"""Classes that may be named, uncalled, as the second argument of `isinstance`."""

CLASS_METHODS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "Decimal": frozenset({"from_float"}),
        "bytes": frozenset({"fromhex"}),
        "date": frozenset({"fromisocalendar", "fromisoformat", "fromordinal"}),
        "datetime": frozenset({"combine", "fromisoformat", "fromtimestamp"}),
        "dict": frozenset({"fromkeys"}),
        "float": frozenset({"fromhex"}),
        "int": frozenset({"from_bytes"}),
        "time": frozenset({"fromisoformat"}),
    }
)
CLASS_ATTRIBUTES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "date": frozenset({"max", "min"}),
        "datetime": frozenset({"max", "min"}),
        "time": frozenset({"max", "min"}),
        "timedelta": frozenset({"max", "min", "resolution"}),
        "timezone": frozenset({"utc"}),
    }
)

_TEXT = (
    "capitalize center count endswith expandtabs find index isalnum isalpha isascii isdigit islower isspace istitle "
    "isupper join ljust lower lstrip partition removeprefix removesuffix replace rfind rindex rjust rpartition rsplit "
    "rstrip split splitlines startswith strip swapcase title upper zfill"
)
_SETS = "copy difference intersection isdisjoint issubset issuperset symmetric_difference union"
METHODS: Final[Mapping[type, frozenset[str]]] = MappingProxyType(
    {
        str: frozenset(words(f"{_TEXT} casefold encode isdecimal isidentifier isnumeric isprintable")),
        bytes: frozenset(words(f"{_TEXT} decode hex")),
        list: frozenset({"copy", "count", "index"}),
        tuple: frozenset({"count", "index"}),
        range: frozenset({"count", "index"}),
        dict: frozenset({"copy", "get", "items", "keys", "values"}),
        set: frozenset(words(_SETS)),
        frozenset: frozenset(words(_SETS)),
        int: frozenset({"as_integer_ratio", "bit_count", "bit_length", "to_bytes"}),
        float: frozenset({"as_integer_ratio", "hex", "is_integer"}),
        datetime: frozenset(
            words(
                "astimezone date dst isocalendar isoformat isoweekday replace strftime time timestamp timetz toordinal "
                "tzname utcoffset weekday"
            )
        ),
        date: frozenset(words("isocalendar isoformat isoweekday replace strftime toordinal weekday")),
        time: frozenset(words("dst isoformat replace strftime tzname utcoffset")),
        timedelta: frozenset({"total_seconds"}),
        Decimal: frozenset(
            words(
                "adjusted as_integer_ratio as_tuple compare copy_abs copy_negate copy_sign is_finite is_infinite is_nan "
                "is_signed is_zero normalize quantize sqrt to_integral_exact to_integral_value"
            )
        ),
    }
)
METHOD_NAMES: Final = frozenset[str]().union(*METHODS.values())
MUTATING_METHODS: Final = frozenset(
    words(
        "add append clear difference_update discard extend insert intersection_update pop popitem remove reverse "
        "setdefault sort symmetric_difference_update update"
    )
)
DATA_ATTRIBUTES: Final[Mapping[type, frozenset[str]]] = MappingProxyType(
    {
        datetime: frozenset(words("day fold hour max microsecond min minute month second tzinfo year")),
        date: frozenset({"day", "max", "min", "month", "year"}),
        time: frozenset({"fold", "hour", "max", "microsecond", "min", "minute", "second", "tzinfo"}),
        timedelta: frozenset({"days", "max", "microseconds", "min", "resolution", "seconds"}),
        UUID: frozenset({"bytes", "hex", "int", "urn", "variant", "version"}),
        range: frozenset({"start", "step", "stop"}),
        BaseException: frozenset({"args"}),
    }
)

DEFINITION_PATHS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **{f"builtins:{name}": name for name in BUILTINS},
        **{f"datetime:{name}": name for name in ("date", "datetime", "time", "timedelta", "timezone")},
        "decimal:Decimal": "Decimal",
        "uuid:UUID": "UUID",
        **{f"ruvon:{name}": name for name in ("new_id", "now", "random", "secret", "template")},
    }
)
"""The paths under which Python code knows the functions of the language; a front end maps imports through this."""
