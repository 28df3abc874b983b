"""The private subclass behind a state view.

A view is an instance of the author's class to everybody who asks (`isinstance`, `repr`, `==`, dumping, copying,
pickling), but its fields are decoded from the table of encoded fields when they are first touched. Pydantic keeps field
values in `__dict__` and calls `__getattr__` for what is not there yet; that is where the decoding happens, and
afterwards a field costs what it costs on any instance. Whoever asks for `__dict__` itself gets all fields.

The subclass is made past pydantic's metaclass: it has no fields of its own, so there is no schema to build.
"""

import abc
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, SupportsIndex, cast, final

import pydantic

from ruvon.ir.values._classes import private_defaults
from ruvon.ir.values._table import VIEW_OF

__all__ = ["ViewKind", "is_default_mark", "make_view_kind"]

_BASE: Final = vars(pydantic.BaseModel)
_raw: Final = cast("Callable[[object], dict[str, Any]]", _BASE["__dict__"].__get__)
_get_given: Final = _BASE["__pydantic_fields_set__"].__get__
_set_given: Final = _BASE["__pydantic_fields_set__"].__set__
_set_slot: Final = object.__setattr__
_DEFAULT_MARK: Final = 32


def is_default_mark(data: bytes) -> bool:
    """Whether an encoded field still has its default and was never assigned: it starts with a space."""
    return data[0] == _DEFAULT_MARK


@final
@dataclass(frozen=True, slots=True)
class ViewKind:
    """Everything about the views of one state class."""

    cls: type[pydantic.BaseModel]
    """The private subclass."""
    make: Callable[[Mapping[str, bytes]], pydantic.BaseModel]
    """A view of a table."""
    raw: Callable[[object], dict[str, Any]]
    """The fields decoded so far (of any model instance: its real `__dict__`)."""
    assigned: Callable[[object], set[str]]
    """The fields assigned so far."""
    undeclared: Callable[[object], dict[str, Any] | None]
    """The undeclared fields, or None while nobody asked for them."""


def make_view_kind(
    model: type[pydantic.BaseModel],
    decoders: Mapping[str, Callable[[bytes], object]],
    decode_extra: Callable[[bytes], object],
    assign: Callable[[pydantic.BaseModel, str, object], object],
    undeclared: Callable[[str], Exception],
) -> ViewKind:
    """The view class of a state class.

    Args:
        model: The author's class.
        decoders: Bytes to value, by field, in the order of declaration.
        decode_extra: Bytes to value of undeclared fields (`extra="allow"`).
        assign: What becomes of a value assigned to a field; it may refuse.
        undeclared: The error for an assignment to a name that is no field.
    """
    members = _Reading(model, decoders, decode_extra).members()
    members |= _assignment(model, decoders, assign, undeclared)
    members |= _standing_in(model)
    cls = _subclass(model, members)
    slots = vars(cls)
    set_table: Callable[[object, object], None] = slots["_ruvon_table"].__set__
    set_assigned: Callable[[object, object], None] = slots["_ruvon_assigned"].__set__
    eager = tuple(name for name in decoders if any(name in vars(base) for base in model.__mro__))
    new: Callable[[type[Any]], pydantic.BaseModel] = object.__new__
    new_set = cast("Callable[[], set[str]]", set)

    def make(table: Mapping[str, bytes]) -> pydantic.BaseModel:
        view = new(cls)
        set_table(view, table)
        set_assigned(view, new_set())
        for name in eager:  # names that the class has too, such as `copy`: found there before `__getattr__` is asked
            cls.__getattr__(view, name)
        return view

    extra: Callable[[object], Any] = _BASE["__pydantic_extra__"].__get__

    def extra_of(view: object) -> dict[str, Any] | None:
        try:
            return cast("dict[str, Any] | None", extra(view))
        except AttributeError:
            return None

    return ViewKind(cls, make, _raw, slots["_ruvon_assigned"].__get__, extra_of)


