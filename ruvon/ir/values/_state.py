"""The state of a workflow: a table of encoded top-level fields, and the instances made of it.

The encoded fields are the truth. A step gets a view (`StateCodec.view`), and what it did is found by encoding the
fields it touched (`write_set`); only those that differ are validated, once, and become the write set. A field whose
bytes start with a space still has its default and was never assigned: the space is no part of the value and ends with
the first write, so that "assigned before" can be told from "has a default" without anything beside the fields.
"""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from operator import is_
from typing import Any, Final, NamedTuple, cast, final

import orjson
import pydantic

from ruvon.ir.types import class_fields
from ruvon.ir.values._checks import ModelChecks, checks_of, missing_field
from ruvon.ir.values._classes import rebuild_model
from ruvon.ir.values._codec import Codec, codec_for
from ruvon.ir.values._dynamic import RefusedError
from ruvon.ir.values._errors import InvalidField, InvalidValueError
from ruvon.ir.values._recheck import MISSING, may_hold_models, recheck
from ruvon.ir.values._scalars import Tree
from ruvon.ir.values._secrets import Json, mask
from ruvon.ir.values._table import VIEW_OF
from ruvon.ir.values._validate import invalid
from ruvon.ir.values._view import ViewKind, is_default_mark, make_view_kind

__all__ = ["Merge", "StateCodec", "StateReader", "is_default"]

_DEFAULT_MARK: Final = b" "
_NO_NAMES: Final[frozenset[str]] = frozenset()


def is_default(data: bytes) -> bool:
    """Whether an encoded field still has its default and was never assigned."""
    return is_default_mark(data)


@final
@dataclass(frozen=True, slots=True)
class Merge:
    """What comes of merging values into the state."""

    changed: dict[str, bytes]
    """The write set: encoded fields that differ from before."""
    undeclared: dict[str, object]
    """Keys that are no fields of the state's class, with their values as given."""


@final
class StateReader:
    """Read access to a state for expressions: fields, `extra` fields and computed fields, decoded once, never written.

    Nobody may change what it hands out.
    """

    __slots__ = ("_cache", "_view")

    def __init__(self, view: pydantic.BaseModel) -> None:
        object.__setattr__(self, "_view", view)
        object.__setattr__(self, "_cache", {})

    def __getattr__(self, name: str) -> Any:
        cache = cast("dict[str, Any]", object.__getattribute__(self, "_cache"))
        if name not in cache:
            cache[name] = getattr(object.__getattribute__(self, "_view"), name)
        return cache[name]

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"`{name}` cannot be set: expressions only read the state")


