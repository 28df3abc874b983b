"""Copies by value: what a value would be after it was stored and read back, without the bytes.

A step must not see, through a shared list, what another step does to it later. Immutable values are their own copies;
containers and author's classes are rebuilt, with none of the author's code run.
"""

from collections.abc import Callable
from typing import Any, Final, cast

import pydantic

from ruvon.ir._errors import NotStorableError
from ruvon.ir.types import class_fields, class_kind
from ruvon.ir.values._classes import rebuild_model
from ruvon.ir.values._scalars import SCALARS
from ruvon.ir.values._table import VIEW_OF

__all__ = ["IMMUTABLE", "copy_value"]

IMMUTABLE: Final = frozenset({type(None), bool, int, float, str, *SCALARS})
"""The exact types whose values cannot change."""

_set: Final = object.__setattr__
_Copier = Callable[[Any], object]


def copy_value(value: object) -> object:
    """A copy that shares nothing changeable with `value`.

    Raises:
        NotStorableError: The value, or something in it, is of a type that Ruvon does not store.
    """
    kind = type(value)
    if kind in IMMUTABLE:
        return value
    copier = _copiers.get(kind)
    return copier(value) if copier is not None else _learn(kind)(value)


def _copy_list(value: list[object]) -> object:
    return value.copy() if IMMUTABLE.issuperset(map(type, value)) else list(map(copy_value, value))


def _copy_dict(value: dict[object, object]) -> object:
    if IMMUTABLE.issuperset(map(type, value.values())):
        return value.copy()
    return {key: copy_value(item) for key, item in value.items()}


def _copy_set(value: set[object]) -> object:
    return value.copy() if IMMUTABLE.issuperset(map(type, value)) else set(map(copy_value, value))


def _copy_tuple(value: tuple[object, ...]) -> object:
    return value if IMMUTABLE.issuperset(map(type, value)) else tuple(map(copy_value, value))


def _copy_frozenset(value: frozenset[object]) -> object:
    return value if IMMUTABLE.issuperset(map(type, value)) else frozenset(map(copy_value, value))


_copiers: dict[type, _Copier] = {
    list: _copy_list,
    dict: _copy_dict,
    set: _copy_set,
    tuple: _copy_tuple,
    frozenset: _copy_frozenset,
}


def _learn(cls: type) -> _Copier:
    author_cls: type = getattr(cls, VIEW_OF, cls)
    kind = class_kind(author_cls)
    if author_cls in _copiers:
        copier = _copiers[author_cls]
    elif kind == "model":
        copier = _model_copier(cast("type[pydantic.BaseModel]", author_cls))
    elif kind == "dataclass":
        copier = _dataclass_copier(author_cls)
    elif kind == "enum":
        copier = _itself
    else:
        raise NotStorableError("value", cls)
    _copiers[cls] = copier
    return copier


def _itself(value: object) -> object:
    return value


def _model_copier(cls: type[pydantic.BaseModel]) -> _Copier:
    names = tuple(cls.__pydantic_fields__)

    def copy(model: pydantic.BaseModel) -> object:
        values = cast("dict[str, object]", model.__dict__)
        extra, private = model.__pydantic_extra__, model.__pydantic_private__
        return rebuild_model(
            cls,
            {name: copy_value(values[name]) for name in names if name in values},
            set(model.__pydantic_fields_set__),
            None if extra is None else cast("dict[str, object]", copy_value(extra)),
            None if private is None else cast("dict[str, object]", copy_value(private)),
        )

    return copy


def _dataclass_copier(cls: type) -> _Copier:
    names = tuple(field.name for field in class_fields(cls))
    new = cast("Callable[[type], object]", object.__new__)

    def copy(value: object) -> object:
        made = new(cls)
        for name in names:
            if hasattr(value, name):
                _set(made, name, copy_value(getattr(value, name)))
        return made

    return copy
