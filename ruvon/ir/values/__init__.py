"""Values: the one codec that stores them exactly, their validation, copies and masked forms, and the state view."""

from typing import TYPE_CHECKING

from ruvon.ir._lazy import lazy_names

if TYPE_CHECKING:
    from ruvon.ir.values._codec import Codec, codec_for, same
    from ruvon.ir.values._copy import copy_value
    from ruvon.ir.values._errors import (
        InvalidField,
        InvalidValueError,
        NotStorableError,
        UnknownTypeError,
        UnreadableValueError,
    )
    from ruvon.ir.values._secrets import Json, holds_secret, mask, secret_names, to_plain
    from ruvon.ir.values._state import Merge, StateCodec, StateReader, is_default
    from ruvon.ir.values._table import ClassTable, class_table
    from ruvon.ir.values._validate import validate

__all__ = [
    "ClassTable",
    "Codec",
    "InvalidField",
    "InvalidValueError",
    "Json",
    "Merge",
    "NotStorableError",
    "StateCodec",
    "StateReader",
    "UnknownTypeError",
    "UnreadableValueError",
    "class_table",
    "codec_for",
    "copy_value",
    "holds_secret",
    "is_default",
    "mask",
    "same",
    "secret_names",
    "to_plain",
    "validate",
]

if not TYPE_CHECKING:  # a module's `__getattr__` would make type checkers believe in any name
    __getattr__ = lazy_names(
        __name__,
        {
            "._codec": ("Codec", "codec_for", "same"),
            "._copy": ("copy_value",),
            "._errors": (
                "InvalidField",
                "InvalidValueError",
                "NotStorableError",
                "UnknownTypeError",
                "UnreadableValueError",
            ),
            "._secrets": ("Json", "holds_secret", "mask", "secret_names", "to_plain"),
            "._state": ("Merge", "StateCodec", "StateReader", "is_default"),
            "._table": ("ClassTable", "class_table"),
            "._validate": ("validate",),
        },
    )
