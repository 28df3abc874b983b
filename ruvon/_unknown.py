"""Keys of given data that no field takes: they would be dropped without a word."""

import difflib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from ruvon._described import resolved

if TYPE_CHECKING:
    from ruvon.ir import Definition

__all__ = ["unknown_fields"]

Schema = Mapping[str, Any]


def unknown_fields(definition: "Definition", type_name: str | None, data: object) -> list[str]:
    """A sentence for each key of data that its class has no field for.

    Args:
        definition: the workflow, which knows its classes.
        type_name: the class that the data is for; None where anything goes.
        data: what was given.
    """
    schema = definition.schemas.get(type_name) if type_name is not None else None
    return [] if schema is None else list(_problems(definition, schema, schema, data, ""))


def _problems(definition: "Definition", schema: Schema, whole: Schema, data: object, place: str) -> Iterator[str]:
    found = _class_of(schema, whole)
    if isinstance(data, list):
        items = found.get("items")
        if isinstance(items, dict):
            for number, item in enumerate(cast("list[object]", data)):
                yield from _problems(definition, cast("Schema", items), whole, item, f"{place}.{number}")
        return
    fields = found.get("properties")
    if not isinstance(data, dict) or not isinstance(fields, dict):
        return
    known = cast("Mapping[str, Schema]", fields)
    names = {*known, *_field_names(definition, str(found.get("title", "")))}
    for key, value in cast("dict[str, object]", data).items():
        where = f"{place}.{key}".removeprefix(".")
        if key in known:
            yield from _problems(definition, known[key], whole, value, where)
        elif key not in names and not found.get("additionalProperties"):
            yield _sentence(where, key, sorted(known))


def _class_of(schema: Schema, whole: Schema) -> Schema:
    """The one class that a schema means; nothing where it may be several, which only the engine can tell apart."""
    options = [item for item in cast("list[Schema]", schema.get("anyOf", [])) if item.get("type") != "null"]
    if len(options) > 1 or "oneOf" in schema:
        return {}
    reference = str((options[0] if options else schema).get("$ref", "")).rpartition("/")[2]
    return cast("Mapping[str, Schema]", whole.get("$defs", {})).get(reference) or resolved(schema, whole)


def _field_names(definition: "Definition", title: str) -> set[str]:
    """The fields of a class under their own names, where the schema has their aliases."""
    entries = (entry for path, entry in definition.types.items() if path.rpartition(":")[2].rpartition(".")[2] == title)
    return {field.name for entry in entries for field in entry.fields}


def _sentence(where: str, key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean `{near[0]}`? " if near else ""
    return f"there is no field `{where}`; {hint}the fields are {', '.join(f'`{name}`' for name in known) or 'none'}"