class _Donor(pydantic.BaseModel):
    """Lends its layout to a subclass that must come into being without its base noticing."""


def _subclass(model: type[pydantic.BaseModel], members: dict[str, Any]) -> type[Any]:
    """A subclass, made without pydantic's metaclass (which builds a schema) and without the author's hooks."""
    hooked = any("__init_subclass__" in vars(base) for base in model.__mro__ if base not in pydantic.BaseModel.__mro__)
    base = _Donor if hooked else model
    made = cast("type[Any]", abc.ABCMeta.__new__(type(model), model.__name__, (base,), members))
    if hooked:
        made.__bases__ = (model,)
    return made


@final
class _Reading:
    """Reading a view: single fields, all fields, and what pydantic keeps beside them."""

    def __init__(
        self,
        model: type[pydantic.BaseModel],
        decoders: Mapping[str, Callable[[bytes], object]],
        decode_extra: Callable[[bytes], object],
    ) -> None:
        self._model = model
        self._decoders = decoders
        self._decode_extra = decode_extra
        self._names = tuple(decoders)
        self._allows_extra = model.model_config.get("extra") == "allow"
        self._read = self._reader()

    def members(self) -> dict[str, Any]:
        """What the view class needs for it."""
        return {
            "__slots__": ("_ruvon_assigned", "_ruvon_table"),
            "__getattr__": self._read,
            "__dict__": property(self._all_fields, _BASE["__dict__"].__set__),
            "__pydantic_fields_set__": property(self._given, _set_given),
        }

    def _reader(self) -> Callable[[Any, str], Any]:
        """What is asked for an attribute that is not there yet."""
        decoders, raw, default, other = self._decoders, _raw, self._default, self._other

        def read(view: Any, name: str) -> Any:
            decode = decoders.get(name)
            if decode is None:
                return other(view, name)
            table: Mapping[str, bytes] = view._ruvon_table  # noqa: SLF001 - the view's own slot
            value = decode(table[name]) if name in table else default(view, name)
            raw(view)[name] = value
            return value

        return read

    def _default(self, view: object, name: str) -> object:
        """The value of a field that the table lacks, because the class has gained it."""
        info = self._model.__pydantic_fields__[name]
        if info.is_required():
            raise AttributeError(f"the stored state of `{self._model.__qualname__}` has no field `{name}`")
        return info.get_default(call_default_factory=True, validated_data=dict(_raw(view)))

    def _other(self, view: Any, name: str) -> Any:
        """What is no field: pydantic's slots, filled when first asked for, and what only the author's class knows."""
        match name:
            case "__pydantic_extra__":
                _set_slot(view, name, self._extra(view._ruvon_table))  # noqa: SLF001 - the view's own slot
            case "__pydantic_private__":
                has_some = bool(self._model.__private_attributes__)
                _set_slot(view, name, private_defaults(self._model) if has_some else None)
            case "_ruvon_table" | "_ruvon_assigned" | "__pydantic_fields_set__":
                raise AttributeError(name)
            case _:
                if self._allows_extra:
                    _ = view.__pydantic_extra__  # pydantic looks into the slot, which has to be filled by now
                return cast("Any", self._model).__getattr__(view, name)
        return object.__getattribute__(view, name)

    def _extra(self, table: Mapping[str, bytes]) -> dict[str, object] | None:
        if not self._allows_extra:
            return None
        return {name: self._decode_extra(data) for name, data in table.items() if name not in self._decoders}

    def _all_fields(self, view: Any) -> dict[str, Any]:
        """The real `__dict__`, with all fields in the order of declaration, whatever was touched first."""
        raw = _raw(view)
        if tuple(itertools.islice(raw, len(self._names))) == self._names:
            return raw
        have = dict(raw)
        table: Mapping[str, bytes] = view._ruvon_table  # noqa: SLF001 - the view's own slot
        raw.clear()
        for name in self._names:
            if name in have:
                raw[name] = have.pop(name)
            elif name in table or not self._model.__pydantic_fields__[name].is_required():
                self._read(view, name)
        raw.update(have)
        return raw

    def _given(self, view: Any) -> set[str]:
        try:
            found = cast("set[str]", _get_given(view))
        except AttributeError:
            table: Mapping[str, bytes] = view._ruvon_table  # noqa: SLF001 - the view's own slot
            found = {name for name, data in table.items() if not is_default_mark(data)}
            if not self._allows_extra:
                found &= self._decoders.keys()
            _set_given(view, found)
        found |= view._ruvon_assigned  # noqa: SLF001 - the view's own slot
        return found


