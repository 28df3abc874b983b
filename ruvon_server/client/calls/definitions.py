"""The calls of the definitions room."""

from typing import Final, Literal

from ruvon_server.client._call import API, Call, asking, json_of, part, query, text
from ruvon_server.models import definitions as models

__all__ = [
    "diff_definitions",
    "get_definition",
    "get_definition_document",
    "get_definition_graph",
    "get_definition_history",
    "get_definition_picture",
    "list_definition_versions",
    "list_definitions",
    "upload_definition",
]

_ALL: Final = f"{API}/definitions"

upload_definition = asking("upload_definition", "/definitions", models.UploadDefinition, json_of(models.Uploaded))


def list_definitions(*, limit: int | None = None, cursor: str | None = None) -> Call[models.DefinitionPage]:
    """A page of the versions of all workflow types, by type."""
    wanted = query({"limit": limit, "cursor": cursor})
    return Call("list_definitions", "GET", _ALL, json_of(models.DefinitionPage), wanted, repeatable=True)


def get_definition(workflow_type: str, /, *, version: str | None = None) -> Call[models.DefinitionInfo]:
    """A version of a workflow type, with the JSON Schema of the data that a start takes."""
    name, wanted = "get_definition", query({"version": version})
    return Call(name, "GET", _one(name, workflow_type), json_of(models.DefinitionInfo), wanted, repeatable=True)


def list_definition_versions(workflow_type: str, /) -> Call[models.DefinitionList]:
    """The versions of a workflow type, oldest first."""
    name, read = "list_definition_versions", json_of(models.DefinitionList)
    return Call(name, "GET", _one(name, workflow_type, "/versions"), read, repeatable=True)


def get_definition_history(workflow_type: str, /) -> Call[models.DefinitionHistory]:
    """The versions of a workflow type, oldest first, each with what differs from the one before."""
    name, read = "get_definition_history", json_of(models.DefinitionHistory)
    return Call(name, "GET", _one(name, workflow_type, "/history"), read, repeatable=True)


def diff_definitions(workflow_type: str, /, *, old: str, new: str | None = None) -> Call[models.DefinitionDiff]:
    """What differs between two versions; `new` is the current one where none is named."""
    name, wanted = "diff_definitions", query({"old": old, "new": new})
    return Call(
        name, "GET", _one(name, workflow_type, "/diff"), json_of(models.DefinitionDiff), wanted, repeatable=True
    )


def get_definition_graph(workflow_type: str, /, *, version: str | None = None) -> Call[models.Graph]:
    """The graph of a version as boxes and edges."""
    name, wanted = "get_definition_graph", query({"version": version})
    return Call(name, "GET", _one(name, workflow_type, "/graph"), json_of(models.Graph), wanted, repeatable=True)


def get_definition_document(workflow_type: str, /, *, version: str | None = None) -> Call[models.DefinitionDocument]:
    """A version as it is compiled."""
    name, wanted = "get_definition_document", query({"version": version})
    read = json_of(models.DefinitionDocument)
    return Call(name, "GET", _one(name, workflow_type, "/document"), read, wanted, repeatable=True)


def get_definition_picture(
    workflow_type: str,
    /,
    *,
    version: str | None = None,
    form: Literal["svg", "mermaid", "dot", "text"] = "svg",
) -> Call[str]:
    """The graph of a version as a picture: SVG, Mermaid, DOT or text."""
    name, wanted = "get_definition_picture", query({"version": version, "form": form})
    return Call(name, "GET", _one(name, workflow_type, "/picture"), text, wanted, repeatable=True)


def _one(name: str, workflow_type: str, path: str = "") -> str:
    return f"{_ALL}/{part(name, workflow_type)}{path}"
