"""The part of JSON Schema that our own schema uses, checked directly; enough to hold the schema against real files."""

import re
from collections.abc import Mapping
from typing import Any

from ruvon_dsl.yaml._values import MappingNode, ScalarNode, SequenceNode, YamlNode

__all__ = ["fits", "plain"]

_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}


def plain(node: YamlNode) -> Any:
    """A node as the plain data an editor sees."""
    match node:
        case ScalarNode():
            return node.value
        case SequenceNode(items=items):
            return [plain(item) for item in items]
        case MappingNode(entries=entries):
            return {entry.key.text: plain(entry.value) for entry in entries}


def fits(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> bool:
    """Whether a value is valid under a schema."""
    if "$ref" in schema:
        return fits(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    return (
        _type(value, schema)
        and all(fits(value, part, root) for part in schema.get("allOf", ()))
        and ("anyOf" not in schema or any(fits(value, part, root) for part in schema["anyOf"]))
        and ("not" not in schema or not fits(value, schema["not"], root))
        and ("enum" not in schema or value in schema["enum"])
        and (not isinstance(value, dict) or _object(value, schema, root))
        and (not isinstance(value, list) or all(fits(item, schema.get("items", {}), root) for item in value))
        and (not isinstance(value, str) or re.search(schema.get("pattern", ""), value) is not None)
        and (isinstance(value, bool) or not isinstance(value, int | float) or value >= schema.get("minimum", value))
    )


def _type(value: Any, schema: Mapping[str, Any]) -> bool:
    names = schema.get("type")
    if names is None:
        return True
    listed = [names] if isinstance(names, str) else names
    return any(
        isinstance(value, _TYPES[name]) and not (isinstance(value, bool) and name in {"integer", "number"})
        for name in listed
    )


def _object(value: dict[str, Any], schema: Mapping[str, Any], root: Mapping[str, Any]) -> bool:
    properties = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    for name, item in value.items():
        if name in properties:
            if not fits(item, properties[name], root):
                return False
        elif others is False or (isinstance(others, dict) and not fits(item, others, root)):
            return False
    return all(name in value for name in schema.get("required", ()))