@final
class StateCodec:
    """Everything the engine does with the state of one class. Loop and thread safe; make one per class and keep it."""

    def __init__(self, model: type[pydantic.BaseModel], classes: Mapping[str, type], path: str = "state") -> None:
        """Compile the codecs of all fields.

        Args:
            model: The author's state class.
            classes: The definition's class table.
            path: What to call the state in errors.
        """
        self.model = model
        self.path = path
        self.codecs: dict[str, Codec] = {item.name: codec_for(item.annotation, classes) for item in class_fields(model)}
        self._encoders: dict[str, Callable[[object], Tree]] = {n: c.encode_tree for n, c in self.codecs.items()}
        self._deep = frozenset(item.name for item in class_fields(model) if may_hold_models(item.annotation))
        self._any = codec_for(object, classes)
        self._checks: ModelChecks = checks_of(model)
        self._allows_extra = model.model_config.get("extra") == "allow"
        self._checks_assignments = bool(model.model_config.get("validate_assignment"))
        self._kind: ViewKind = make_view_kind(
            model,
            {name: codec.decode for name, codec in self.codecs.items()},
            self._any.decode,
            self._assign,
            self._undeclared,
        )
        self.view: Callable[[Mapping[str, bytes]], pydantic.BaseModel] = self._kind.make
        """A view of a table: an instance of the author's class whose fields are decoded when touched.

        The table must not change while the view is used; a write set is merged into a new one.
        """

    def initial(self, data: object) -> dict[str, bytes]:
        """The table of a new state, in the order of declaration.

        Args:
            data: A mapping, by field names or aliases, validated here; or an instance, which is valid already.

        Raises:
            InvalidValueError: The data do not fit the class.
            NotStorableError: A field holds what cannot be stored.
        """
        return self._encode_instance(self._validated(data))

    def _validated(self, data: object) -> pydantic.BaseModel:
        if isinstance(data, pydantic.BaseModel) and getattr(type(data), VIEW_OF, type(data)) is self.model:
            return data
        if isinstance(data, self.model):
            reason = f"is a `{type(data).__qualname__}`, but the workflow declares its state as `{self._owner}`"
            raise InvalidValueError(self.path, [InvalidField(self.path, reason)])
        try:
            return self.model.model_validate(data, by_alias=True, by_name=True)
        except pydantic.ValidationError as exc:
            raise invalid(self.path, exc, self.model) from None

    @property
    def _owner(self) -> str:
        return self.model.__qualname__

    def _encode_instance(self, instance: pydantic.BaseModel) -> dict[str, bytes]:
        values = cast("dict[str, object]", instance.__dict__)
        given = instance.__pydantic_fields_set__
        table: dict[str, bytes] = {}
        for name in self.codecs:
            if name in values:
                data = self._encode(name, values[name])
                table[name] = data if name in given else _DEFAULT_MARK + data
        for name, value in (instance.__pydantic_extra__ or {}).items():
            table[name] = self._encode(name, value)
        return table

    def _encode(self, name: str, value: object) -> bytes:
        return self.codecs.get(name, self._any).encode(value, f"{self.path}.{name}")

    def decode(self, fields: Mapping[str, bytes]) -> pydantic.BaseModel:
        """A plain instance of the author's class, independent of the table."""
        return rebuild_model(
            self.model,
            dict(self.view(fields).__dict__),
            {name for name, data in fields.items() if self._is_field(name) and not is_default(data)},
            {name: self._any.decode(fields[name]) for name in fields if name not in self.codecs}
            if self._allows_extra
            else None,
            self.view(fields).__pydantic_private__,
        )

    def _is_field(self, name: str) -> bool:
        return name in self.codecs or self._allows_extra

    def plain_dict(self, fields: Mapping[str, bytes]) -> dict[str, object]:
        """A plain dict of the decoded fields, for functions that annotate `state: dict`."""
        found: dict[str, object] = {n: c.decode(fields[n]) for n, c in self.codecs.items() if n in fields}
        if self._allows_extra:
            found |= {name: self._any.decode(data) for name, data in fields.items() if name not in self.codecs}
        return found

    def reader(self, fields: Mapping[str, bytes]) -> StateReader:
        """Read access for expressions, with one cached decode per field."""
        return StateReader(self.view(fields))

    def masked(self, fields: Mapping[str, bytes]) -> Json:
        """A JSON-able form of the state for logs and answers, secrets masked."""
        return mask(self.view(fields))

    def write_set(self, state: object, before: Mapping[str, bytes]) -> dict[str, bytes]:
        """The encoded fields that a step changed, validated.

        Only touched fields are encoded, and only those that differ from `before` are validated, each against its
        declaration; then the class's own `mode="after"` validators run, where it has some.

        Args:
            state: What the step worked on: a view, a dict from `plain_dict`, or an instance of the class.
            before: The table that it was made from.

        Raises:
            InvalidValueError: A changed field does not fit; nothing was changed.
            NotStorableError: A field holds what cannot be stored.
        """
        changes, extra = self._changes(state, before)
        return self._finish(before, changes, extra) if changes or extra else {}

    def merge(self, before: Mapping[str, bytes], updates: Mapping[str, object]) -> Merge:
        """The write set of merging a returned mapping; keys that are no fields are handed back.

        Raises:
            InvalidValueError: A value does not fit its field; nothing was changed.
            NotStorableError: A value cannot be stored.
        """
        return self.apply(None, before, updates)

    def apply(self, state: object, before: Mapping[str, bytes], updates: Mapping[str, object]) -> Merge:
        """`write_set` and `merge` in one, validated together: a step's changes, then the keys it returned.

        Args:
            state: What the step worked on, or None.
            before: The table from which it was made.
            updates: The mapping that the step returned; it wins over the step's own changes.

        Raises:
            InvalidValueError: A value does not fit its field; nothing was changed.
            NotStorableError: A value cannot be stored.
        """
        changes, extra = self._changes(state, before, updates) if state is not None else ({}, {})
        undeclared: dict[str, object] = {}
        for name, value in updates.items():
            if name in self.codecs:
                changes.pop(name, None)
                self._note(changes, before, name, value, assigned=True)
            elif self._allows_extra:
                extra[name] = self._encode(name, value)
            else:
                undeclared[name] = value
        changed = self._finish(before, changes, extra) if changes or extra else {}
        return Merge(changed, undeclared)

    def merge_instance(self, before: Mapping[str, bytes], instance: pydantic.BaseModel) -> dict[str, bytes]:
        """The write set of a returned instance of the state's class: the fields set in it, valid as they are."""
        if type(instance) is self._kind.cls:
            return self.write_set(instance, before)
        given = instance.__pydantic_fields_set__
        table = {name: data for name, data in self._encode_instance(instance).items() if name in given}
        return {name: data for name, data in table.items() if before.get(name) != data}

    def _changes(
        self, state: object, before: Mapping[str, bytes], updates: Container[str] = _NO_NAMES
    ) -> tuple[dict[str, "_Change"], dict[str, bytes]]:
        changes: dict[str, _Change] = {}
        if type(state) is self._kind.cls:
            undeclared = self._kind.undeclared(state) if self._allows_extra else None
            return self._view_changes(state, before, updates), self._undeclared_changes(undeclared, before)
        if isinstance(state, dict):
            return self._dict_changes(cast("dict[str, object]", state), before)
        instance = cast("pydantic.BaseModel", state)
        for name, value in instance.__dict__.items():
            if name in self.codecs:
                self._note(changes, before, name, value, assigned=False)
        return changes, self._undeclared_changes(instance.__pydantic_extra__, before)

    def _view_changes(self, view: object, before: Mapping[str, bytes], updates: Container[str]) -> dict[str, "_Change"]:
        """The hot path: two touched scalars of any state cost about a microsecond here; what `updates` sets, nothing."""
        changes: dict[str, _Change] = {}
        assigned = self._kind.assigned(view)
        valid = assigned if self._checks_assignments else _NO_NAMES
        dumps, encoders, old = orjson.dumps, self._encoders, before.get
        for name, value in self._kind.raw(view).items():
            encode = encoders.get(name)
            if encode is None or name in updates:
                continue
            try:
                data = dumps(encode(value))
            except (RefusedError, TypeError, RecursionError):
                changes[name] = _Change(value, None, name in valid)
                continue
            was = old(name)
            if data == was:
                continue
            if was is None or name in assigned or was != _DEFAULT_MARK + data:
                changes[name] = _Change(value, data, name in valid)
        return changes

    def _dict_changes(
        self, state: dict[str, object], before: Mapping[str, bytes]
    ) -> tuple[dict[str, "_Change"], dict[str, bytes]]:
        changes: dict[str, _Change] = {}
        extra: dict[str, object] = {}
        for name in before:
            if self._is_field(name) and name not in state:
                reason = "was deleted from the state, which keeps all its fields; assign None instead"
                raise InvalidValueError(self.path, [InvalidField(f"{self.path}.{name}", reason)])
        for name, value in state.items():
            if name in self.codecs:
                self._note(changes, before, name, value, assigned=False)
            elif self._allows_extra:
                extra[name] = value
            else:
                raise self._undeclared(name)
        return changes, self._undeclared_changes(extra, before)

    def _note(
        self, changes: dict[str, "_Change"], before: Mapping[str, bytes], name: str, value: object, *, assigned: bool
    ) -> None:
        """Enter a field among the changes if its bytes differ from before."""
        try:
            data: bytes | None = orjson.dumps(self._encoders[name](value))
        except (RefusedError, TypeError, RecursionError):
            data = None  # validation may still make something storable of it, such as a list of a generator
        was = before.get(name)
        if data is None or was is None or (data != was and (assigned or was != _DEFAULT_MARK + data)):
            changes[name] = _Change(value, data, is_valid=False)

    def _undeclared_changes(self, extra: Mapping[str, object] | None, before: Mapping[str, bytes]) -> dict[str, bytes]:
        if not extra:
            return {}
        table = {name: self._encode(name, value) for name, value in extra.items()}
        return {name: data for name, data in table.items() if before.get(name) != data}

    def _finish(
        self, before: Mapping[str, bytes], changes: Mapping[str, "_Change"], extra: Mapping[str, bytes]
    ) -> dict[str, bytes]:
        """Validate and encode the changes; all misfits are reported together."""
        changed: dict[str, bytes] = {}
        misfits: list[InvalidField] = []
        for name, change in changes.items():
            if change.data is not None and type(change.value) is self._checks.fields[name].exact:
                changed[name] = change.data
                continue
            try:
                changed[name] = self._validate(before, name, change, changes)
            except InvalidValueError as exc:
                misfits.extend(exc.fields)
        if misfits:
            raise InvalidValueError(self.path, misfits)
        changed.update(extra)
        return self._after(before, changed) if self._checks.has_after else changed

    def _validate(
        self, before: Mapping[str, bytes], name: str, change: "_Change", changes: Mapping[str, "_Change"]
    ) -> bytes:
        check, where = self._checks.fields[name], f"{self.path}.{name}"
        value = change.value
        if check.idempotent or not change.is_valid:
            value = check.validate(value, where, lambda: self._others(before, name, changes))
        data = change.data if _holds_the_same(value, change.value) else None
        if data is None:
            data = self._encode(name, value)
        if name in self._deep:
            was = orjson.loads(before[name]) if name in before else MISSING
            if recheck(value, orjson.loads(data), was, where):
                data = self._encode(name, value)
        return data

    def _others(self, before: Mapping[str, bytes], name: str, changes: Mapping[str, "_Change"]) -> dict[str, object]:
        """The fields that a validator of the field `name` may look at."""
        values = self.plain_dict(before) | {key: change.value for key, change in changes.items()}
        values.pop(name, None)
        return values

    def _after(self, before: Mapping[str, bytes], changed: dict[str, bytes]) -> dict[str, bytes]:
        """Run the class's validators over the new state; what they change in turn joins the write set."""
        table = {**before, **changed}
        view = self.view(table)
        result = self._checks.run_after(view, self.path)
        changes, extra = self._changes(result, table)
        return changed | {name: self._encode(name, change.value) for name, change in changes.items()} | extra

    def _assign(self, view: pydantic.BaseModel, name: str, value: object) -> object:
        """An assignment in a class with `validate_assignment`."""
        path = f"{self.path}.{name}"
        return self._checks.fields[name].validate(value, path, lambda: _without(view.__dict__, name))

    def _undeclared(self, name: str) -> InvalidValueError:
        return missing_field(self.path, name, self.codecs, self._owner)


class _Change(NamedTuple):
    """A field that differs from before."""

    value: object
    data: bytes | None
    """Its bytes, if it could be encoded as it is."""
    is_valid: bool
    """Whether it was validated when it was assigned."""


def _holds_the_same(value: object, given: object) -> bool:
    """Whether validation passed everything through: the same object, or a new list of the same objects."""
    if value is given:
        return True
    if type(value) is not list or type(given) is not list:
        return False
    ours, theirs = cast("list[object]", value), cast("list[object]", given)
    return len(ours) == len(theirs) and all(map(is_, ours, theirs))


def _without(values: Mapping[str, object], name: str) -> dict[str, object]:
    return {key: item for key, item in values.items() if key != name}
