"""Which types carry secrets, and values shown to people with the secrets masked.

A secret is a `SecretStr`, a `SecretBytes`, or a field marked `Field(json_schema_extra={"secret": True})`. It is stored
in full by the codec and must be shown nowhere, so the JSON forms for logs, errors, events and answers are all made
here.
"""

import datetime as dt
import decimal
import enum
import math
import uuid
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias, cast

import orjson
from pydantic import SecretBytes, SecretStr

from ruvon.ir.types import ClassField, class_fields, class_kind, unwrap
from ruvon.ir.types._fields import is_secret_marked
from ruvon.ir.types._shape import arguments_of, substitution_of, union_members
from ruvon.ir.values._scalars import INT_LIMIT, SCALARS
from ruvon.ir.values._table import VIEW_OF

__all__ = ["MASK", "Json", "holds_secret", "mask", "secret_names", "to_plain"]

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
MASK: Final = "***"
_DECIMAL_BITS: Final = 10_000
_SECRETS: Final = (SecretStr, SecretBytes)
_SECRET_CLASSES: Final[frozenset[object]] = frozenset(_SECRETS)


def mask(value: object, annotation: object = object) -> Json:
    """A JSON-able copy for logs, events and answers: every secret is `***`.

    Args:
        value: Any value; what is not storable appears as its type's name.
        annotation: The declared type, where the value alone does not tell that it is secret (a marked parameter, a
            TypedDict with a marked key). Fields of models and dataclasses are looked up by themselves.
    """
    return _project(value, annotation, reveal=False)


def to_plain(value: object, annotation: object = object, *, reveal_secrets: bool = False) -> Json:
    """A JSON-able projection for people and queries; not exact, and never read back.

    Decimals, dates, UUIDs and integers beyond 64 bits are text, bytes base64, enum members their values, sets sorted
    lists, keys text.

    Args:
        value: Any value.
        annotation: The declared type (see `mask`).
        reveal_secrets: Show secrets in full, for a consumer that is entitled to them.
    """
    return _project(value, annotation, reveal=reveal_secrets)


def holds_secret(annotation: object) -> bool:
    """Whether a value of this type can hold a secret in a place that its type shows."""
    return _holds_secret(annotation, set())


def _holds_secret(annotation: object, seen: set[object]) -> bool:
    if _marked(annotation):
        return True
    for member in union_members(unwrap(annotation)):
        cls, _ = substitution_of(member)
        if cls in _SECRET_CLASSES:
            return True
        if any(_holds_secret(item, seen) for item in arguments_of(member)):
            return True
        if class_kind(cls) is not None and cls not in seen:
            seen.add(cls)
            if any(field.secret or _holds_secret(field.annotation, seen) for field in class_fields(member)):
                return True
    return False


def secret_names(annotation: object) -> frozenset[str]:
    """The names of the fields, at any depth of a type, that are secret by their mark or by their class.

    What is named like one is to be hidden in values that have lost their types, as a returned dict has.
    """
    found: set[str] = set()
    _add_secret_names(annotation, found, set())
    return frozenset(found)


def _add_secret_names(annotation: object, found: set[str], seen: set[object]) -> None:
    for member in union_members(unwrap(annotation)):
        cls, _ = substitution_of(member)
        for item in arguments_of(member):
            _add_secret_names(item, found, seen)
        if class_kind(cls) is None or cls in seen:
            continue
        seen.add(cls)
        for field in class_fields(member):
            if field.secret or _is_secret(field.annotation):
                found.add(field.name)
            _add_secret_names(field.annotation, found, seen)


def _is_secret(annotation: object) -> bool:
    """Whether a type is secret itself, or a container of what is; fields of classes are not looked into."""
    return _marked(annotation) or any(
        substitution_of(member)[0] in _SECRET_CLASSES or any(map(_is_secret, arguments_of(member)))
        for member in union_members(unwrap(annotation))
    )


def _marked(annotation: object) -> bool:
    """Whether an `Annotated` type is marked as a secret."""
    metadata: Iterable[object] = getattr(annotation, "__metadata__", ())
    return any(is_secret_marked(getattr(item, "json_schema_extra", None)) for item in metadata)


