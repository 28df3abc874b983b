"""The JSON Schema agrees with the checker: what compiles fits, what has a wrong key does not."""

import json
from pathlib import Path
from typing import Any

import pytest

from ruvon_dsl._draft import SourceText
from ruvon_dsl.yaml import json_schema
from ruvon_dsl.yaml._reader import read
from ruvon_dsl.yaml._steps import STEP_TABLES
from tests.support.golden import GOLDEN
from tests.unit.yaml_front_end.schema_check import fits, plain

FILES = [file for file in sorted((GOLDEN / "yaml").glob("*.yaml")) if not file.name.startswith("wrong_")]
SCHEMA: dict[str, Any] = json_schema()


def documents(text: str) -> list[Any]:
    """The documents of a text as plain data."""
    return [plain(node) for node in read(SourceText("f.yaml", text))[0]]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_files_that_compile_fit(file: Path) -> None:
    """An editor with the schema underlines nothing in a file that compiles (S3-016)."""
    assert all(fits(document, SCHEMA, SCHEMA) for document in documents(file.read_text()))


@pytest.mark.parametrize(
    "text",
    [
        "workflow_type: A\nstpes: []",
        "workflow_type: A",
        "steps: [{function: f}]",
        "workflow_type: A\nsteps: [{funtion: f}]",
        "workflow_type: A\nsteps: [{type: SLEEP, durration: 5s}]",
        "workflow_type: A\nsteps: [{type: HTTP, url: x, timeout: soon}]",
        "workflow_type: A\nsteps: [{function: f, merge_strategy: WIDE}]",
        "workflow_type: A\nsteps: [{function: f, retry: {max_attempts: 0}}]",
        "workflow_type: A\nsaga_enabled: yes\nsteps: [{function: f}]",
        "workflows: [{type: A}]",
        "just text",
    ],
)
def test_wrong_files_do_not_fit(text: str) -> None:
    """Misspelt keys, missing keys and values of the wrong kind are seen by the editor already."""
    assert not any(fits(document, SCHEMA, SCHEMA) for document in documents(text))


def test_registry_fits() -> None:
    """The registry file has a schema as well."""
    text = (GOLDEN / "yaml" / "registries" / "registry.yaml").read_text()

    assert all(fits(document, SCHEMA, SCHEMA) for document in documents(text))


def test_every_spelling_of_every_step_is_in_it() -> None:
    """The schema is made of the checker's tables: no key of a step is missing (S3-016)."""
    for name, table in STEP_TABLES.items():
        properties = SCHEMA["$defs"][f"step_{name.lower()}"]["properties"]

        assert set(table.by_spelling()) <= set(properties)


def test_it_is_json() -> None:
    """The schema holds nothing that JSON cannot."""
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


def test_references_lead_somewhere() -> None:
    """Every `$ref` names a definition."""
    text = json.dumps(SCHEMA)
    wanted = {part.split('"')[0] for part in text.split('"#/$defs/')[1:]}

    assert wanted <= set(SCHEMA["$defs"])
