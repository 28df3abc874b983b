"""Reading attributes of values: data only, never code.

The fields of models, dataclasses and named tuples, the name and value of enum members, the data of exceptions and a
list of attributes of the value types can be read. Properties, methods, class attributes and everything with an
underscore cannot, whatever object an expression gets hold of. Types are judged once and remembered weakly.
"""

import dataclasses
import inspect
from collections.abc import Mapping
from enum import Enum
from types import (
    BuiltinFunctionType,
    CodeType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    MethodType,
    ModuleType,
    TracebackType,
)
from typing import Any, Final, cast
from weakref import WeakKeyDictionary

from ruvon.ir.expr._errors import ExpressionAccessError
from ruvon.ir.expr._language import DATA_ATTRIBUTES, METHODS

__all__ = ["bind_method", "computed_names", "field_names", "is_data_attribute", "method_base", "read_attribute"]

_CLOSED: Final = (
    BuiltinFunctionType,
    CodeType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    MethodType,
    ModuleType,
    TracebackType,
    type,
)
_MISSING: Final = object()
_known: Final[WeakKeyDictionary[type, frozenset[str]]] = WeakKeyDictionary()


def field_names(kind: type[object]) -> frozenset[str]:
    """The stored fields that a class declares: of a model, a dataclass or a named tuple."""
    fields: object = getattr(kind, "__pydantic_fields__", None) or (
        getattr(kind, "model_fields", None) if hasattr(kind, "__pydantic_validator__") else None
    )
    if isinstance(fields, Mapping):
        return frozenset(cast("Mapping[str, object]", fields))
    if dataclasses.is_dataclass(kind):
        return frozenset(field.name for field in dataclasses.fields(kind))
    names: object = getattr(kind, "_fields", ()) if tuple in kind.__mro__ else ()
    return frozenset(cast("tuple[str, ...]", names))


def computed_names(kind: type) -> frozenset[str]:
    """The `computed_field`s of a model; they are pure by their contract, so they count as data."""
    decorators: object = getattr(kind, "__pydantic_decorators__", None)
    computed: object = getattr(decorators, "computed_fields", None)
    return frozenset(cast("Mapping[str, object]", computed)) if isinstance(computed, Mapping) else frozenset()


def is_data_attribute(kind: type, name: str) -> bool:
    """Whether every instance of a class lets an expression read this attribute."""
    known = _known.get(kind)
    if known is None:
        found = set(field_names(kind) | computed_names(kind))
        if issubclass(kind, Enum):
            found |= {"name", "value"}
        for base in kind.__mro__:
            found |= DATA_ATTRIBUTES.get(base, frozenset())
        known = frozenset(field for field in found if not field.startswith("_"))
        _known[kind] = known
    return name in known


def read_attribute(value: object, name: str) -> object:
    """The data behind `value.name`.

    Raises:
        AttributeError: there is no such attribute; the same error as Python's own.
        ExpressionAccessError: there is one, but it is not data.
    """
    kind = type(value)
    if name.startswith("_"):
        raise ExpressionAccessError(kind, name, "names that begin with an underscore are not data")
    if is_data_attribute(kind, name):
        return getattr(value, name)
    if isinstance(value, type):
        return _member(value, name)
    view: object = getattr(kind, "expression_attribute", None)
    if view is not None:
        return cast("Any", value).expression_attribute(name)
    if isinstance(value, _CLOSED):
        raise ExpressionAccessError(kind, name, "it is code, not data")
    stored = _stored(value, name)
    if stored is not _MISSING:
        return stored
    return _absent(value, kind, name)


def _member(value: type[object], name: str) -> object:
    if issubclass(value, Enum) and name in value.__members__:
        return value.__members__[name]
    if issubclass(value, Enum) and _static(value, name) is _MISSING and not hasattr(type(value), name):
        return getattr(value, name)
    raise ExpressionAccessError(cast("type", value), name, "only the members of an enum can be read from a class")


def _stored(value: object, name: str) -> object:
    try:
        own: object = object.__getattribute__(value, "__dict__")
    except AttributeError:
        own = None
    if isinstance(own, dict) and name in own:
        return cast("dict[str, object]", own)[name]
    extra: object = (
        getattr(value, "__pydantic_extra__", None) if hasattr(type(value), "__pydantic_validator__") else None
    )
    if isinstance(extra, dict) and name in extra:
        return cast("dict[str, object]", extra)[name]
    slot: object = _static(type(value), name)
    return getattr(value, name) if inspect.ismemberdescriptor(slot) and not _is_builtin(type(value)) else _MISSING


def _is_builtin(kind: type) -> bool:
    return not kind.__flags__ & (1 << 9)


def _absent(value: object, kind: type, name: str) -> object:
    if _static(kind, name) is not _MISSING:
        reason = "it is a method; call it" if method_base(kind, name) is not None else "it is not a stored field"
        raise ExpressionAccessError(kind, name, reason)
    if _makes_up(kind):
        raise ExpressionAccessError(kind, name, "the class makes it up when asked")
    return getattr(value, name)


def _makes_up(kind: type) -> bool:
    """Whether a class answers for attributes that it does not have; pydantic's own hook only raises the right error."""
    return _static(kind, "__getattr__") is not _MISSING and not hasattr(kind, "__pydantic_validator__")


def _static(kind: type, name: str) -> object:
    """What a class itself or a base defines under a name, without its metaclass and without running anything."""
    return next((base.__dict__[name] for base in kind.__mro__ if name in base.__dict__), _MISSING)


def method_base(kind: type, name: str) -> type | None:
    """The built-in type whose readable method `name` a class has, or None."""
    for base in kind.__mro__:
        if name in METHODS.get(base, ()):
            return base
    return None


def bind_method(value: object, name: str) -> tuple[type, Any]:
    """The built-in type that knows the method, and the method bound to the value.

    Raises:
        AttributeError: the value has no such attribute; the same error as Python's own.
        ExpressionAccessError: it has one that the language does not know.
    """
    kind = type(value)
    base = method_base(kind, name)
    if base is None:
        if _static(kind, name) is _MISSING and not _makes_up(kind):
            getattr(value, name)
        raise ExpressionAccessError(kind, name, "it is not a method of the language")
    return base, getattr(value, name)
