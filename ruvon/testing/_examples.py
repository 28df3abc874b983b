"""A valid value of a type, always the same one: what a stand-in answers where nobody says what the step answers."""

import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final, cast
from uuid import UUID

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ruvon.ir.values import InvalidValueError, validate
from ruvon.testing._errors import HarnessError

__all__ = ["example_of"]

_PLAIN: Final[Mapping[object, object]] = types.MappingProxyType(
    {
        None: None,
        type(None): None,
        bool: True,
        int: 1,
        float: 1.0,
        Decimal: Decimal(1),
        str: "text",
        bytes: b"bytes",
        datetime: datetime(2026, 1, 1, tzinfo=UTC),
        date: date(2026, 1, 1),
        time: time(12),
        timedelta: timedelta(minutes=1),
        UUID: UUID(int=1),
        object: None,
        Any: None,
    }
)
_EMPTY: Final = (dict, Mapping, set, frozenset)
_LISTS: Final = (list, Sequence)


def example_of(annotation: object, what: str) -> object:
    """A value that fits the type; fields with a default have it.

    Args:
        annotation: the type, resolved.
        what: whose value it is, for the error.

    Raises:
        HarnessError: none is found; the message says what to do.
    """
    try:
        return validate(annotation, _made(annotation), what)
    except (InvalidValueError, TypeError, ValueError, RecursionError) as exc:
        shown = getattr(annotation, "__name__", str(annotation))
        reason = str(exc).partition("\n")[0]
        raise HarnessError(f"no valid value of {shown} was found for {what} ({reason}); give it a stub") from None


def _made(annotation: object, limits: Sequence[object] = ()) -> object:
    if annotation in _PLAIN:
        return _limited(_PLAIN[annotation], limits)
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _made(args[0], args[1:])
    if origin is typing.Literal:
        return args[0]
    if origin in (typing.Union, types.UnionType):
        return _made(next(item for item in args if item is not type(None)), limits)
    kind = annotation if origin is None else origin
    if kind in _LISTS:
        return [_made(args[0])] if args else []
    if kind is tuple:
        return tuple(_made(item) for item in args if item is not Ellipsis)
    if kind in _EMPTY:
        return {} if kind in (dict, Mapping) else set[object]()
    if isinstance(kind, type):
        return _of_class(kind)
    raise TypeError("the type is none of those that an example can be made of")


def _of_class(kind: type) -> object:
    if issubclass(kind, Enum):
        return next(iter(kind))
    if issubclass(kind, BaseModel):
        return {
            item.alias or name: _of_field(name, item) for name, item in kind.model_fields.items() if item.is_required()
        }
    found = cast("Any", kind)
    hints = typing.get_type_hints(found)
    if is_dataclass(found):
        required = [item.name for item in fields(found) if item.default is MISSING and item.default_factory is MISSING]
        return {name: _made(hints[name]) for name in required}
    if typing.is_typeddict(found):
        return {name: _made(hints[name]) for name in sorted(found.__required_keys__)}
    raise TypeError(f"{kind.__name__} is no type that an example can be made of")


def _of_field(name: str, item: FieldInfo) -> object:
    made = _made(item.annotation, item.metadata)
    return _limited(name, item.metadata) if made == _PLAIN[str] else made


def _limited(value: Any, limits: Sequence[object]) -> object:
    """The value, moved inside the bounds that the type states."""
    for limit in limits:
        for name, move in _MOVES.items():
            bound = getattr(limit, name, None)
            if bound is not None:
                value = move(value, bound)
    return value


_MOVES: Final[Mapping[str, Callable[[Any, Any], Any]]] = types.MappingProxyType(
    {
        "gt": lambda value, bound: max(value, bound + type(value)(1)),
        "ge": max,
        "lt": lambda value, bound: min(value, bound - type(value)(1)),
        "le": min,
        "min_length": lambda value, least: value + value[:1] * (least - len(value)),
        "max_length": lambda value, most: value[:most],
    }
)
