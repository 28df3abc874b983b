"""The forms of author's classes: a JSON object by field name, or an enum member's name.

A model or dataclass is an object with its fields in the order of declaration, each in the form of its declared type.
What a pydantic model knows besides stands under keys that no field can have: `#given` (the fields that were set, where
not all were), `#extra` (values of undeclared fields), `#private` (private attributes). Reading builds the object
without `__init__` and without validators; a field that the bytes lack, because the class has gained it, takes its
default.
"""

import dataclasses
import enum
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol, TypeAlias, cast, final

import pydantic
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ruvon.ir.types import class_path
from ruvon.ir.values._dynamic import Dynamic, RefusedError
from ruvon.ir.values._errors import UnreadableValueError
from ruvon.ir.values._scalars import Tree

__all__ = ["ClassForm", "DataclassForm", "EnumForm", "FieldForm", "ModelForm", "private_defaults", "rebuild_model"]

_set: Final = object.__setattr__
_GIVEN: Final = "#given"
_EXTRA: Final = "#extra"
_PRIVATE: Final = "#private"
Members: TypeAlias = dict[str, Tree]


class FieldForm(NamedTuple):
    """How one field is written and read."""

    name: str
    encode: Callable[[object], Tree]
    decode: Callable[[Tree], object]


class ClassForm(Protocol):
    """How instances of one class are written and read."""

    def encode(self, value: object) -> Tree:
        """The untagged tree of an instance."""
        ...

    def decode(self, tree: Tree) -> object:
        """The instance of an untagged tree."""
        ...


def rebuild_model(
    cls: type[pydantic.BaseModel],
    fields: dict[str, object],
    given: set[str],
    extra: dict[str, object] | None,
    private: dict[str, object] | None,
) -> pydantic.BaseModel:
    """An instance of a model made of its parts, with none of the author's code run."""
    made = cls.__new__(cls)
    _set(made, "__dict__", fields)
    _set(made, "__pydantic_fields_set__", given)
    _set(made, "__pydantic_extra__", extra)
    _set(made, "__pydantic_private__", private)
    return made


def private_defaults(cls: type[pydantic.BaseModel]) -> dict[str, object]:
    """The private attributes of a new instance."""
    found: dict[str, object] = {}
    for name, item in cls.__private_attributes__.items():
        factory = cast("Callable[[], object] | None", item.default_factory)
        default = item.get_default() if factory is None else factory()
        if default is not PydanticUndefined:
            found[name] = default
    return found


@final
class ModelForm:
    """A pydantic model; its fields are compiled at first use, because models may contain themselves."""

    def __init__(
        self, cls: type[pydantic.BaseModel], fields: Callable[[], tuple[FieldForm, ...]], dynamic: Dynamic
    ) -> None:
        self._cls = cls
        self._make_fields = fields
        self._dynamic = dynamic
        self._allows_extra = cls.model_config.get("extra") == "allow"
        self._private = bool(cls.__private_attributes__)
        self._fields: tuple[FieldForm, ...] | None = None
        self._names: set[str] = set()

    def fields(self) -> tuple[FieldForm, ...]:
        """The forms of the fields, in order."""
        if self._fields is None:
            self._fields = self._make_fields()
            self._names = {field.name for field in self._fields}
        return self._fields

    def encode(self, value: object) -> Tree:
        """The object of a model instance."""
        model = cast("pydantic.BaseModel", value)
        values = cast("dict[str, object]", model.__dict__)
        fields = self._fields or self.fields()
        try:
            tree: Members = {name: encode(values[name]) for name, encode, _ in fields}
        except KeyError:
            tree = {name: encode(values[name]) for name, encode, _ in fields if name in values}
        given = model.__pydantic_fields_set__
        if given != self._names:
            tree[_GIVEN] = [name for name, _, _ in fields if name in given] + sorted(given - self._names)
        extra = model.__pydantic_extra__
        if extra:
            tree[_EXTRA] = self._dynamic.encode(extra)
        if self._private:
            self._encode_private(model, tree)
        return tree

    def _encode_private(self, model: pydantic.BaseModel, tree: Members) -> None:
        private: dict[str, Any] | None = getattr(model, "__pydantic_private__", None)
        if private:
            tree[_PRIVATE] = self._dynamic.encode(private)

    def decode(self, tree: Tree) -> object:
        """The instance of an object."""
        members = _members(tree, self._cls)
        fields = self._fields or self.fields()
        values: dict[str, object]
        try:
            values = {name: decode(members[name]) for name, _, decode in fields}
        except KeyError:
            values = self._with_defaults(members)
        given = members.get(_GIVEN)
        extra: object = self._dynamic.decode(members[_EXTRA]) if _EXTRA in members else {}
        return rebuild_model(
            self._cls,
            values,
            self._names.copy() if given is None else set(cast("list[str]", given)),
            cast("dict[str, object]", extra) if self._allows_extra else None,
            self._decode_private(members) if self._private else None,
        )

    def _decode_private(self, members: Members) -> dict[str, object]:
        if _PRIVATE in members:
            return cast("dict[str, object]", self._dynamic.decode(members[_PRIVATE]))
        return private_defaults(self._cls)

    def _with_defaults(self, members: Members) -> dict[str, object]:
        values: dict[str, object] = {}
        for name, _, decode in self.fields():
            info = self._cls.__pydantic_fields__[name]
            if name in members:
                values[name] = decode(members[name])
            elif not info.is_required():
                values[name] = info.get_default(call_default_factory=True, validated_data=values)
        return values


