"""The OpenAPI document and its pages."""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from litestar import Litestar, Request, Router
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Tag

from ruvon_server.auth import PUBLIC
from ruvon_server.completing import completed

__all__ = ["document_of", "openapi_config", "ruvon_version"]

_ABOUT = """Durable workflows over HTTP.

Problems are answered as `application/problem+json` (RFC 9457) with a `code` of their own. Lists are pages: pass
`next_cursor` as `cursor`. A path of one workflow may also be written in the singular, `/api/v1/workflow/{workflow_id}`."""
_TAGS = (
    Tag("workflows", "Start workflows, look at them, let them go on, end and repair them."),
    Tag("human tasks", "What waits for people: the inbox, claims, answers, approval links."),
    Tag("schedules", "What is started again and again."),
    Tag("histories", "What has happened to workflows, how often and how long."),
    Tag("queues", "Workers, queues with their limits, and dead letters."),
    Tag("definitions", "What can be started: types, versions, pictures."),
    Tag("keys", "API keys: make, look, rotate, revoke."),
    Tag("changes", "Who has changed what beside workflows."),
    Tag("health", "Whether the server lives and can work, and its numbers."),
)


class _Rendered(JsonRenderPlugin):
    """The document as JSON, with what the models say of themselves."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The body of the answer."""
        return super().render(request, completed(openapi_schema))  # pyright: ignore[reportUnknownMemberType]


def document_of(app: Litestar) -> dict[str, Any]:
    """The OpenAPI document of an application; made once."""
    found: dict[str, Any] | None = getattr(app.state, "document", None)
    if found is None:
        found = app.state.document = completed(app.openapi_schema.to_schema())
    return found


def ruvon_version() -> str:
    """The version of Ruvon that runs."""
    try:
        return version("ruvon")
    except PackageNotFoundError:
        return "unknown"


def openapi_config() -> OpenAPIConfig:
    """How the document is made and where it is served."""
    return OpenAPIConfig(
        title="Ruvon",
        version=ruvon_version(),
        description=_ABOUT,
        use_handler_docstrings=True,
        tags=list(_TAGS),
        render_plugins=[_Rendered(path="/openapi.json")],
        openapi_router=Router(
            path="/docs/schema", route_handlers=[], opt={"permission": PUBLIC}, include_in_schema=False
        ),
    )
