"""What the web framework leaves out of the OpenAPI document: patterns, closed objects and examples of the models.

Models know their own JSON Schema better than the framework does, so the document takes theirs: of a request what is
taken, of an answer what is given.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from pydantic import BaseModel

__all__ = ["completed"]

_REF: Final = "#/components/schemas/"
_OURS: Final = "ruvon_server."


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """The document with the schemas that the models have of themselves, and with an example at every body in JSON."""
    schemas = {**document["components"]["schemas"]}
    for name, model in _models(schemas).items():
        asked = model.model_config.get("extra") == "forbid"
        found = model.model_json_schema(mode="validation" if asked else "serialization", ref_template=_REF + "{model}")
        inner = found.pop("$defs", {})
        schemas = {**inner, **schemas, name: inner.get(name, found)}  # a model that holds itself is defined inside
    components = {**document["components"], "schemas": schemas}
    paths = {
        path: {verb: _shown(item, schemas) for verb, item in found.items()} for path, found in document["paths"].items()
    }
    return {**document, "paths": paths, "components": components}


def _models(schemas: dict[str, Any]) -> dict[str, type[BaseModel]]:
    """Our models by the name that the document has for each; none that shares its name with another."""
    ours = [item for item in _below(BaseModel) if item.__module__.startswith(_OURS)]
    count = Counter(item.__name__ for item in ours)
    return {item.__name__: item for item in ours if count[item.__name__] == 1 and item.__name__ in schemas}


def _below(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for item in model.__subclasses__():
        yield item
        yield from _below(item)


def _shown(operation: Any, schemas: dict[str, Any]) -> Any:
    """An operation with an example at each of its bodies in JSON."""
    if not isinstance(operation, dict):
        return operation
    found: dict[str, Any] = {**operation}
    if "requestBody" in found:
        found["requestBody"] = _with_examples(found["requestBody"], schemas)
    found["responses"] = {
        status: _with_examples(item, schemas)
        for status, item in found["responses"].items()
        if not _is_of_the_framework(status, item)
    }
    return found


def _is_of_the_framework(status: str, answer: dict[str, Any]) -> bool:
    """Whether an answer is an error as the framework would tell it; here each is a problem."""
    return status == "400" and [*answer.get("content", {})] == ["application/json"]


def _with_examples(body: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    content = {media: _exemplified(item, schemas) for media, item in body.get("content", {}).items()}
    return {**body, "content": content} if content else body


def _exemplified(content: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """A body with its examples: its own, without the key that the framework leaves in them, else those of its models."""
    own = content.get("examples", {})
    shown = {key: {name: part for name, part in item.items() if name != "id"} for key, item in own.items()}
    examples = shown or _examples(content, schemas)
    return {**content, "examples": examples} if examples else content


def _examples(content: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    schema = content.get("schema", {})
    names = [item["$ref"].removeprefix(_REF) for item in (schema, *schema.get("oneOf", ())) if "$ref" in item]
    return {
        f"{name}-{number}": {"value": value}
        for name in names
        for number, value in enumerate(schemas.get(name, {}).get("examples", ()), 1)
    }
