"""What the definitions room is asked and answers."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

__all__ = [
    "Change",
    "DefinitionDiff",
    "DefinitionDocument",
    "DefinitionHistory",
    "DefinitionInfo",
    "DefinitionList",
    "DefinitionPage",
    "DefinitionRow",
    "Finding",
    "Graph",
    "GraphBox",
    "GraphEdge",
    "GraphPart",
    "Step",
    "UploadDefinition",
    "Uploaded",
    "VersionEntry",
]

_DIGEST = "6d1f0c8b6a2e9d4f7c3b5a1e0f9d8c7b6a5e4d3c2b1a0f9e8d7c6b5a4e3d2c1b"
_ROW: dict[str, Any] = {
    "workflow_type": "OrderProcessing",
    "workflow_version": "1.2.0",
    "digest": _DIGEST,
    "is_current": True,
    "by_files": True,
    "stored_at": "2026-11-21T12:00:00Z",
    "running": 3,
    "waiting": 1,
    "ended": 40,
}
_SOURCE = """workflow_type: Hello
workflow_version: 1.0.0
steps:
  - name: greet
    type: ASSIGN
    target: greeting
    value: hello
"""


def _config(*examples: dict[str, Any], closed: bool = False) -> ConfigDict:
    extra: Literal["forbid", "ignore"] = "forbid" if closed else "ignore"
    return ConfigDict(use_attribute_docstrings=True, extra=extra, json_schema_extra={"examples": list(examples)})


class DefinitionRow(BaseModel):
    """A version of a workflow type."""

    model_config = _config(_ROW)

    workflow_type: str
    workflow_version: str
    digest: str
    """A checksum of all that it means: two definitions with one digest are the same."""
    is_current: bool
    """Whether a start without a version takes this one."""
    by_files: bool
    """Whether files of the server define the type; else it was uploaded."""
    stored_at: datetime | None
    """When it was stored first; None as long as nothing was started with it."""
    running: int | None
    """So many runs with it go on; None for whoever may not see all runs."""
    waiting: int | None
    """So many wait."""
    ended: int | None
    """So many have ended."""


class DefinitionPage(BaseModel):
    """A page of the versions of all workflow types, by type."""

    model_config = _config({"items": [_ROW], "next_cursor": None})

    items: list[DefinitionRow]
    """Those of a type oldest first."""
    next_cursor: str | None
    """Give it as `cursor` to get the next page; None on the last one."""


class DefinitionList(BaseModel):
    """Versions of workflow types."""

    model_config = _config({"items": [_ROW]})

    items: list[DefinitionRow]


class Step(BaseModel):
    """A step of a definition's outermost list."""

    model_config = _config({"name": "charge", "kind": "STANDARD"})

    name: str
    kind: str
    """Its documented kind."""


class DefinitionInfo(DefinitionRow):
    """A version of a workflow type, with what a start of it takes."""

    model_config = _config(
        {
            **_ROW,
            "description": "An order: reserve, charge, ship.",
            "saga": True,
            "steps": [{"name": "charge", "kind": "STANDARD"}],
            "state_schema": {"type": "object", "properties": {"order_id": {"type": "string"}}},
        }
    )

    description: str | None
    saga: bool
    """Whether an error that nobody catches undoes what has completed."""
    steps: list[Step]
    """The steps that it begins with in reading order."""
    state_schema: dict[str, Any] | None
    """The JSON Schema of the data that a start takes; None where anything goes."""


class Change(BaseModel):
    """One difference between two definitions."""

    model_config = _config(
        {"area": "option", "kind": "changed", "subject": "charge", "field": "retry", "before": "3", "after": "5"}
    )

    area: str
    """What it is about: a node, an edge, an option, a field of the state ..."""
    kind: str
    """`added`, `removed`, `renamed`, `moved` or `changed`."""
    subject: str
    field: str | None
    before: str | None
    after: str | None


class DefinitionDiff(BaseModel):
    """What differs between two versions."""

    model_config = _config({"old": _ROW, "new": _ROW, "changes": []})

    old: DefinitionRow
    new: DefinitionRow
    changes: list[Change]
    """Empty where they mean the same."""


class DefinitionDocument(BaseModel):
    """A definition as it is compiled."""

    model_config = _config({"document": '{"format":"..."}'})

    document: str
    """Its canonical JSON, as `ruvon compile` prints it; the digest is made of it."""


class VersionEntry(DefinitionRow):
    """A version, and what differs from the one before it."""

    model_config = _config({**_ROW, "changes": []})

    changes: list[Change]


class DefinitionHistory(BaseModel):
    """The versions of a type, oldest first."""

    model_config = _config({"items": [{**_ROW, "changes": []}]})

    items: list[VersionEntry]


class GraphPart(BaseModel):
    """A picture inside a box."""

    title: str
    graph: "Graph"


class GraphBox(BaseModel):
    """A step, or a mark."""

    id: str
    shape: str
    """`start`, `end`, `exit`, `step`, `wait`, `child`, `assign`, `decision`, `stop` or `compound`."""
    title: str
    kind: str
    """The documented kind of the step."""
    detail: str
    parts: list[GraphPart]


class GraphEdge(BaseModel):
    """An arrow between two boxes."""

    source: str
    target: str
    text: str
    back: bool
    """Whether it leads to an earlier box."""


class Graph(BaseModel):
    """Boxes in reading order, and the edges between them."""

    model_config = _config(
        {
            "boxes": [
                {"id": "greet", "shape": "assign", "title": "greet", "kind": "ASSIGN", "detail": "", "parts": []}
            ],
            "edges": [{"source": "greet", "target": "end", "text": "", "back": False}],
        }
    )

    boxes: list[GraphBox]
    edges: list[GraphEdge]


class Finding(BaseModel):
    """Something about a definition that its author should know."""

    model_config = _config(
        {"code": "RV0372", "severity": "warning", "message": "...", "help": "...", "place": "upload.yaml:4:3"}
    )

    code: str
    severity: str
    """`error`, `warning` or `note`."""
    message: str
    help: str
    """What to write instead."""
    place: str | None
    """File, line and column."""


class UploadDefinition(BaseModel):
    """A definition to store."""

    model_config = _config({"source": _SOURCE, "form": "yaml", "dry_run": True}, closed=True)

    source: Annotated[str, StringConstraints(min_length=1, max_length=1_000_000)]
    """The text of a YAML definition, or of a compiled one (`ruvon compile`)."""
    form: Literal["yaml", "ir"] = "yaml"
    dry_run: bool = False
    """Only check it."""


class Uploaded(BaseModel):
    """What was stored, or would be."""

    model_config = _config({"items": [_ROW], "findings": []})

    items: list[DefinitionRow]
    findings: list[Finding]
    """Warnings and notes; with errors nothing is stored, and the problem has them all."""
