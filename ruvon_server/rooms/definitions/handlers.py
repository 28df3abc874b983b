"""The operations of the definitions room."""

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeAlias

from litestar import Response
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, OpenAPIType, Operation, Schema
from litestar.params import JSONBody, PathParameter, QueryParameter
from pydantic import TypeAdapter

from ruvon_server.auth import Permission, Principal
from ruvon_server.models import definitions as models
from ruvon_server.paging import DEFAULT_LIMIT, Cursor, Limit, Paging
from ruvon_server.rooms.definitions.service import DefinitionService
from ruvon_server.routes import reads, writes

__all__ = ["HANDLERS"]

Service: TypeAlias = NamedDependency[DefinitionService]
Asker: TypeAlias = NamedDependency[Principal]
Type: TypeAlias = Annotated[str, PathParameter(max_length=200, description="A workflow type.")]
_VERSION = "A version, or at least six characters of a digest; the current version where none is named."
Version: TypeAlias = Annotated[str | None, QueryParameter(max_length=200, description=_VERSION)]
_ONE: Final = ("unknown-workflow-type",)
_VERSION_OF_A_TYPE: Final = TypeAdapter(tuple[str, str])
"""Reads the places of definitions."""
_MEDIA: Final = {
    "svg": "image/svg+xml",
    "mermaid": "text/vnd.mermaid",
    "dot": "text/vnd.graphviz",
    "text": "text/plain",
}


@dataclass
class _Drawn(Operation):
    """The documentation of an answer that is a picture in one of several forms."""

    def __post_init__(self) -> None:
        answer = (self.responses or {}).get("200")
        if isinstance(answer, OpenAPIResponse):
            content = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))
            answer.content = dict.fromkeys(_MEDIA.values(), content)


@reads("/", name="list_definitions", permission=Permission.DEFINITIONS_READ, problems=("bad-cursor",))
async def list_definitions(
    service: Service, principal: Asker, pages: Paging, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> models.DefinitionPage:
    """List every version of every workflow type, by type."""
    after = await pages.place(cursor, _VERSION_OF_A_TYPE)
    items, place = await service.find(principal, limit, after)
    return models.DefinitionPage(items=items, next_cursor=await pages.cursor(place))


@writes(
    "/",
    name="upload_definition",
    permission=Permission.DEFINITIONS_WRITE,
    status_code=201,
    problems=(
        "secret-refused",
        "invalid-definition",
        "code-not-found",
        "cannot-run-here",
        "definition-drift",
        "defined-by-files",
        "version-taken",
    ),
    answers={
        200: ResponseSpec(models.Uploaded, generate_examples=False, description="It is sound; nothing was stored")
    },
)
async def upload_definition(
    data: JSONBody[models.UploadDefinition], service: Service, principal: Asker
) -> Response[models.Uploaded]:
    """Store a definition, which makes it the current version of its type. Mistakes are all in the problem's `errors`."""
    return Response(await service.upload(principal, data), status_code=200 if data.dry_run else 201)


@reads("/{workflow_type:str}", name="get_definition", permission=Permission.DEFINITIONS_READ, problems=_ONE)
async def get_definition(
    workflow_type: Type, service: Service, principal: Asker, version: Version = None
) -> models.DefinitionInfo:
    """Show a version of a workflow type, with the JSON Schema of the data that a start takes."""
    return await service.show(principal, workflow_type, version)


@reads(
    "/{workflow_type:str}/versions",
    name="list_definition_versions",
    permission=Permission.DEFINITIONS_READ,
    problems=_ONE,
)
async def list_definition_versions(workflow_type: Type, service: Service, principal: Asker) -> models.DefinitionList:
    """List the versions of a workflow type, oldest first."""
    return await service.versions(principal, workflow_type)


@reads(
    "/{workflow_type:str}/history",
    name="get_definition_history",
    permission=Permission.DEFINITIONS_READ,
    problems=_ONE,
)
async def get_definition_history(workflow_type: Type, service: Service, principal: Asker) -> models.DefinitionHistory:
    """List the versions of a workflow type, oldest first, each with what differs from the one before."""
    return await service.history(principal, workflow_type)


@reads("/{workflow_type:str}/diff", name="diff_definitions", permission=Permission.DEFINITIONS_READ, problems=_ONE)
async def diff_definitions(
    workflow_type: Type,
    service: Service,
    principal: Asker,
    old: Annotated[str, QueryParameter(max_length=200, description="A version, or the beginning of a digest.")],
    new: Version = None,
) -> models.DefinitionDiff:
    """Say what differs between two versions: steps, edges, conditions, options, functions, fields and types."""
    return await service.diff(principal, workflow_type, old, new)


@reads(
    "/{workflow_type:str}/graph",
    name="get_definition_graph",
    permission=Permission.DEFINITIONS_READ,
    problems=_ONE,
)
async def get_definition_graph(workflow_type: Type, service: Service, version: Version = None) -> models.Graph:
    """The graph of a version as boxes and edges, for programs that draw."""
    return await service.graph(workflow_type, version)


@reads(
    "/{workflow_type:str}/document",
    name="get_definition_document",
    permission=Permission.DEFINITIONS_READ,
    problems=_ONE,
)
async def get_definition_document(
    workflow_type: Type, service: Service, version: Version = None
) -> models.DefinitionDocument:
    """A version as it is compiled: whoever has it needs no server to draw, compare or print it."""
    return models.DefinitionDocument(document=(await service.document(workflow_type, version)).decode())


@reads(
    "/{workflow_type:str}/picture",
    name="get_definition_picture",
    permission=Permission.DEFINITIONS_READ,
    problems=_ONE,
    media_type="image/svg+xml",
    operation_class=_Drawn,
)
async def get_definition_picture(
    workflow_type: Type,
    service: Service,
    version: Version = None,
    form: Annotated[
        Literal["svg", "mermaid", "dot", "text"], QueryParameter(description="What it is drawn in.")
    ] = "svg",
) -> Response[str]:
    """The graph of a version as a picture: SVG, Mermaid, DOT or text."""
    drawn = await service.picture(workflow_type, version, form)
    headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
    return Response(drawn, media_type=_MEDIA[form], headers=headers)


HANDLERS: Final[list[Any]] = [
    list_definitions,
    upload_definition,
    get_definition,
    list_definition_versions,
    get_definition_history,
    diff_definitions,
    get_definition_graph,
    get_definition_document,
    get_definition_picture,
]
"""The operations of the room."""
