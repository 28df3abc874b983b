"""Validation of values that enter: initial data, results, answers, assignments.

Pydantic does the work; the errors are told in our words, by path, without links, and without the values of types that
can hold secrets.
"""

import datetime as dt
import decimal
import uuid
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias, cast

import pydantic
from pydantic_core import ErrorDetails

from ruvon.ir.types import class_fields, class_kind, type_text, unwrap
from ruvon.ir.types._shape import substitution_of, union_members
from ruvon.ir.types._twins import for_pydantic
from ruvon.ir.values._cache import cache_key
from ruvon.ir.values._errors import InvalidField, InvalidValueError
from ruvon.ir.values._secrets import holds_secret

__all__ = ["invalid", "validate"]

_EXACT: Final[frozenset[object]] = frozenset({int, str, bool, float, bytes})
_SHOWN: Final = (bool, int, float, str, decimal.Decimal, dt.date, dt.time, dt.timedelta, uuid.UUID)
_LONGEST_SHOWN: Final = 60
_Adapter: TypeAlias = "pydantic.TypeAdapter[object]"

_adapters: dict[object, _Adapter] = {}


def validate(annotation: object, value: object, path: str = "value") -> object:
    """What the declared type makes of a value that enters.

    Instances of models and dataclasses count as valid: they were validated when they were made.

    Args:
        annotation: The declared type, constraints in `Annotated` included.
        value: The value that wants to enter.
        path: What to call it in an error.

    Raises:
        InvalidValueError: The value does not fit; every misfit is listed with its path.
    """
    if annotation is object or annotation is Any:
        return value
    if isinstance(annotation, type) and annotation in _EXACT and type(value) is annotation:
        return value
    try:
        return _adapter(annotation, path).validate_python(value)
    except pydantic.ValidationError as exc:
        raise invalid(path, exc, annotation) from None


def _adapter(annotation: object, path: str) -> _Adapter:
    key = cache_key(annotation)
    known = _adapters.get(key)
    if known is None:
        known = _adapters[key] = _new_adapter(annotation, path)
    return known


def _new_adapter(annotation: object, path: str) -> _Adapter:
    try:
        return pydantic.TypeAdapter(cast("Any", for_pydantic(annotation)))
    except pydantic.PydanticUserError as exc:
        reason = f"is declared as `{type_text(annotation)}`, which cannot be validated ({exc.message.splitlines()[0]})"
        raise InvalidValueError(path, [InvalidField(path, reason)]) from None


def invalid(
    path: str, error: pydantic.ValidationError, annotation: object = object, *, skip: int = 0
) -> InvalidValueError:
    """Our error for pydantic's.

    Args:
        path: The name of the validated value.
        error: What pydantic raised.
        annotation: The declared type of the value; it decides whether values may be shown.
        skip: How many parts of pydantic's locations lead to the value itself.
    """
    shown = not holds_secret(annotation)
    found: dict[str, _Misfit] = {}
    for item in error.errors(include_url=False):
        where = _path(path, item["loc"][skip:], annotation)
        misfit = found.setdefault(where, _Misfit([], _given(item, shown=shown)))
        reason = _reason(item)
        if reason not in misfit.reasons:
            misfit.reasons.append(reason)
    return InvalidValueError(
        path, [InvalidField(where, f"{' or '.join(item.reasons)}{item.given}") for where, item in found.items()]
    )


class _Misfit(NamedTuple):
    reasons: list[str]
    given: str


def _path(root: str, location: Sequence[int | str], annotation: object) -> str:
    """The path as Python writes it; the labels that pydantic puts in for the members of a union are left out."""
    text = root
    here: object = annotation
    for part in location:
        members = [item for item in union_members(unwrap(here)) if item is not None]
        if len(members) > 1:
            here = _by_label(members, str(part))
            continue
        if part == "[key]":
            return f"{text} (the key)"
        is_dict = substitution_of(members[0])[0] is dict if members else False
        text += f"[{part!r}]" if isinstance(part, int) or is_dict else f".{part}"
        here = _below(members[0], part) if members else object
    return text


def _by_label(members: Iterable[object], label: str) -> object:
    for member in members:
        cls, _ = substitution_of(member)
        if getattr(cls, "__name__", "") == label.partition("[")[0]:
            return member
    return object


def _below(annotation: object, part: int | str) -> object:
    """The declared type of an item or field."""
    cls, _ = substitution_of(annotation)
    arguments: tuple[object, ...] = getattr(annotation, "__args__", ())
    if class_kind(cls) is not None:
        return next((field.annotation for field in class_fields(annotation) if field.name == part), object)
    if cls is dict and len(arguments) == 2:
        return arguments[1]
    if cls is tuple and isinstance(part, int) and part < len(arguments) and ... not in arguments:
        return arguments[part]
    return arguments[0] if arguments else object


def _reason(item: ErrorDetails) -> str:
    message = item["msg"]
    match item["type"]:
        case "missing":
            return "is required"
        case "extra_forbidden":
            return "is not a declared field"
        case "value_error" | "assertion_error":
            return f"is refused: {message.removeprefix('Value error, ').removeprefix('Assertion failed, ')}"
        case _:
            text = message.removeprefix("Input ")
            return f"{text[:1].lower()}{text[1:]}"


def _given(item: ErrorDetails, *, shown: bool) -> str:
    value: object = item["input"]
    if item["type"] in {"missing", "extra_forbidden", "value_error", "assertion_error"}:
        return ""
    if value is None:
        return ", given None"
    if not shown or not isinstance(value, _SHOWN):
        name = type(value).__name__
        return f", given {'an' if name[:1] in 'aeiou' else 'a'} {name}"
    text = repr(value)
    return f", given {text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + '...'}"
