"""The state of a local run: one object that the body holds, and a layer behind it for each branch.

A layer is a table of encoded fields, as in the engine, and the live values that the body reads. The body's object is an
instance of a private subclass of the author's class, so `isinstance` and closures keep working; before each slice of a
branch its layer is put behind the object, so branches that run concurrently do not see each other's writes. Assignments
are validated at once; changes inside a field (`state.notes.append(x)`) are found and validated when the body next awaits
something. Steps get the engine's own views.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Protocol, TypeAlias, cast, final

from pydantic import BaseModel

from ruvon.authoring._declarations import resolved_hints
from ruvon.authoring._step import Step
from ruvon.ir.types import class_kind
from ruvon.ir.values import ClassTable, class_table, codec_for, is_default
from ruvon.ir.values._classes import rebuild_model
from ruvon.ir.values._state import Merge, StateCodec
from ruvon.ir.values._table import VIEW_OF, text_key

__all__ = ["DictForm", "Layer", "ModelForm", "StateForm", "Table", "classes_of", "form_of"]

_set: Final = object.__setattr__
Table: TypeAlias = dict[str, bytes]


@final
@dataclass(slots=True)
class Layer:
    """The state as one branch sees it."""

    form: "StateForm"
    table: Table
    """The encoded fields: the truth."""
    values: dict[str, Any]
    """The live values that the body reads and may change inside."""

    @classmethod
    def of(cls, form: "StateForm", table: Mapping[str, bytes]) -> "Layer":
        """A layer with these encoded fields."""
        return cls(form, dict(table), form.values(table))

    def fork(self) -> "Layer":
        """A layer of its own with the same fields."""
        return Layer.of(self.form, self.table)

    def write(self, changed: Mapping[str, bytes]) -> None:
        """Take over encoded fields that are valid."""
        if changed:
            self.table.update(changed)
            fresh = self.form.values(self.table)
            for name in changed:
                self.values[name] = fresh[name]

    def assign(self, name: str, value: object) -> None:
        """Assign a field; raises `InvalidValueError`, and changes nothing, where the value does not fit."""
        self.settle()
        self.write(self.form.apply(None, self.table, {name: value}).changed)

    def settle(self) -> None:
        """Validate what changed inside fields since the last time.

        Raises:
            InvalidValueError: such a change does not fit; all of them are taken back.
        """
        try:
            changed = self.form.apply(self.form.held(self.values), self.table, {}).changed
        except ValueError:
            self.values.clear()
            self.values.update(self.form.values(self.table))
            raise
        self.write(changed)

    def snapshot(self) -> Any:
        """The state as a plain instance of the author's class, independent of the layer."""
        return self.form.snapshot(self.table)


class StateForm(Protocol):
    """What differs between kinds of state: a model, or a plain dict."""

    @property
    def name(self) -> str:
        """What the state's class is called in errors."""
        ...

    @property
    def fields(self) -> tuple[str, ...]:
        """The declared fields."""
        ...

    def initial(self, state: object) -> Table:
        """The encoded fields of a new state, validated."""
        ...

    def values(self, table: Mapping[str, bytes]) -> dict[str, Any]:
        """The decoded fields."""
        ...

    def held(self, values: dict[str, Any]) -> object:
        """An instance that holds these very values."""
        ...

    def body_object(self) -> Any:
        """The object that the body holds."""
        ...

    def show(self, body: Any, layer: Layer) -> None:
        """Put a layer behind the body's object."""
        ...

    def argument(self, table: Mapping[str, bytes], *, as_dict: bool) -> Any:
        """What a step is given as `state`."""
        ...

    def apply(self, state: object, table: Mapping[str, bytes], updates: Mapping[str, object]) -> Merge:
        """The write set of a step's own changes and of the keys it returned, validated together."""
        ...

    def given(self, table: Mapping[str, bytes]) -> frozenset[str]:
        """The fields that were ever assigned."""
        ...

    def merge_instance(self, table: Mapping[str, bytes], instance: Any) -> Table:
        """The write set of a returned instance of the state's class."""
        ...

    def snapshot(self, table: Mapping[str, bytes]) -> Any:
        """A plain instance of the author's class."""
        ...


