"""Errors as records: what is kept of an exception, and how one is made of it again.

A handler matches by the paths of the classes that an error's class derives from, so matching imports nothing and works
after a reload, when the class may be gone. An exception is rebuilt without calling its `__init__`, which may want
keyword arguments that nobody recorded; where the class cannot be found, `RecordedError` stands in for it.
"""

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol, cast, final

import orjson

from ruvon.ir._errors import RuvonError
from ruvon.models import ChildFailed, RecordedError
from ruvon.models._hints import is_retryable, wait_asked_us
from ruvon.models._recorded import bare_error, own_names, set_attribute

__all__ = [
    "CATCHALL",
    "ErrorRecord",
    "ValueCodec",
    "as_child_failure",
    "forget_record",
    "rebuild",
    "record_error",
]

CATCHALL: Final = "builtins:Exception"
_MAX_TRACEBACK: Final = 20_000
_MAX_CAUSES: Final = 32
"""How many causes of an error are kept; `raise ... from` may make longer chains, and even cycles."""


class ValueCodec(Protocol):
    """What this module needs of the value codec; see `ruvon.engine._values`."""

    def encode(self, value: object, path: str = "value", /) -> bytes:
        """The bytes of a value."""
        ...

    def decode(self, data: bytes, /) -> object:
        """The value of bytes."""
        ...


@final
@dataclass(frozen=True, slots=True)
class ErrorRecord:
    """What is kept of an error."""

    path: str
    """The path of its class."""
    bases: tuple[str, ...]
    """The paths of all classes it derives from, itself first."""
    message: str
    args: bytes = b"[]"
    attributes: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    dropped: tuple[str, ...] = ()
    """Names of what could not be stored."""
    step: str = ""
    activation: str = ""
    attempt: int = 1
    trace: str = ""
    cause: "ErrorRecord | None" = None
    uncatchable: bool = False
    """No handler of a body sees it: limits, drift, cancellation, directives that fail the workflow."""
    child: str = ""
    """The id of the child whose error it is."""
    retryable: bool = True
    """False where the error says that another attempt cannot help."""
    retry_after_us: int | None = None
    """How long the error asks to wait before another attempt."""

    @property
    def kind(self) -> str:
        """The qualified name of the class, such as `CardDeclined`."""
        return self.path.partition(":")[2] or self.path

    def matches(self, classes: tuple[str, ...]) -> bool:
        """Whether a handler for these classes catches it."""
        return not self.uncatchable and any(path in self.bases for path in classes)

    def to_tree(self) -> dict[str, object]:
        """A tree that orjson writes; `of_tree` is the inverse."""
        tree: dict[str, object] = {
            "path": self.path,
            "mro": list(self.bases),
            "message": self.message,
            "args": orjson.Fragment(self.args),
            "attributes": {name: orjson.Fragment(value) for name, value in self.attributes.items()},
            "dropped": list(self.dropped),
            "step": self.step,
            "activation": self.activation,
            "attempt": self.attempt,
            "trace": self.trace,
            "uncatchable": self.uncatchable,
            "child": self.child,
        }
        if not self.retryable:
            tree["retryable"] = False
        if self.retry_after_us is not None:
            tree["retry_after_us"] = self.retry_after_us
        if self.cause is not None:
            tree["cause"] = self.cause.to_tree()
        return tree

    def encode(self) -> bytes:
        """The record as JSON."""
        return orjson.dumps(self.to_tree())

    @staticmethod
    def of_tree(tree: Mapping[str, object]) -> "ErrorRecord":
        """The record of a tree made by `to_tree` and read back."""
        cause = cast("Mapping[str, object] | None", tree.get("cause"))
        attributes = cast("Mapping[str, object]", tree["attributes"])
        return ErrorRecord(
            path=cast("str", tree["path"]),
            bases=tuple(cast("list[str]", tree["mro"])),
            message=cast("str", tree["message"]),
            args=orjson.dumps(tree["args"]),
            attributes={name: orjson.dumps(value) for name, value in attributes.items()},
            dropped=tuple(cast("list[str]", tree["dropped"])),
            step=cast("str", tree["step"]),
            activation=cast("str", tree["activation"]),
            attempt=cast("int", tree["attempt"]),
            trace=cast("str", tree["trace"]),
            cause=ErrorRecord.of_tree(cause) if cause is not None else None,
            uncatchable=cast("bool", tree["uncatchable"]),
            child=cast("str", tree["child"]),
            retryable=cast("bool", tree.get("retryable", True)),
            retry_after_us=cast("int | None", tree.get("retry_after_us")),
        )

    @staticmethod
    def decode(data: bytes) -> "ErrorRecord":
        """The record of JSON written by `encode`."""
        return ErrorRecord.of_tree(cast("Mapping[str, object]", orjson.loads(data)))

    def of_child(self, child: str, node: str) -> "ErrorRecord":
        """The same error as it is met by the parent, at the node that awaits the child."""
        return replace(self, child=child, step=node, uncatchable=False)

    def caused_by(self, cause: "ErrorRecord") -> "ErrorRecord":
        """The same error with another cause (`raise X from err`)."""
        return replace(self, cause=cause)


