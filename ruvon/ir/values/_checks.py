"""Validation of single fields of a pydantic model, outside of an instance.

A write set holds a few fields of a large state. Validating the whole model for them would cost in proportion to the
state and would run validators again over fields that nobody touched, which changes them where a validator is not
idempotent (one that hashes a PIN). So the core schema that pydantic built for the class is taken apart: one validator
per field, with its constraints and field validators, and one for the class's own `mode="after"` validators.
"""

import difflib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias, cast, final

import pydantic
from pydantic_core import CoreConfig, CoreSchema, SchemaValidator

from ruvon.ir.types import UnresolvedTypeError, class_fields, class_path
from ruvon.ir.values._errors import InvalidField, InvalidValueError
from ruvon.ir.values._validate import invalid

__all__ = ["FieldCheck", "ModelChecks", "checks_of", "missing_field"]

Schema: TypeAlias = dict[str, Any]
_EXACT: Final[Mapping[str, type]] = {"int": int, "bool": bool, "str": str, "float": float, "bytes": bytes}
_HARMLESS: Final = frozenset({"type", "metadata", "serialization", "ref", "strict"})
_AUTHORS: Final = frozenset({"function-before", "function-after", "function-wrap", "function-plain", "json"})
_OWN_SCOPE: Final = frozenset({"model", "dataclass", "typed-dict", "definition-ref"})
_LAYERS: Final = frozenset({"function-before", "function-after", "function-wrap"})


@final
class FieldCheck:
    """Validates values of one field."""

    __slots__ = ("_annotation", "_by_model", "_schema", "_validator", "exact", "idempotent", "name")

    def __init__(self, name: str, annotation: object, schema: Schema, model: "_Parts") -> None:
        self.name = name
        self._annotation = annotation
        self.exact: type | None = _exact_type(schema, model.config)
        """Values of exactly this type are valid as they are; None where pydantic has to look."""
        parts = list(_scope(schema))
        self.idempotent: bool = not any(_is_authors(part) for part in parts)
        """Whether validating a valid value again cannot change it: no code of the author is involved."""
        self._by_model = any(part.get("type") == "with-info" for part in parts)
        wanted = model.fields_schema if self._by_model else schema
        self._schema = model.with_definitions(wanted)
        self._validator: SchemaValidator | None = None

    def validate(self, value: object, path: str, others: Callable[[], dict[str, object]]) -> object:
        """What the field makes of a value.

        Args:
            value: The value that wants to enter.
            path: What to call it in an error.
            others: Gives the model's other fields, for validators that look at them (`info.data`).

        Raises:
            InvalidValueError: The value does not fit.
        """
        if type(value) is self.exact:
            return value
        validator = self._validator
        if validator is None:
            validator = self._validator = self._schema()
        try:
            if self._by_model:
                made = cast("tuple[dict[str, object], ...]", validator.validate_assignment(others(), self.name, value))
                return made[0][self.name]
            return validator.validate_python(value)
        except pydantic.ValidationError as exc:
            raise invalid(path, exc, self._annotation, skip=int(self._by_model)) from None


@final
class ModelChecks:
    """The validators of one model class, taken apart."""

    def __init__(self, cls: type[pydantic.BaseModel]) -> None:
        fields = class_fields(cls)
        parts = _Parts(cls)
        self.cls = cls
        self.fields: dict[str, FieldCheck] = {
            field.name: FieldCheck(field.name, field.annotation, parts.field(field.name), parts) for field in fields
        }
        self._after = parts.after()

    @property
    def has_after(self) -> bool:
        """Whether the class has validators of `mode="after"` (or wrapping ones, which count as after)."""
        return self._after is not None

    def run_after(self, instance: object, path: str) -> object:
        """Run the class's own validators over an instance with valid fields; gives the instance they return.

        Raises:
            InvalidValueError: A validator refuses the instance.
        """
        if self._after is None:
            return instance
        try:
            return cast("object", self._after.validate_python(instance))
        except pydantic.ValidationError as exc:
            raise invalid(path, exc, self.cls) from None


_known: dict[type, ModelChecks] = {}