def _assignment(
    model: type[pydantic.BaseModel],
    decoders: Mapping[str, Callable[[bytes], object]],
    assign: Callable[[pydantic.BaseModel, str, object], object],
    undeclared: Callable[[str], Exception],
) -> dict[str, Any]:
    """Writing: fields are kept in the view, everything else is refused or left to pydantic."""
    base: Any = model
    frozen = bool(model.model_config.get("frozen"))
    if model.__setattr__ is not pydantic.BaseModel.__setattr__:  # the author's own: it ends in pydantic's
        return {"__delattr__": _deletion(model, decoders)}
    open_names = frozenset(
        name for name, info in model.__pydantic_fields__.items() if name in decoders and not (frozen or info.frozen)
    )
    checked = bool(model.model_config.get("validate_assignment"))
    allows_extra = model.model_config.get("extra") == "allow"

    def write(self: Any, name: str, value: object) -> None:
        if name in open_names:
            _raw(self)[name] = assign(self, name, value) if checked else value
            self._ruvon_assigned.add(name)
        elif name in decoders or name[:1] == "_" or allows_extra or hasattr(model, name):
            base.__setattr__(self, name, value)
        else:
            raise undeclared(name)

    return {"__setattr__": write, "__delattr__": _deletion(model, decoders)}


def _deletion(
    model: type[pydantic.BaseModel], decoders: Mapping[str, Callable[[bytes], object]]
) -> Callable[[Any, str], None]:
    base: Any = model

    def delete(self: Any, name: str) -> None:
        if name in decoders or not (name[:1] == "_" or hasattr(model, name)):
            raise AttributeError(f"`{name}` is a field of the state and cannot be deleted; assign None instead")
        base.__delattr__(self, name)

    return delete


def _standing_in(model: type[pydantic.BaseModel]) -> dict[str, Any]:
    """What makes a view pass for an instance of the author's class: name, copies, pickles, `type(view)(...)`."""
    names = tuple(model.__pydantic_fields__)

    def plain(self: Any) -> Any:
        made = model.__new__(model)
        values = self.__dict__
        _set_slot(made, "__dict__", {name: values[name] for name in names if name in values})
        _set_slot(made, "__pydantic_fields_set__", set(self.__pydantic_fields_set__))
        _set_slot(made, "__pydantic_extra__", self.__pydantic_extra__)
        _set_slot(made, "__pydantic_private__", self.__pydantic_private__)
        return made

    def new(_: type[Any], *args: Any, **kwargs: Any) -> Any:
        return model(*args, **kwargs)

    def shallow(self: Any) -> Any:
        return plain(self).__copy__()

    def deep(self: Any, memo: dict[int, Any] | None = None) -> Any:
        return plain(self).__deepcopy__(memo)

    def reduced(self: Any, protocol: SupportsIndex) -> Any:
        return plain(self).__reduce_ex__(protocol)

    return {
        "__module__": model.__module__,
        "__qualname__": model.__qualname__,
        "__doc__": model.__doc__,
        "__new__": new,
        "__class__": property(lambda _: model),
        "__copy__": shallow,
        "__deepcopy__": deep,
        "__reduce_ex__": reduced,
        "model_construct": model.model_construct,
        VIEW_OF: model,
    }
