"""Arguments of steps: values, and errors that a body has caught, which travel and are stored as their records.

Nowhere else is an error a value; see section "Errors" of the documentation of the engine.
"""

from typing import Final

import orjson

from ruvon.engine._error_records import ErrorRecord, forget_record, rebuild, record_error
from ruvon.engine._values import Types, copy_value

__all__ = ["ERROR_MARK", "copy_argument", "decode_argument", "decode_error", "encode_argument", "encode_error"]

ERROR_MARK: Final = b'{"$error":'
"""What the bytes of a variable or argument begin with that holds an error; the value codec never writes this tag."""


def copy_argument(types: Types, value: object) -> object:
    """A copy for the step alone."""
    if not isinstance(value, Exception):
        return copy_value(value)
    return forget_record(rebuild(record_error(value, types.dynamic), types.dynamic, types.find_class))


def encode_argument(types: Types, value: object, name: str) -> bytes:
    """The bytes of an argument."""
    if isinstance(value, Exception):
        return encode_error(record_error(value, types.dynamic))
    return types.dynamic.encode(value, name)


def decode_argument(types: Types, tree: object) -> object:
    """The argument of a tree read from such bytes."""
    data = orjson.dumps(tree)
    return forget_record(decode_error(types, data)) if data.startswith(ERROR_MARK) else types.dynamic.decode(data)


def encode_error(record: ErrorRecord) -> bytes:
    """The bytes of an error that a name is bound to."""
    return ERROR_MARK + record.encode() + b"}"


def decode_error(types: Types, data: bytes) -> Exception:
    """The error of such bytes."""
    return rebuild(ErrorRecord.decode(data[len(ERROR_MARK) : -1]), types.dynamic, types.find_class)
