"""The state as a table of encoded top-level fields.

The table is the truth, in memory as on disk. A step gets a *view*: an instance of the author's class. When the step has
returned, the fields that differ from the table are its write set, and only they are validated, merged, logged and
stored. Reading runs none of the author's validators.

Two kinds of state exist: a pydantic model, and a plain dict (YAML without a model). Undeclared keys of a model that
allows them lie in the table under `+name`, the names that were ever assigned under `#given`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, cast, final

import orjson
import pydantic

from ruvon.ir.types import class_fields
from ruvon.ir.values import Codec, InvalidField, InvalidValueError, codec_for
from ruvon.ir.values._classes import rebuild_model
from ruvon.ir.values._table import ClassTable
from ruvon.ir.values._validate import invalid, validate
from ruvon.models import UndeclaredKeyError

__all__ = ["GIVEN", "DictState", "ModelState", "StateType", "Table", "state_type"]

Table = dict[str, bytes]
GIVEN: Final = "#given"


class StateType(Protocol):
    """How one state class is kept as a table."""

    @property
    def name(self) -> str:
        """The name of the class, for messages."""
        ...

    def initial(self, data: object) -> Table:
        """The table of validated initial data; `InvalidValueError` names what does not fit."""
        ...

    def view(self, table: Mapping[str, bytes]) -> Any:
        """An instance of the author's class with the values of the table, its own copy."""
        ...

    def changes(self, view: Any, table: Mapping[str, bytes]) -> Table:
        """The fields of the view that differ from the table, validated."""
        ...

    def entries(self, data: Mapping[str, object], table: Mapping[str, bytes], step: str, strict: bool) -> Table:
        """The table entries of a mapping that merges: declared keys, validated; others are left out or refused."""
        ...

    def assign(self, name: str, value: object, table: Mapping[str, bytes]) -> Table:
        """The table entries of the assignment `state.<name> = value`, validated."""
        ...

    def given(self, table: Mapping[str, bytes]) -> frozenset[str]:
        """The fields that were ever assigned."""
        ...

    def marked(self, writes: Table, table: Mapping[str, bytes]) -> Table:
        """The write set with the note that its fields are assigned now."""
        ...

    def decode(self, name: str, data: bytes) -> object:
        """The value of one field."""
        ...

    def as_dict(self, table: Mapping[str, bytes]) -> dict[str, object]:
        """All fields by name, decoded."""
        ...

    def fields_set(self, value: Any) -> dict[str, object]:
        """What of an instance of the state's class replaces fields when a step returns it."""
        ...

    def is_state(self, value: object) -> bool:
        """Whether a step's result is an instance of the state's class."""
        ...


def state_type(annotation: object, classes: ClassTable) -> "StateType | None":
    """How a state of this annotation is kept, or None where it cannot be a state."""
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return ModelState(annotation, classes)
    origin = getattr(annotation, "__origin__", annotation)
    return DictState(classes) if origin in (dict, object, Any) else None


