"""The JSON Schema (draft 2020-12) of the IR file form, derived from the node classes as the loader is."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from enum import Enum

from ruvon.ir._canonical import FORMAT, KINDS, is_expression_hint
from ruvon.ir._nodes import Action, Contract, Definition, WaitSource

__all__ = ["json_schema"]


def json_schema() -> dict[str, object]:
    """The schema of what `dump` writes: the digested `definition` in full, what stands `beside` it loosely."""
    definitions: dict[str, object] = {}
    contract = _of(Contract, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://ruvon.dev/schemas/definition-1.json",
        "title": "Ruvon definition",
        "type": "object",
        "required": ["format", "definition"],
        "additionalProperties": False,
        "properties": {
            "format": {"const": FORMAT},
            "digest": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "definition": _of(Definition, definitions),
            "beside": {
                "type": "object",
                "properties": {
                    "description": {"type": ["string", "null"]},
                    "owner": {"type": ["string", "null"]},
                    "tags": {"type": "array", "items": {"type": "string"}},
                    "contracts": {"type": "object", "additionalProperties": contract},
                    "schemas": {"type": "object"},
                    "display": {"type": "object"},
                },
            },
        },
        "$defs": dict(sorted(definitions.items())),
    }


def _of(hint: object, definitions: dict[str, object]) -> dict[str, object]:
    if is_expression_hint(hint):
        return {"type": "string", "description": "an expression in canonical text"}
    if hint in (Action, WaitSource):
        return {"oneOf": [_of(member, definitions) for member in typing.get_args(hint)]}
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        members = [arg for arg in args if arg is not type(None)]
        inner: dict[str, object] = (
            {"type": "string", "description": "an expression in canonical text"}
            if any(is_expression_hint(arg) for arg in (hint, typing.Union[tuple(members)]))  # noqa: UP007  # built at run time
            else _of(members[0], definitions)
        )
        return {"anyOf": [inner, {"type": "null"}]}
    if origin is tuple:
        return _array(args, definitions)
    if origin is typing.Literal:
        return {"enum": list(args)}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _of(args[1], definitions)}
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _reference(hint, definitions)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {"enum": [item.value for item in hint]}
    return {"type": _SCALARS[hint]} if isinstance(hint, type) and hint in _SCALARS else {}


_SCALARS: Mapping[type, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}


def _array(args: tuple[object, ...], definitions: dict[str, object]) -> dict[str, object]:
    if len(args) == 2 and args[1] is Ellipsis:
        return {"type": "array", "items": _of(args[0], definitions)}
    return {"type": "array", "prefixItems": [_of(arg, definitions) for arg in args], "minItems": len(args)}


def _reference(cls: type, definitions: dict[str, object]) -> dict[str, object]:
    name = cls.__name__
    if name not in definitions:
        definitions[name] = {}
        hints = typing.get_type_hints(cls)
        fields = [field for field in dataclasses.fields(cls) if field.compare]
        properties = {field.name: _of(hints[field.name], definitions) for field in fields}
        kind = {member: text for text, member in KINDS.items()}.get(cls)
        required = [field.name for field in fields if field.default is dataclasses.MISSING]
        if kind is not None:
            properties = {"kind": {"const": kind}, **properties}
            required = ["kind", *required]
        definitions[name] = {
            "type": "object",
            "description": (cls.__doc__ or "").strip().split("\n")[0],
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        }
    return {"$ref": f"#/$defs/{name}"}