@final
class ModelForm:
    """A pydantic model as the state."""

    def __init__(self, cls: type[BaseModel], classes: ClassTable) -> None:
        self.name = cls.__name__
        self.fields = tuple(cls.__pydantic_fields__)
        self._cls = cls
        self._codec = StateCodec(cls, classes)
        self._body_class = _body_class(cls)

    def initial(self, state: object) -> Table:
        """The encoded fields of a new state, validated."""
        return self._codec.initial(state)

    def values(self, table: Mapping[str, bytes]) -> dict[str, Any]:
        """The decoded fields."""
        return self._codec.plain_dict(table)

    def held(self, values: dict[str, Any]) -> object:
        """An instance that holds these very values."""
        declared = {name: value for name, value in values.items() if name in self._cls.__pydantic_fields__}
        extra = {name: value for name, value in values.items() if name not in self._cls.__pydantic_fields__}
        return rebuild_model(self._cls, declared, set(declared), extra, None)

    def body_object(self) -> Any:
        """The object that the body holds."""
        return rebuild_model(self._body_class, {}, set(), None, None)

    def show(self, body: Any, layer: Layer) -> None:
        """Put a layer behind the body's object."""
        _set(body, "__ruvon_layer__", layer)
        if len(layer.values) == len(self.fields):
            _set(body, "__dict__", layer.values)
        else:
            declared = {name: layer.values[name] for name in self.fields if name in layer.values}
            _set(body, "__dict__", declared)
            extra = {name: value for name, value in layer.values.items() if name not in declared}
            _set(body, "__pydantic_extra__", extra)
        _set(body, "__pydantic_fields_set__", {name for name, data in layer.table.items() if not data[:1].isspace()})

    def argument(self, table: Mapping[str, bytes], *, as_dict: bool) -> Any:
        """What a step is given as `state`: the engine's view, or a plain dict."""
        return self._codec.plain_dict(table) if as_dict else self._codec.view(table)

    def apply(self, state: object, table: Mapping[str, bytes], updates: Mapping[str, object]) -> Merge:
        """The write set of a step's own changes and of the keys it returned, validated together."""
        return self._codec.apply(state, table, updates)

    def given(self, table: Mapping[str, bytes]) -> frozenset[str]:
        """The fields that are not at their default any more."""
        return frozenset(name for name, data in table.items() if not is_default(data))

    def merge_instance(self, table: Mapping[str, bytes], instance: Any) -> Table:
        """The write set of a returned instance of the state's class."""
        return self._codec.merge_instance(table, instance)

    def snapshot(self, table: Mapping[str, bytes]) -> Any:
        """A plain instance of the author's class."""
        return self._codec.decode(table)


@final
class DictForm:
    """A plain dict as the state; any key is a field, and nothing is validated."""

    name = "dict"
    fields: tuple[str, ...] = ()

    def __init__(self, classes: ClassTable) -> None:
        self._codec = codec_for(object, classes)

    def initial(self, state: object) -> Table:
        """The encoded keys of a new state."""
        given = cast("dict[str, object]", state)
        return {name: self._codec.encode(value, f"state[{name!r}]") for name, value in given.items()}

    def values(self, table: Mapping[str, bytes]) -> dict[str, Any]:
        """The decoded keys."""
        return {name: self._codec.decode(data) for name, data in table.items()}

    def held(self, values: dict[str, Any]) -> object:
        """The very values."""
        return values

    def body_object(self) -> Any:
        """The object that the body holds."""
        return _BodyDict()

    def show(self, body: Any, layer: Layer) -> None:
        """Put a layer behind the body's object."""
        body.use(layer)

    def argument(self, table: Mapping[str, bytes], *, as_dict: bool) -> Any:
        """What a step is given as `state`."""
        return self.values(table)

    def apply(self, state: object, table: Mapping[str, bytes], updates: Mapping[str, object]) -> Merge:
        """The write set of a step's own changes and of the keys it returned."""
        new = {**self.initial(state or {}), **self.initial(updates)}
        return Merge({name: data for name, data in new.items() if table.get(name) != data}, {})

    def given(self, table: Mapping[str, bytes]) -> frozenset[str]:
        """Every key there is."""
        return frozenset(table)

    def merge_instance(self, table: Mapping[str, bytes], instance: Any) -> Table:
        """The write set of a returned dict."""
        return self.apply(None, table, instance).changed

    def snapshot(self, table: Mapping[str, bytes]) -> Any:
        """A plain dict."""
        return self.values(table)


