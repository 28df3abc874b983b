"""The fields of an author's class, whatever tool it was made with.

Pydantic models, dataclasses, TypedDicts and exceptions keep their fields in four places. Everything else in this
package and the value codec asks here, so that all of them agree on the names, the types and the order.
"""

import dataclasses
import enum
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, cast

import pydantic
from pydantic.fields import FieldInfo

from ruvon.ir.types._entries import TypeKind
from ruvon.ir.types._shape import UnresolvedTypeError, substitution_of

__all__ = ["ClassField", "class_fields", "class_kind", "is_secret_marked"]


@dataclass(frozen=True, slots=True)
class ClassField:
    """One field of a class, as declared."""

    name: str
    """The attribute or key in Python; aliases play no part."""
    annotation: object
    """Its declared type, names resolved, type variables of the class put in."""
    required: bool
    """Whether a value has to be given."""
    secret: bool = False
    """Whether it is marked `Field(json_schema_extra={"secret": True})`."""
    excluded: bool = False
    """Whether it is marked `Field(exclude=True)`."""


def class_kind(cls: object) -> TypeKind | None:
    """What sort of author's class this is; None for builtins and for everything Ruvon does not take apart."""
    given = cls
    if not isinstance(cls, type):
        return None
    if issubclass(cls, pydantic.BaseModel):
        return "model"
    if issubclass(cls, enum.Enum):
        return "enum"
    if issubclass(cls, BaseException):
        return "exception"
    if _has(given, "__dataclass_fields__"):
        return "dataclass"
    return "typeddict" if _has(given, "__total__") and _has(given, "__required_keys__") else None


def _has(cls: object, name: str) -> bool:
    return hasattr(cls, name)


def class_fields(annotation: object, outer: Mapping[object, object] | None = None) -> tuple[ClassField, ...]:
    """The fields of a class, or of a class with arguments such as `Box[int]`, in the order of declaration.

    Raises:
        UnresolvedTypeError: A field's type is text that cannot be resolved.
    """
    cls, substitution = substitution_of(annotation, outer)
    kind = class_kind(cls)
    match kind:
        case "model":
            return _model_fields(cast("type[pydantic.BaseModel]", cls))
        case "enum":
            return tuple(
                ClassField(name, type(cast("object", member.value)), required=True)
                for name, member in cast("type[enum.Enum]", cls).__members__.items()
            )
        case "dataclass":
            return _dataclass_fields(cast("type", cls), substitution)
        case "typeddict":
            return _typeddict_fields(cast("type", cls), substitution)
        case "exception":
            return _exception_fields(cast("type", cls), substitution)
        case None:
            return ()


def is_secret_marked(extra: object) -> bool:
    """Whether a field's `json_schema_extra` says that its value is a secret."""
    return isinstance(extra, dict) and cast("dict[object, object]", extra).get("secret") is True


def _model_fields(cls: type[pydantic.BaseModel]) -> tuple[ClassField, ...]:
    if cls is pydantic.BaseModel:  # a field annotated `BaseModel` itself: it has no fields, and cannot be rebuilt
        return ()
    if not getattr(cls, "__pydantic_complete__", True):
        try:
            cls.model_rebuild()
        except pydantic.errors.PydanticUndefinedAnnotation as exc:
            raise UnresolvedTypeError(cls.__qualname__, exc.name or "a field's type") from None
    return _complete_fields(cls)


@lru_cache(maxsize=1024)
def _complete_fields(cls: type[pydantic.BaseModel]) -> tuple[ClassField, ...]:
    """The fields of a model whose types are all known; they do not change any more."""
    return tuple(_model_field(name, info) for name, info in cls.__pydantic_fields__.items())


def _model_field(name: str, info: FieldInfo) -> ClassField:
    return ClassField(
        name,
        info.annotation,
        required=info.is_required(),
        secret=is_secret_marked(info.json_schema_extra),
        excluded=bool(info.exclude),
    )


def _hints(cls: type) -> dict[str, object]:
    try:
        return typing.get_type_hints(cls, include_extras=True)
    except NameError as exc:
        raise UnresolvedTypeError(f"{cls.__module__}:{cls.__qualname__}", str(exc.name)) from None


def _resolved(annotation: object, substitution: Mapping[object, object]) -> object:
    """Puts type variables in; a generic argument such as `list[T]` is subscripted anew."""
    if not substitution:
        return annotation
    if annotation in substitution:
        return substitution[annotation]
    free: tuple[object, ...] = getattr(annotation, "__parameters__", ())
    if not free:
        return annotation
    subscriptable: Any = annotation
    return subscriptable[tuple(substitution.get(item, object) for item in free)]


class _Marks(NamedTuple):
    secret: bool
    excluded: bool


def _marks(annotation: object, default: object = None) -> _Marks:
    infos = [item for item in getattr(annotation, "__metadata__", ()) if isinstance(item, FieldInfo)]
    if isinstance(default, FieldInfo):
        infos.append(default)
    return _Marks(any(is_secret_marked(item.json_schema_extra) for item in infos), any(i.exclude for i in infos))


def _dataclass_fields(cls: type, substitution: Mapping[object, object]) -> tuple[ClassField, ...]:
    hints = _hints(cls)
    found: list[ClassField] = []
    for field in dataclasses.fields(cls):
        marks = _marks(hints[field.name], field.default)
        no_default = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if isinstance(field.default, FieldInfo):
            no_default = field.default.is_required()
        secret = marks.secret or field.metadata.get("secret") is True
        annotation = _resolved(hints[field.name], substitution)
        found.append(ClassField(field.name, annotation, no_default and field.init, secret, marks.excluded))
    return tuple(found)


def _typeddict_fields(cls: type, substitution: Mapping[object, object]) -> tuple[ClassField, ...]:
    required: frozenset[str] = getattr(cls, "__required_keys__", frozenset())
    return tuple(
        ClassField(name, _resolved(hint, substitution), name in required, *_marks(_without_qualifiers(hint)))
        for name, hint in _hints(cls).items()
    )


def _without_qualifiers(hint: object) -> object:
    while not hasattr(hint, "__metadata__") and typing.get_origin(hint) in (typing.Required, typing.NotRequired):
        hint = typing.get_args(hint)[0]
    return hint


def _exception_fields(cls: type, substitution: Mapping[object, object]) -> tuple[ClassField, ...]:
    if _has(cls, "__dataclass_fields__"):
        return _dataclass_fields(cls, substitution)
    return tuple(
        ClassField(name, _resolved(hint, substitution), required=not hasattr(cls, name))
        for name, hint in _hints(cls).items()
        if not name.startswith("_")
    )
