"""What an instance waits for, in words: who is asked, for which fields, and an answer to start from."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

import rich_click as click

from ruvon.cli._output import moment, to_json

if TYPE_CHECKING:
    from ruvon import ir

__all__ = [
    "WAITS",
    "answerable",
    "described_waits",
    "form_of",
    "form_type",
    "print_waits",
    "resolved",
    "sample",
    "short_name",
]

Schema = Mapping[str, Any]
_ASKED: Final = frozenset({"human", "input", "signal"})


def described_waits(stored: bytes | None, definition: "ir.Definition | None") -> list[dict[str, Any]]:
    """The stored waits, each with its moment as text, the schema of the answer, and a sample answer."""
    import orjson  # noqa: PLC0415

    waits = cast("list[dict[str, Any]]", orjson.loads(stored)) if stored is not None else []
    for wait in waits:
        if "due_us" in wait:
            wait["due_at"] = moment(wait.pop("due_us"))
        if wait["kind"] in _ASKED:
            form = (form_of(definition, wait) if definition is not None else None) or {}
            if form:
                wait["form"] = form
            wait["answer"] = sample(form, form)
    return waits


def answerable(waits: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The waits that a person can end: by an answer, input or a signal."""
    return [wait for wait in waits if wait["kind"] in _ASKED]


def form_of(definition: "ir.Definition", wait: Mapping[str, Any]) -> dict[str, Any] | None:
    """The JSON Schema of what a wait takes; None where anything goes."""
    return _schema(definition, *_taken(definition, wait))


def form_type(definition: "ir.Definition", wait: Mapping[str, Any]) -> str | None:
    """The class of what a wait takes; None where there is none."""
    return _taken(definition, wait)[0]


def _taken(definition: "ir.Definition", wait: Mapping[str, Any]) -> tuple[str | None, tuple[str, ...]]:
    """The class of what a wait takes, and the keys that it must have."""
    from ruvon import ir  # noqa: PLC0415

    node = next((item for item in ir.walk_nodes(definition.graph) if item.id == wait["step"]), None)
    match node.action if node is not None else None:
        case ir.Wait(source=ir.HumanSource(form=form, required_input=required)):
            return form, required
        case ir.Wait(source=ir.SignalSource(model=model)):
            return model, ()
        case ir.Call(input_model=model, required_input=required):
            return model, required
        case _:
            return None, ()


def _schema(definition: "ir.Definition", name: str | None, required: tuple[str, ...]) -> dict[str, Any] | None:
    found = definition.schemas.get(name) if name is not None else None
    if found is not None:
        return dict(found)
    return (
        {"type": "object", "properties": {key: {} for key in required}, "required": list(required)}
        if required
        else None
    )


def resolved(schema: Schema, whole: Schema) -> Schema:
    """A field's schema with its reference followed and `or null` taken off."""
    reference = schema.get("$ref")
    if isinstance(reference, str):
        definitions = cast("Mapping[str, Schema]", whole.get("$defs", {}))
        return {**resolved(definitions.get(reference.rpartition("/")[2], {}), whole), **_beside(schema)}
    options = [item for item in cast("list[Schema]", schema.get("anyOf", [])) if item.get("type") != "null"]
    return {**resolved(options[0], whole), **_beside(schema)} if options else schema


def _beside(schema: Schema) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in {"$ref", "anyOf", "title", "description"}}


def sample(schema: Schema, whole: Schema) -> Any:
    """A value of about this shape: required fields only, to be filled in."""
    found = resolved(schema, whole)
    if "default" in found:
        return found["default"]
    if found.get("enum"):
        return found["enum"][0]
    if "const" in found:
        return found["const"]
    match found.get("type"):
        case "object":
            fields = cast("Mapping[str, Schema]", found.get("properties", {}))
            return {name: sample(fields.get(name, {}), whole) for name in found.get("required", ())}
        case "array":
            return [sample(cast("Schema", found.get("items", {})), whole)] * int(found.get("minItems", 0))
        case "boolean":
            return True
        case "integer" | "number":
            return _number(found)
        case "string":
            return _TEXTS.get(found.get("format", ""), "...".ljust(int(found.get("minLength", 0)), "."))
        case _:
            return {} if found is whole else "..."


_TEXTS: Final[Mapping[str, str]] = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00",
    "duration": "PT1H",
    "email": "name@example.org",
    "uri": "https://example.org",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
"""A text of each format that would be taken."""


def _number(schema: Schema) -> Any:
    """A number inside the bounds of a schema."""
    if "exclusiveMinimum" in schema:
        return schema["exclusiveMinimum"] + 1
    if "minimum" in schema:
        return schema["minimum"]
    most = schema.get("maximum", schema.get("exclusiveMaximum", 2) - 1)
    return min(1, most)


def print_waits(waits: Iterable[Mapping[str, Any]], *, err: bool = False) -> None:
    """A line or two for each wait."""
    for wait in waits:
        name = short_name(wait) or wait["step"]
        until = f", until {wait['due_at']}" if wait.get("due_at") else ""
        key = f" with the key {wait['key']}" if wait["kind"] == "signal" and wait.get("key") else ""
        what = f"{WAITS.get(wait['kind'], wait['kind'])} {name}{key}"
        click.echo(f"  waits for {what} (step {wait['step']}){until}", err=err)
        _print_shown(wait, err=err)
        if wait.get("form"):
            click.echo(f"    asks for: {', '.join(_fields(wait['form']))}", err=err)


def short_name(wait: Mapping[str, Any]) -> str:
    """What a wait is for: the name of the signal's class without its module, of a form or of a child; may be empty."""
    name = str(wait.get("name") or "")
    return name.partition(":")[2] or name


WAITS: Final = {
    "human": "the answer",
    "input": "input",
    "signal": "the signal",
    "timer": "the moment of",
    "retry": "the next attempt of",
    "child": "the child",
    "task": "the worker of",
}
"""What a wait is for, before its name."""


def _print_shown(wait: Mapping[str, Any], *, err: bool) -> None:
    words = cast("dict[str, Any]", wait.get("show") or {})
    for name in ("role", "assignee"):
        if words.get(name) is not None:
            click.echo(f"    {name}: {words[name]}", err=err)
    shown = words.get("show")
    pairs: Mapping[str, Any] = cast("dict[str, Any]", shown) if isinstance(shown, dict) else {"shown": shown}
    for name, value in pairs.items() if shown is not None else ():
        click.echo(f"    {name}: {value if isinstance(value, str) else to_json(value, indent=False)}", err=err)


def _fields(form: Schema) -> list[str]:
    required = set(cast("list[str]", form.get("required", [])))
    fields = cast("Mapping[str, Schema]", form.get("properties", {}))
    return [f"{name} ({_kind(item, form)}{', required' if name in required else ''})" for name, item in fields.items()]


def _kind(schema: Schema, whole: Schema) -> str:
    found = resolved(schema, whole)
    if found.get("enum"):
        return " | ".join(str(item) for item in found["enum"])
    return str(found.get("type", "any"))
