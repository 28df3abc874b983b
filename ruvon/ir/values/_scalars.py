"""Text forms of the values that JSON has no form for.

Each is exact in both directions. A date and time keeps its zone: the key of a `ZoneInfo`, the name of a named
`timezone`, else the offset, in brackets behind the ISO text, together with the fold where it is 1:
`2026-10-25T02:30:00[fold;Europe/Rome]`.
"""

import binascii
import datetime as dt
import decimal
import functools
import math
import uuid
import zoneinfo
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeAlias, cast

from pydantic import SecretBytes, SecretStr

__all__ = ["INT_LIMIT", "SCALARS", "Scalar", "Tree", "float_text", "int_text", "text_float", "text_int"]

Tree: TypeAlias = object
"""What orjson writes: None, bool, int, float, str, list and dict of them."""

INT_LIMIT: Final = 2**63
"""Integers in `[-INT_LIMIT, INT_LIMIT)` are JSON numbers, all others are text."""


class Scalar(NamedTuple):
    """How the values of one type are written where the type is known, and under which tag elsewhere."""

    tag: str
    encode: Callable[[object], Tree]
    decode: Callable[[object], object]
    form: type
    """The JSON type of the form."""


def int_text(value: int) -> str:
    """Hexadecimal digits, because Python limits the length of decimal ones."""
    return hex(value)


def text_int(text: str) -> int:
    """The inverse of `int_text`."""
    return int(text, 16)


def float_text(value: float) -> str:
    """The shortest exact text, or `nan`, `inf`, `-inf`."""
    return "-nan" if math.isnan(value) and math.copysign(1.0, value) < 0 else repr(value)


def text_float(text: str) -> float:
    """The inverse of `float_text`."""
    return float(text)


def _bytes_text(value: bytes) -> str:
    return binascii.b2a_base64(value, newline=False).decode("ascii")


def _text_bytes(text: str) -> bytes:
    return binascii.a2b_base64(text)


def _timedelta_parts(value: dt.timedelta) -> list[int]:
    return [value.days, value.seconds, value.microseconds]


def _parts_timedelta(parts: list[int]) -> dt.timedelta:
    return dt.timedelta(parts[0], parts[1], parts[2])


def _datetime_text(value: dt.datetime) -> str:
    zone = value.tzinfo
    if zone is None or zone is dt.UTC:
        return f"{value.isoformat()}[fold;]" if value.fold else value.isoformat()
    return _zoned_text(value, zone)


def _time_text(value: dt.time) -> str:
    if value.tzinfo is None:
        return f"{value.isoformat()}[fold;]" if value.fold else value.isoformat()
    return _zoned_text(value, value.tzinfo)


def _zoned_text(value: dt.datetime | dt.time, zone: dt.tzinfo) -> str:
    fold = "fold;" if value.fold else ""
    if isinstance(zone, zoneinfo.ZoneInfo) and zone.key:
        return f"{value.replace(tzinfo=None).isoformat()}[{fold}{zone.key}]"
    name = zone.tzname(None) if type(zone) is dt.timezone else None
    if name is not None and name != dt.timezone(value.utcoffset() or _ZERO).tzname(None):
        return f"{value.isoformat()}[{fold}={name}]"
    return f"{value.isoformat()}[fold;]" if fold else value.isoformat()


_ZERO: Final = dt.timedelta(0)


def _text_datetime(text: str) -> dt.datetime:
    if text[-1] != "]":
        return dt.datetime.fromisoformat(text)
    iso, zone = _split_zone(text)
    value = dt.datetime.fromisoformat(iso)
    return value.replace(tzinfo=_zone(zone.name, value.utcoffset()), fold=zone.fold)


def _text_time(text: str) -> dt.time:
    if text[-1] != "]":
        return dt.time.fromisoformat(text)
    iso, zone = _split_zone(text)
    value = dt.time.fromisoformat(iso)
    return value.replace(tzinfo=_zone(zone.name, value.utcoffset()), fold=zone.fold)


class _Zone(NamedTuple):
    fold: int
    name: str


def _split_zone(text: str) -> tuple[str, _Zone]:
    iso, _, inner = text[:-1].partition("[")
    folded = inner.startswith("fold;")
    return iso, _Zone(int(folded), inner.removeprefix("fold;") if folded else inner)


def _zone(name: str, offset: dt.timedelta | None) -> dt.tzinfo | None:
    if name.startswith("="):
        return dt.timezone(offset or _ZERO, name[1:])
    if name:
        return _zone_by_key(name)
    if offset is None:
        return None
    return dt.timezone(offset) if offset else dt.UTC


@functools.cache
def _zone_by_key(key: str) -> zoneinfo.ZoneInfo:
    return zoneinfo.ZoneInfo(key)


def _secret_text(value: SecretStr) -> str:
    return value.get_secret_value()


def _secret_bytes_text(value: SecretBytes) -> str:
    return _bytes_text(value.get_secret_value())


def _text_secret_bytes(text: str) -> SecretBytes:
    return SecretBytes(_text_bytes(text))


def _scalar(tag: str, encode: object, decode: object, form: type = str) -> Scalar:
    return Scalar(tag, cast("Callable[[object], Tree]", encode), cast("Callable[[object], object]", decode), form)


SCALARS: Final[Mapping[type, Scalar]] = {
    bytes: _scalar("$bytes", _bytes_text, _text_bytes),
    decimal.Decimal: _scalar("$decimal", str, decimal.Decimal),
    dt.date: _scalar("$date", dt.date.isoformat, dt.date.fromisoformat),
    dt.time: _scalar("$time", _time_text, _text_time),
    dt.datetime: _scalar("$datetime", _datetime_text, _text_datetime),
    dt.timedelta: _scalar("$timedelta", _timedelta_parts, _parts_timedelta, list),
    uuid.UUID: _scalar("$uuid", str, uuid.UUID),
    SecretStr: _scalar("$secret", _secret_text, SecretStr),
    SecretBytes: _scalar("$secret_bytes", _secret_bytes_text, _text_secret_bytes),
}
"""Scalars whose form is not a JSON scalar of the same type, by exact type."""
