"""What a plain scalar means: the core schema of YAML 1.2, not the surprises of 1.1.

`on`, `off`, `yes` and `no` are texts, `0o17` is octal, `1:30` is a text and so is every date. A number that CPython
refuses to read (more than 4,300 digits) stays a text.
"""

import math
import re
from typing import Final, TypeAlias

__all__ = ["NOTHING", "ScalarValue", "resolve"]

ScalarValue: TypeAlias = str | int | float | bool | None

NOTHING: Final = frozenset({"", "~", "null", "Null", "NULL"})
"""Plain texts that mean nothing."""
_TRUE: Final = frozenset({"true", "True", "TRUE"})
_FALSE: Final = frozenset({"false", "False", "FALSE"})
_INT: Final = re.compile(r"[-+]?[0-9]+")
_OCTAL: Final = re.compile(r"0o[0-7]+")
_HEX: Final = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE: Final = re.compile(r"([-+]?)\.(inf|Inf|INF)")
_NAN: Final = frozenset({".nan", ".NaN", ".NAN"})
_MAX_DIGITS: Final = 4_000


def resolve(text: str) -> ScalarValue:
    """The value of a plain scalar: nothing, a truth value, a number, or the text itself."""
    if text in NOTHING:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if len(text) > _MAX_DIGITS or text[0] not in "-+.0123456789":
        return text
    return _number(text)


def _number(text: str) -> ScalarValue:
    if _INT.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text, 8)
    if _HEX.fullmatch(text):
        return int(text, 16)
    if _FLOAT.fullmatch(text):
        return float(text)
    if infinite := _INFINITE.fullmatch(text):
        return -math.inf if infinite.group(1) == "-" else math.inf
    return math.nan if text in _NAN else text
