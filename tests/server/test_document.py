"""The OpenAPI document: valid, whole, and with examples that are what they are examples of."""

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.support.serving import document

TEXTS = ("text/", "image/", "application/octet-stream")


def operations() -> list[Any]:
    """Every operation, under its name."""
    found = [item for path in document()["paths"].values() for item in path.values()]
    return [pytest.param(item, id=item["operationId"]) for item in found]


def bodies(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each body in JSON that an operation takes or gives."""
    places = {"request": operation.get("requestBody", {}), **operation["responses"]}
    for place, item in places.items():
        for media, content in item.get("content", {}).items():
            if not media.startswith(TEXTS):
                yield f"{place} {media}", content


def test_the_document_is_valid() -> None:
    """It is OpenAPI 3.1, and its schemas are JSON Schema."""
    assert [error.message for error in OpenAPIV31SpecValidator(document()).iter_errors()] == []


@pytest.mark.parametrize("operation", operations())
def test_every_body_has_an_example_that_fits(operation: dict[str, Any]) -> None:
    """Each example is valid against the schema that it stands beside."""
    schemas = {"components": document()["components"]}
    for place, content in bodies(operation):
        examples = [item["value"] for item in content.get("examples", {}).values()]
        assert examples, f"{place} has no example"
        for value in examples:
            Draft202012Validator({**content["schema"], **schemas}).validate(value)


@pytest.mark.parametrize("operation", operations())
def test_every_operation_says_how_it_fails(operation: dict[str, Any]) -> None:
    """There is a problem for what is wrong with the request or the server, with the problem's schema."""
    failures = {status: item["content"] for status, item in operation["responses"].items() if status >= "400"}

    assert {"500", "503"} <= failures.keys()
    assert all("application/problem+json" in content or status == "503" for status, content in failures.items())


def test_what_models_know_is_in_the_document() -> None:
    """Closed objects, patterns and rules of the models are not lost on the way."""
    schemas = document()["components"]["schemas"]

    assert schemas["StartWorkflow"]["additionalProperties"] is False
    assert "pattern" in schemas["StartWorkflow"]["properties"]["workflow_type"]
    assert schemas["BulkRequest"]["allOf"]
