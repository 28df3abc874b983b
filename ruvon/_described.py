"""What is said of an instance, as data: moments, errors, and what it waits for with the form of the answer.

The command line and the server show the same. Nothing here loads an engine; libraries are loaded by what needs them.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from ruvon import ir

__all__ = [
    "answerable",
    "described_waits",
    "error_text",
    "form_of",
    "form_type",
    "moment",
    "resolved",
    "sample",
    "traceback_text",
]

Schema = Mapping[str, Any]
_ASKED: Final = frozenset({"human", "input", "signal"})


def moment(at_us: int) -> str:
    """A moment for people and machines: UTC, ISO 8601, to the millisecond."""
    from datetime import UTC, datetime  # noqa: PLC0415

    return datetime.fromtimestamp(at_us / 1_000_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def error_text(data: bytes | None) -> str | None:
    """A stored error in one line."""
    import orjson  # noqa: PLC0415

    if data is None:
        return None
    tree = cast("dict[str, Any]", orjson.loads(data))
    if "cancelled" in tree:
        return f"cancelled: {tree['cancelled']}" if tree["cancelled"] else "cancelled"
    path = str(tree.get("path", ""))
    step = f" (step {tree['step']})" if tree.get("step") else ""
    return f"{path.partition(':')[2] or path}: {tree.get('message', '')}{step}"


def traceback_text(data: bytes | None) -> str | None:
    """Where a stored error was raised, as Python says it; None where that is not known."""
    import orjson  # noqa: PLC0415

    return None if data is None else cast("dict[str, Any]", orjson.loads(data)).get("trace") or None


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
