"""Durations as authors write them: `6h`, `1h30m`, `2 days`, ISO 8601 (`PT6H`), or seconds as a number.

The graph holds whole microseconds. A calendar month or year has no length, so ISO durations that name them are no
durations here.
"""

import re
from decimal import Decimal
from typing import Final

from ruvon_dsl.yaml._values import ScalarNode

__all__ = ["MAX_DURATION_US", "SPELLINGS", "duration_us", "parse_duration"]

SPELLINGS: Final = "`30s`, `6h`, `1h30m`, `2 days`, `PT6H` or a number of seconds"
"""What a message names where a text is no duration."""

MAX_DURATION_US: Final = 999_999_999 * 86_400 * 1_000_000
"""The longest timedelta of Python."""
_UNITS: Final = {
    "w": 604_800_000_000,
    "d": 86_400_000_000,
    "h": 3_600_000_000,
    "m": 60_000_000,
    "min": 60_000_000,
    "s": 1_000_000,
    "ms": 1_000,
    "us": 1,
}
_WORDS: Final = {
    "week": "w",
    "day": "d",
    "hour": "h",
    "minute": "m",
    "second": "s",
    "millisecond": "ms",
    "microsecond": "us",
}
"""Units written out, singular."""
_UNIT: Final = rf"(?:{'|'.join(_WORDS)})s?|w|d|h|min|ms|us|m|s"
_SHORT: Final = re.compile(rf"(?:\d+(?:\.\d+)? ?(?:{_UNIT})(?:(?: |(?=\d))|$))+")
_PART: Final = re.compile(rf"(\d+(?:\.\d+)?) ?({_UNIT})")
_ISO: Final = re.compile(
    r"P(?=[\dT])(?:(?P<w>\d+(?:\.\d+)?)W)?(?:(?P<d>\d+(?:\.\d+)?)D)?"
    r"(?:T(?=\d)(?:(?P<h>\d+(?:\.\d+)?)H)?(?:(?P<m>\d+(?:\.\d+)?)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?)?"
)


def duration_us(node: ScalarNode) -> int | None:
    """The duration of a scalar in microseconds, or None where it is none; numbers are seconds."""
    value = node.value
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return _bounded(_exact(node.text) * 1_000_000)
    return parse_duration(node.text)


def parse_duration(text: str) -> int | None:
    """The microseconds of a text such as `1h30m`, `2 days`, `PT6H` or `90`; None where it is no duration."""
    stripped = text.strip()
    if len(stripped) > 100 or not stripped.isascii():
        return None
    if re.fullmatch(r"\d+(\.\d+)?", stripped):
        return _bounded(Decimal(stripped) * 1_000_000)
    if _SHORT.fullmatch(stripped):
        return _bounded(sum((Decimal(amount) * _size(unit) for amount, unit in _PART.findall(stripped)), Decimal(0)))
    if iso := _ISO.fullmatch(stripped):
        parts = ((Decimal(iso[unit] or 0), _UNITS[unit]) for unit in "wdhms")
        return _bounded(sum((amount * size for amount, size in parts), Decimal(0)))
    return None


def _size(unit: str) -> int:
    return _UNITS[_WORDS.get(unit.removesuffix("s"), unit)]


def _exact(text: str) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError:
        return Decimal("NaN")


def _bounded(microseconds: Decimal) -> int | None:
    if not microseconds.is_finite() or not 0 <= microseconds <= MAX_DURATION_US:
        return None
    return int(microseconds.to_integral_value())
