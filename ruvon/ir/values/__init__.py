"""Values: the one codec that stores them exactly, their validation, copies and masked forms, and the state view."""

from ruvon.ir.values._codec import Codec, codec_for, same
from ruvon.ir.values._errors import (
    InvalidField,
    InvalidValueError,
    NotStorableError,
    UnknownTypeError,
    UnreadableValueError,
)
from ruvon.ir.values._table import ClassTable, class_table

__all__ = [
    "ClassTable",
    "Codec",
    "InvalidField",
    "InvalidValueError",
    "NotStorableError",
    "UnknownTypeError",
    "UnreadableValueError",
    "class_table",
    "codec_for",
    "same",
]