def checks_of(cls: type[pydantic.BaseModel]) -> ModelChecks:
    """The checks of a model class, made once."""
    found = _known.get(cls)
    if found is None:
        found = _known[cls] = ModelChecks(cls)
    return found


@final
class _Parts:
    """The core schema of a model, taken apart."""

    def __init__(self, cls: type[pydantic.BaseModel]) -> None:
        class_fields(cls)  # completes a class whose forward references were open
        schema = cast("Schema", cls.__pydantic_core_schema__)
        self._definitions: list[Schema] = schema["definitions"] if schema["type"] == "definitions" else []
        if schema["type"] == "definitions":
            schema = self._followed(schema["schema"])
        self._after: list[Schema] = []
        while schema["type"] in _LAYERS:
            if schema["type"] == "function-after":
                self._after.append(schema)
            schema = self._followed(schema["schema"])
        if schema["type"] != "model":
            raise UnresolvedTypeError(class_path(cls), "its own core schema")
        self.config: CoreConfig | None = schema.get("config")
        self.is_root: bool = bool(schema.get("root_model"))
        inner: Schema = schema["schema"]
        while not self.is_root and inner["type"] in _LAYERS:
            inner = self._followed(inner["schema"])
        self.fields_schema = inner

    def _followed(self, schema: Schema) -> Schema:
        while schema["type"] == "definition-ref":
            schema = next(item for item in self._definitions if item["ref"] == schema["schema_ref"])
        return schema

    def field(self, name: str) -> Schema:
        """The schema of one field."""
        return self.fields_schema if self.is_root else cast("Schema", self.fields_schema["fields"][name]["schema"])

    def with_definitions(self, schema: Schema) -> Callable[[], SchemaValidator]:
        """Makes the validator of a part."""
        whole = schema
        if self._definitions:
            whole = {"type": "definitions", "schema": schema, "definitions": self._definitions}
        config = self.config
        return lambda: SchemaValidator(cast("CoreSchema", whole), config)

    def after(self) -> SchemaValidator | None:
        """The `mode="after"` validators of the class, around nothing."""
        if not self._after:
            return None
        schema: Schema = {"type": "any"}
        for layer in reversed(self._after):
            schema = {"type": "function-after", "function": layer["function"], "schema": schema}
        return SchemaValidator(cast("CoreSchema", schema), self.config)


def _exact_type(schema: Schema, config: CoreConfig | None) -> type | None:
    """The type whose values pydantic would pass unchanged and unchecked."""
    while schema["type"] in {"default", "nullable"}:
        schema = schema["schema"]
    if not _HARMLESS.issuperset(schema):
        return None
    settings = cast("Mapping[str, object]", config or {})
    touches_text = any(name.startswith("str_") or name == "allow_inf_nan" for name in settings)
    return None if touches_text else _EXACT.get(schema["type"])


def _scope(schema: object) -> Iterator[Schema]:
    """All parts of a field's schema that work on the field itself, not those of nested classes."""
    if isinstance(schema, list | tuple):
        for item in cast("list[object]", schema):
            yield from _scope(item)
    if not isinstance(schema, dict):
        return
    part = cast("Schema", schema)
    if part.get("type") in _OWN_SCOPE:
        return
    yield part
    for key, item in part.items():
        if key not in {"metadata", "serialization", "default", "cls"}:
            yield from _scope(item)


def _is_authors(part: Schema) -> bool:
    """Whether a part runs code that may not be idempotent: a function that is not one of pydantic's own."""
    if part.get("type") not in _AUTHORS:
        return False
    function: object = part.get("function")
    called: object = cast("Schema", function).get("function") if isinstance(function, dict) else function
    return not str(getattr(called, "__module__", "")).startswith("pydantic.")


def missing_field(path: str, name: str, known: Mapping[str, object], owner: str) -> InvalidValueError:
    """The error for a field that the class does not have, with the nearest name it has."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean `{near[0]}`?" if near else ""
    return InvalidValueError(path, [InvalidField(f"{path}.{name}", f"is not a declared field of `{owner}`{hint}")])