@final
class DataclassForm:
    """A dataclass, plain or pydantic's; fields without a value (`init=False`, never set) are left out."""

    def __init__(self, cls: type, fields: Callable[[], tuple[FieldForm, ...]]) -> None:
        self._cls: type[Any] = cls
        self._make_fields = fields
        self._fields: tuple[FieldForm, ...] | None = None

    def fields(self) -> tuple[FieldForm, ...]:
        """The forms of the fields, in order."""
        if self._fields is None:
            self._fields = self._make_fields()
        return self._fields

    def encode(self, value: object) -> Tree:
        """The object of a dataclass instance."""
        fields = self._fields or self.fields()
        try:
            return {name: encode(getattr(value, name)) for name, encode, _ in fields}
        except AttributeError:
            return {name: encode(getattr(value, name)) for name, encode, _ in fields if hasattr(value, name)}

    def decode(self, tree: Tree) -> object:
        """The instance of an object."""
        members = _members(tree, self._cls)
        made: object = object.__new__(self._cls)
        for name, _, decode in self._fields or self.fields():
            if name in members:
                _set(made, name, decode(members[name]))
            else:
                self._set_default(made, name)
        return made

    def _set_default(self, made: object, name: str) -> None:
        (field,) = (item for item in dataclasses.fields(self._cls) if item.name == name)
        if isinstance(field.default, FieldInfo):  # a pydantic dataclass
            _set(made, name, field.default.get_default(call_default_factory=True, validated_data={}))
        elif field.default_factory is not dataclasses.MISSING:
            _set(made, name, field.default_factory())
        elif field.default is not dataclasses.MISSING:
            _set(made, name, field.default)


def _members(tree: Tree, cls: type) -> Members:
    if type(tree) is not dict:
        raise UnreadableValueError(class_path(cls), f"a {type(tree).__name__} stands where an object is expected")
    return cast("Members", tree)


@final
class EnumForm:
    """An enum member, by name; an unnamed combination of flags, by value."""

    def __init__(self, cls: type[enum.Enum], dynamic: Dynamic) -> None:
        self._cls = cls
        self._dynamic = dynamic
        self._members: dict[str, enum.Enum] = dict(cls.__members__)

    def encode(self, value: object) -> Tree:
        """The name of a member."""
        member = cast("enum.Enum", value)
        if self._members.get(member.name) is member:
            return member.name
        if isinstance(member, enum.Flag):
            return [self._dynamic.encode(member.value)]
        raise RefusedError(value, "it is no member of its enum")

    def decode(self, tree: Tree) -> object:
        """The member of a name."""
        if type(tree) is list:
            (value,) = cast("list[Tree]", tree)
            return self._cls(self._dynamic.decode(value))
        member = self._members.get(cast("str", tree))
        if member is None:
            raise UnreadableValueError(class_path(self._cls), f"it has no member `{tree}`")
        return member