def _project(value: object, annotation: object, *, reveal: bool) -> Json:
    if not reveal and value is not None and (isinstance(value, _SECRETS) or _marked(annotation)):
        return MASK
    if value is None or (isinstance(value, bool | str) and not isinstance(value, enum.Enum)):
        return value
    if isinstance(value, enum.Enum):
        return _project(value.value, object, reveal=reveal)
    if isinstance(value, int):
        return value if -INT_LIMIT <= value < INT_LIMIT else _digits(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return _project_dict(cast("dict[object, object]", value), annotation, reveal=reveal)
    if isinstance(value, list | tuple):
        items = cast("tuple[object, ...]", value)
        kinds = _item_types(annotation, len(items))
        return [_project(item, kind, reveal=reveal) for item, kind in zip(items, kinds, strict=True)]
    if isinstance(value, set | frozenset):
        (kind,) = _item_types(annotation, 1)
        found = [_project(item, kind, reveal=reveal) for item in cast("set[object]", value)]
        return sorted(found, key=orjson.dumps)
    return _project_object(value, reveal=reveal)


def _digits(value: int) -> str:
    """Text for an integer that most readers of JSON would cut; Python writes no decimal text of great length."""
    return str(value) if value.bit_length() < _DECIMAL_BITS else hex(value)


def _project_object(value: object, *, reveal: bool) -> Json:
    cls: type = getattr(type(value), VIEW_OF, type(value))
    if class_kind(cls) in {"model", "dataclass"}:
        return _project_fields(value, class_fields(cls), reveal=reveal)
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, SecretBytes):
        return cast("str", SCALARS[bytes].encode(value.get_secret_value()))
    if isinstance(value, bytes):
        return cast("str", SCALARS[bytes].encode(value))
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if isinstance(value, decimal.Decimal | uuid.UUID):
        return str(value)
    return f"<{cls.__module__}:{cls.__qualname__}>"


def _project_fields(value: object, fields: Iterable[ClassField], *, reveal: bool) -> Json:
    found: dict[str, Json] = {}
    for field in fields:
        if not hasattr(value, field.name):
            continue
        item: object = getattr(value, field.name)
        hidden = field.secret and not reveal and item is not None
        found[field.name] = MASK if hidden else _project(item, field.annotation, reveal=reveal)
    extra: Mapping[str, object] = getattr(value, "__pydantic_extra__", None) or {}
    return found | {name: _project(item, object, reveal=reveal) for name, item in extra.items()}


def _project_dict(value: dict[object, object], annotation: object, *, reveal: bool) -> Json:
    declared, item_type = _members(annotation)
    found: dict[str, Json] = {}
    for key, item in value.items():
        field = declared.get(str(key))
        hidden = field is not None and field.secret and not reveal and item is not None
        kind = item_type if field is None else field.annotation
        found[_key_text(key)] = MASK if hidden else _project(item, kind, reveal=reveal)
    return found


def _key_text(key: object) -> str:
    plain = _project(key, object, reveal=False)
    return plain if isinstance(plain, str) else orjson.dumps(plain).decode()


def _members(annotation: object) -> tuple[dict[str, ClassField], object]:
    """The declared keys of a TypedDict, and the type of all other items of a dict type."""
    for member in union_members(unwrap(annotation)):
        cls, _ = substitution_of(member)
        if class_kind(cls) == "typeddict":
            return {field.name: field for field in class_fields(member)}, object
        arguments: tuple[object, ...] = getattr(member, "__args__", ())
        if cls is dict and len(arguments) == 2:
            return {}, arguments[1]
    return {}, object


def _item_types(annotation: object, count: int) -> list[object]:
    """The declared types of the `count` items of a list, set or tuple."""
    for member in union_members(unwrap(annotation)):
        cls, _ = substitution_of(member)
        arguments: tuple[object, ...] = getattr(member, "__args__", ())
        if cls is tuple and len(arguments) == count and ... not in arguments:
            return list(arguments)
        if cls in {list, set, frozenset, tuple} and arguments:
            return [arguments[0]] * count
    return [object] * count
