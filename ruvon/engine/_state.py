"""The state as a table of encoded top-level fields, for both kinds of state.

The table is the truth, in memory as on disk. A step gets a *view*: an instance of the author's class, or a dict. When the
step has returned, the fields that differ from the table are its write set, and only they are validated, merged, logged
and stored. A pydantic model is kept by `ruvon.ir.values.StateCodec`; a plain dict (YAML without a model) has every key
as a field.
"""

import typing
from collections.abc import Mapping
from typing import Any, Protocol, cast, final

import pydantic

from ruvon.ir.values import (
    ClassTable,
    InvalidField,
    InvalidValueError,
    StateCodec,
    codec_for,
    is_default,
)
from ruvon.models import UndeclaredKeyError

__all__ = ["DictState", "ModelState", "StateType", "Table", "state_type"]

Table = dict[str, bytes]


class StateType(Protocol):
    """How one state class is kept as a table. Tables are never changed while a view of them is used."""

    def initial(self, data: object) -> Table:
        """The table of validated initial data; `InvalidValueError` names what does not fit."""
        ...

    def view(self, table: Mapping[str, bytes], /) -> Any:
        """An instance of the author's class with the values of the table, its own copy."""
        ...

    def as_dict(self, table: Mapping[str, bytes]) -> dict[str, object]:
        """All fields by name, decoded, the caller's own copy."""
        ...

    def apply(
        self, view: object, table: Mapping[str, bytes], updates: Mapping[str, object] | None, step: str, strict: bool
    ) -> Table:
        """The write set of what a step did to its view (None: nothing) and of the mapping that it returned, validated.

        Undeclared keys are left out, or refused where `strict` is set.
        """
        ...

    def set_fields(self, result: Any, table: Mapping[str, bytes]) -> Mapping[str, object] | None:
        """The fields that a returned instance of the state's class sets; None where it is no such instance."""
        ...

    def given(self, table: Mapping[str, bytes]) -> frozenset[str]:
        """The fields that were ever assigned."""
        ...

    def declares(self, name: str) -> bool:
        """Whether the class has a field of this name."""
        ...

    def has_field(self, name: str) -> bool:
        """Whether the class itself names this field."""
        ...

    def decode(self, name: str, data: bytes) -> object:
        """The value of one field."""
        ...

    def encode(self, name: str, value: object) -> bytes:
        """The bytes of a value that is valid for a field already."""
        ...


def assign(state: StateType, name: str, value: object, table: Mapping[str, bytes]) -> Table:
    """The table entries of the assignment `state.<name> = value`, validated.

    Raises:
        InvalidValueError: there is no such field, or the value does not fit.
    """
    if not state.declares(name):
        raise InvalidValueError("state", [InvalidField(f"state.{name}", "is not a declared field")])
    return state.apply(None, table, {name: value}, name, strict=False)


def state_type(annotation: object, classes: ClassTable) -> "StateType | None":
    """How a state of this annotation is kept, or None where it cannot be a state."""
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return ModelState(annotation, classes)
    if annotation in (dict, object, Any) or typing.get_origin(annotation) in (dict, Mapping):
        return DictState(classes)
    return None


@final
class ModelState:
    """A pydantic model."""

    def __init__(self, cls: type[pydantic.BaseModel], classes: ClassTable) -> None:
        self.cls = cls
        self.codec = StateCodec(cls, classes)
        self._view = self.codec.view
        self._any = codec_for(object, classes)
        self._allows_extra = cls.model_config.get("extra") == "allow"

    def initial(self, data: object) -> Table:
        """The table of validated initial data."""
        return self.codec.initial(data)

    def view(self, table: Mapping[str, bytes], /) -> Any:
        """A view of the table."""
        return self._view(table)

    def as_dict(self, table: Mapping[str, bytes]) -> dict[str, object]:
        """All fields by name."""
        return self.codec.plain_dict(table)

    def apply(
        self, view: object, table: Mapping[str, bytes], updates: Mapping[str, object] | None, step: str, strict: bool
    ) -> Table:
        """The write set of a view and of a returned mapping."""
        if updates is None:
            return self.codec.write_set(view, table)
        merged = self.codec.apply(view, table, updates)
        if strict and merged.undeclared:
            key = next(iter(merged.undeclared))
            raise UndeclaredKeyError(step, key, self.cls.__qualname__, tuple(self.codec.codecs))
        return merged.changed

    def set_fields(self, result: Any, table: Mapping[str, bytes]) -> Mapping[str, object] | None:
        """The fields set in a returned instance of the class."""
        if not isinstance(result, self.cls):
            return None
        given = result.model_fields_set
        return {name: getattr(result, name) for name in self.codec.codecs if name in given} | (result.model_extra or {})

    def given(self, table: Mapping[str, bytes]) -> frozenset[str]:
        """The fields that are not at their default any more."""
        return frozenset(name for name, data in table.items() if not is_default(data))

    def declares(self, name: str) -> bool:
        """Whether the class has this field, or allows any."""
        return name in self.codec.codecs or self._allows_extra

    def has_field(self, name: str) -> bool:
        """Whether the class names this field."""
        return name in self.codec.codecs

    def decode(self, name: str, data: bytes) -> object:
        """The value of one field."""
        return self.codec.codecs.get(name, self._any).decode(data)

    def encode(self, name: str, value: object) -> bytes:
        """The bytes of one field."""
        return self.codec.codecs.get(name, self._any).encode(value, f"state.{name}")


@final
class DictState:
    """A plain dict: every key is a field, every value describes itself."""

    def __init__(self, classes: ClassTable) -> None:
        self._codec = codec_for(object, classes)

    def initial(self, data: object) -> Table:
        """The table of initial data."""
        if isinstance(data, pydantic.BaseModel):
            data = {name: getattr(data, name) for name in type(data).model_fields}
        if not isinstance(data, Mapping):
            reason = f"should be a mapping, given a {type(data).__name__}"
            raise InvalidValueError("state", [InvalidField("state", reason)])
        items = cast("Mapping[object, object]", data)
        return {str(key): self.encode(str(key), value) for key, value in items.items()}

    def view(self, table: Mapping[str, bytes], /) -> Any:
        """A dict with the values of the table."""
        return self.as_dict(table)

    def as_dict(self, table: Mapping[str, bytes]) -> dict[str, object]:
        """A dict with the values of the table."""
        return {name: self._codec.decode(data) for name, data in table.items()}

    def apply(
        self, view: object, table: Mapping[str, bytes], updates: Mapping[str, object] | None, step: str, strict: bool
    ) -> Table:
        """The keys that differ, and those that were returned."""
        items = {**cast("dict[str, object]", view or {}), **(updates or {})}
        encoded = {str(name): self.encode(str(name), value) for name, value in items.items()}
        return {name: data for name, data in encoded.items() if table.get(name) != data}

    def set_fields(self, result: Any, table: Mapping[str, bytes]) -> Mapping[str, object] | None:
        """Never: a returned dict merges as a mapping."""
        return None

    def given(self, table: Mapping[str, bytes]) -> frozenset[str]:
        """Every key there is."""
        return frozenset(table)

    def declares(self, name: str) -> bool:
        """Any key can be assigned."""
        return True

    def has_field(self, name: str) -> bool:
        """A dict names none."""
        return False

    def decode(self, name: str, data: bytes) -> object:
        """The value of one key."""
        return self._codec.decode(data)

    def encode(self, name: str, value: object) -> bytes:
        """The bytes of one key."""
        return self._codec.encode(value, f"state.{name}")