@final
class ModelState:
    """A pydantic model."""

    def __init__(self, cls: type[pydantic.BaseModel], classes: ClassTable) -> None:
        self.cls = cls
        self.name = cls.__qualname__
        self._classes = classes
        self._dynamic = codec_for(object, classes)
        fields = class_fields(cls)
        self._annotations: dict[str, object] = {item.name: item.annotation for item in fields}
        self._codecs: dict[str, Codec] = {item.name: codec_for(item.annotation, classes) for item in fields}
        self._decoders: list[tuple[str, Callable[[bytes], object]]] = [
            (name, codec.decode) for name, codec in self._codecs.items()
        ]
        self._aliases: dict[str, str] = {
            info.alias: name for name, info in cls.__pydantic_fields__.items() if info.alias is not None
        }
        self._all = frozenset(self._codecs)
        self._extra = cls.model_config.get("extra") == "allow"
        self._whole = bool(cls.__pydantic_decorators__.model_validators)
        self._constrained_fields = {name: self._constrained(name) for name in self._codecs}

    def _constrained(self, name: str) -> bool:
        decorators = self.cls.__pydantic_decorators__
        named = [item.info.fields for item in (*decorators.field_validators.values(), *decorators.validators.values())]
        return any(name in fields or "*" in fields for fields in named) or bool(
            self.cls.__pydantic_fields__[name].metadata
        )

    def initial(self, data: object) -> Table:
        """The table of validated initial data."""
        if isinstance(data, self.cls):
            return self._table(data)
        try:
            return self._table(self.cls.model_validate(data))
        except pydantic.ValidationError as exc:
            raise invalid("state", exc, self.cls) from None

    def _table(self, model: pydantic.BaseModel) -> Table:
        values = model.__dict__
        table = {name: codec.encode(values[name], f"state.{name}") for name, codec in self._codecs.items()}
        for name, value in (model.__pydantic_extra__ or {}).items():
            table[f"+{name}"] = self._dynamic.encode(value, f"state.{name}")
        return table | self._mark(model.__pydantic_fields_set__)

    def _mark(self, names: set[str] | frozenset[str]) -> Table:
        if names >= self._all:
            return {GIVEN: b"true"}
        return {GIVEN: orjson.dumps([name for name in self._codecs if name in names])}

    def given(self, table: Mapping[str, bytes]) -> frozenset[str]:
        """The fields that were ever assigned."""
        found = table.get(GIVEN, b"true")
        return self._all if found == b"true" else frozenset(cast("list[str]", orjson.loads(found)))

    def view(self, table: Mapping[str, bytes]) -> Any:
        """An instance of the author's class with the values of the table."""
        try:
            values = {name: decode(table[name]) for name, decode in self._decoders}
        except KeyError:
            values = self._with_defaults(table)
        extra = {key[1:]: self._dynamic.decode(data) for key, data in table.items() if key[0] == "+"} if self._extra else None
        return rebuild_model(self.cls, values, set(self.given(table)), extra, self._private())

    def _private(self) -> dict[str, object] | None:
        found = self.cls.__private_attributes__
        return {name: item.get_default() for name, item in found.items()} if found else None

    def _with_defaults(self, table: Mapping[str, bytes]) -> dict[str, object]:
        values: dict[str, object] = {}
        for name, decode in self._decoders:
            info = self.cls.__pydantic_fields__[name]
            if name in table:
                values[name] = decode(table[name])
            elif not info.is_required():
                values[name] = info.get_default(call_default_factory=True, validated_data=values)
        return values

    def changes(self, view: Any, table: Mapping[str, bytes]) -> Table:
        """The fields of the view that differ from the table, validated."""
        values: dict[str, object] = view.__dict__
        found: Table = {}
        for name, codec in self._codecs.items():
            if name in values:
                data = codec.encode(values[name], f"state.{name}")
                if data != table.get(name):
                    found[name] = data
        if self._extra:
            found |= self._changed_extra(view, table)
        if not found:
            return found
        return self._validated({name: values[name] for name in found if name[0] != "+"}, table, found)

    def _changed_extra(self, view: Any, table: Mapping[str, bytes]) -> Table:
        extra = cast("dict[str, object]", view.__pydantic_extra__ or {})
        fresh = {f"+{name}": self._dynamic.encode(value, f"state.{name}") for name, value in extra.items()}
        return {name: data for name, data in fresh.items() if table.get(name) != data}

    def _validated(self, values: dict[str, object], table: Mapping[str, bytes], found: Table) -> Table:
        """The write set of these values, validated field by field, or as a whole where the model has such validators."""
        fitting = self._fit_whole(values, table) if self._whole else {k: self._fit(k, v) for k, v in values.items()}
        for name, value in fitting.items():
            if value is not values[name] or name not in found:
                found[name] = self._codecs[name].encode(value, f"state.{name}")
        given = self.given(table)
        if not given.issuperset(values):
            found |= self._mark(given | set(values))
        return found

    def _fit(self, name: str, value: object) -> object:
        if not self._constrained_fields[name]:
            return validate(self._annotations[name], value, f"state.{name}")
        probe = rebuild_model(self.cls, {}, set(), None, None)
        try:
            self.cls.__pydantic_validator__.validate_assignment(probe, name, value)
        except pydantic.ValidationError as exc:
            raise invalid("state", exc, self.cls) from None
        return cast("object", probe.__dict__[name])

    def _fit_whole(self, values: Mapping[str, object], table: Mapping[str, bytes]) -> dict[str, object]:
        current = self.view(table)
        everything = {**current.__dict__, **(current.__pydantic_extra__ or {}), **values}
        try:
            whole = self.cls.__pydantic_validator__.validate_python(everything, by_name=True, by_alias=False)
        except pydantic.ValidationError as exc:
            raise invalid("state", exc, self.cls) from None
        return {name: whole.__dict__[name] for name in values}

    def entries(self, data: Mapping[str, object], table: Mapping[str, bytes], step: str, strict: bool) -> Table:
        """The table entries of a mapping that merges."""
        values: dict[str, object] = {}
        found: Table = {}
        for key, value in data.items():
            name = key if key in self._codecs else self._aliases.get(key)
            if name is not None:
                values[name] = value
            elif self._extra:
                found[f"+{key}"] = self._dynamic.encode(value, f"state.{key}")
            elif strict:
                raise UndeclaredKeyError(step, key, self.name, tuple(self._codecs))
        return self._validated(values, table, found) if values else found

    def marked(self, writes: Table, table: Mapping[str, bytes]) -> Table:
        """The write set with the note that its fields are assigned now."""
        given = self.given(table)
        return writes if given.issuperset(writes) else writes | self._mark(given | set(writes))

    def assign(self, name: str, value: object, table: Mapping[str, bytes]) -> Table:
        """The table entries of one assignment."""
        if name not in self._codecs and not self._extra:
            raise InvalidValueError("state", [InvalidField(f"state.{name}", "is not a declared field")])
        return self.entries({name: value}, table, name, strict=True)

    def decode(self, name: str, data: bytes) -> object:
        """The value of one field."""
        codec = self._codecs.get(name)
        return codec.decode(data) if codec is not None else self._dynamic.decode(data)

    def as_dict(self, table: Mapping[str, bytes]) -> dict[str, object]:
        """All fields by name."""
        view = self.view(table)
        return {**view.__dict__, **(view.__pydantic_extra__ or {})}

    def fields_set(self, value: Any) -> dict[str, object]:
        """The fields that were set in a returned instance."""
        given = value.__pydantic_fields_set__
        return {name: item for name, item in value.__dict__.items() if name in given} | (value.__pydantic_extra__ or {})

    def is_state(self, value: object) -> bool:
        """Whether a result is an instance of the state's class."""
        return isinstance(value, self.cls)