_RECORD: Final = "__ruvon_record__"


def _path_of(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def record_error(
    error: BaseException,
    codec: ValueCodec,
    *,
    step: str = "",
    activation: str = "",
    attempt: int = 1,
    uncatchable: bool = False,
    causes: int = _MAX_CAUSES,
) -> ErrorRecord:
    """The record of an exception; one that was rebuilt from a record keeps what it cannot know any more."""
    known = cast("ErrorRecord | None", own_names(error).get(_RECORD))
    if known is not None:
        return known
    dropped: list[str] = []
    cause = error.__cause__ if causes > 0 else None
    return ErrorRecord(
        path=_path_of(type(error)),
        bases=tuple(_path_of(cls) for cls in type(error).__mro__ if cls is not object),
        message=_message(error),
        args=_encode_args(error, codec, dropped),
        attributes=_encode_attributes(error, codec, dropped),
        dropped=tuple(dropped),
        step=step,
        activation=activation,
        attempt=attempt,
        trace=_trace(error),
        cause=record_error(cause, codec, causes=causes - 1) if cause is not None else None,
        uncatchable=uncatchable,
        retryable=is_retryable(error),
        retry_after_us=wait_asked_us(error),
    )


def _message(error: BaseException) -> str:
    try:
        return _storable_text(str(error))
    except Exception as exc:  # the author's __str__ may fail; the record must not
        return f"<no text: {type(exc).__name__} in __str__>"


def _trace(error: BaseException) -> str:
    """The traceback as text, its end where it is long; causes have their own."""
    try:
        lines = traceback.format_exception(type(error), error, error.__traceback__, chain=False)
    except Exception as exc:  # it prints notes and attributes of the author's class, which may fail
        return f"<no traceback: {type(exc).__name__} while it was written>"
    return _storable_text("".join(lines)[-_MAX_TRACEBACK:])


def _storable_text(text: str) -> str:
    """The text with surrogates, which have no UTF-8 form, written as escapes."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def _encode_args(error: BaseException, codec: ValueCodec, dropped: list[str]) -> bytes:
    try:
        return codec.encode(list(error.args))
    except RuvonError:
        dropped.append("args")
        return codec.encode([_message(error)])


def _encode_attributes(error: BaseException, codec: ValueCodec, dropped: list[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for name, value in own_names(error).items():
        if name.startswith("_"):
            continue
        try:
            found[name] = codec.encode(value)
        except RuvonError:
            dropped.append(name)
    return found


def rebuild(record: ErrorRecord, codec: ValueCodec, find: Callable[[str], type | None]) -> Exception:
    """An exception made of a record, without running the author's `__init__`.

    Args:
        record: what was kept.
        codec: reads its values.
        find: gives the class of a path, or None where it cannot be loaded.
    """
    cls = find(record.path)
    args = tuple(cast("list[object]", codec.decode(record.args)))
    attributes = {name: codec.decode(value) for name, value in record.attributes.items()}
    made: Exception
    if cls is None or not issubclass(cls, Exception):
        made = RecordedError(record.message, record.kind, record.attempt, attributes)
    else:
        made = bare_error(cls, args) or RecordedError(record.message, record.kind, record.attempt, attributes)
        for name, value in attributes.items():
            set_attribute(made, name, value)
    object.__setattr__(made, _RECORD, record)
    if record.cause is not None:
        made.__cause__ = rebuild(record.cause, codec, find)
    return made


def forget_record(error: Exception) -> Exception:
    """The same error as one of its own: who raises it again after a change gets a new record."""
    if not isinstance(error, RecordedError):
        own_names(error).pop(_RECORD, None)
    return error


def as_child_failure(record: ErrorRecord, child_id: str, codec: ValueCodec) -> ErrorRecord:
    """The record of `ChildFailed` that stands for a child's error whose class is not known here."""
    failure = ChildFailed(record.message, record.kind, child_id)
    return record_error(failure, codec, step=record.step).caused_by(record)