@final
class _BodyDict(dict[str, Any]):
    """The body's dict: its content is exchanged before each slice, and what is written goes to the layer."""

    _layer: Layer
    __ruvon_view_of__ = dict

    def use(self, layer: Layer) -> None:
        """Show another layer."""
        self._layer = layer
        super().clear()
        super().update(layer.values)

    def __setitem__(self, key: str, value: Any) -> None:
        self._layer.assign(text_key(key), value)
        super().__setitem__(key, self._layer.values[key])

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Assign several keys."""
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Assign a key that is not there."""
        if key not in self:
            self[key] = default
        return self[key]


@lru_cache(maxsize=512)
def _body_class(cls: type[BaseModel]) -> type[BaseModel]:
    """The private subclass behind a body's object: same name, same class to whoever asks, validated assignment.

    It is made without pydantic's metaclass machinery, which would collect the fields anew.
    """

    def assign(self: Any, name: str, value: Any) -> None:
        if name not in cls.__pydantic_fields__ and cls.model_config.get("extra") != "allow":
            raise AttributeError(f"`{cls.__name__}` has no field `{name}`; declare it in the class")
        layer: Layer = self.__ruvon_layer__
        layer.assign(name, value)
        layer.form.show(self, layer)

    namespace = {
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "__doc__": cls.__doc__,
        "__slots__": ("__ruvon_layer__",),
        "__setattr__": assign,
        "__class__": property(lambda _: cls),
        VIEW_OF: cls,
    }
    return type.__new__(type(cls), cls.__name__, (cls,), namespace)


_FORMS: Final[dict[tuple[object, int], tuple[ClassTable, StateForm]]] = {}
_MOST_FORMS: Final = 512


def form_of(cls: Any, classes: ClassTable) -> StateForm:
    """The form of a state class; anything that is no model is a plain dict."""
    key = (cls, id(classes))
    known = _FORMS.get(key)
    if known is None:
        if len(_FORMS) >= _MOST_FORMS:
            _FORMS.clear()
        is_model = class_kind(cls) == "model"
        form: StateForm = ModelForm(cls, classes) if is_model else DictForm(classes)
        known = _FORMS[key] = (classes, form)  # the table is kept, so that its id stays its own
    return known[1]


_TABLES: Final[dict[frozenset[object], ClassTable]] = {}


def classes_of(state: object, result: object, names: Mapping[str, object]) -> ClassTable:
    """The classes that values of a run may be of: those of state and result, and those its module knows."""
    found = frozenset(item for item in (state, result, *_known(names)) if _hashable(item))
    table = _TABLES.get(found)
    if table is None:
        if len(_TABLES) >= _MOST_FORMS:
            _TABLES.clear()
        table = _TABLES[found] = ClassTable(class_table(found), is_open=True)
    return table


def _known(names: Mapping[str, object]) -> Iterable[object]:
    for item in list(names.values()):
        if isinstance(item, Step):
            yield from resolved_hints(item.__ruvon_step__.function).values()
        elif isinstance(item, type) and item is not BaseModel and class_kind(item) in {"model", "dataclass", "enum"}:
            yield item


def _hashable(item: object) -> bool:
    try:
        hash(item)
    except TypeError:
        return False
    return True