@final
class DictState:
    """A plain dict: every key is a field, every value describes itself."""

    name = "dict"

    def __init__(self, classes: ClassTable) -> None:
        self._codec = codec_for(object, classes)

    def initial(self, data: object) -> Table:
        """The table of initial data."""
        if isinstance(data, pydantic.BaseModel):
            data = {name: getattr(data, name) for name in type(data).model_fields}
        if not isinstance(data, Mapping):
            raise InvalidValueError("state", [InvalidField("state", f"should be a mapping, given a {type(data).__name__}")])
        items = cast("Mapping[object, object]", data)
        return {str(key): self._codec.encode(value, f"state.{key}") for key, value in items.items()}

    def given(self, table: Mapping[str, bytes]) -> frozenset[str]:
        """Every key there is."""
        return frozenset(table)

    def view(self, table: Mapping[str, bytes]) -> Any:
        """A dict with the values of the table."""
        return {name: self._codec.decode(data) for name, data in table.items()}

    def changes(self, view: Any, table: Mapping[str, bytes]) -> Table:
        """The keys that differ."""
        items = cast("dict[str, object]", view)
        encoded = {name: self._codec.encode(value, f"state.{name}") for name, value in items.items()}
        return {name: data for name, data in encoded.items() if table.get(name) != data}

    def entries(self, data: Mapping[str, object], table: Mapping[str, bytes], step: str, strict: bool) -> Table:
        """The table entries of a mapping that merges."""
        return {str(name): self._codec.encode(value, f"state.{name}") for name, value in data.items()}

    def marked(self, writes: Table, table: Mapping[str, bytes]) -> Table:
        """The write set as it is."""
        return writes

    def assign(self, name: str, value: object, table: Mapping[str, bytes]) -> Table:
        """The table entry of one assignment."""
        return {name: self._codec.encode(value, f"state.{name}")}

    def decode(self, name: str, data: bytes) -> object:
        """The value of one key."""
        return self._codec.decode(data)

    def as_dict(self, table: Mapping[str, bytes]) -> dict[str, object]:
        """All keys."""
        return cast("dict[str, object]", self.view(table))

    def fields_set(self, value: Any) -> dict[str, object]:
        """A returned dict as it is."""
        return cast("dict[str, object]", dict(value))

    def is_state(self, value: object) -> bool:
        """A dict merges as a mapping anyway."""
        return False
