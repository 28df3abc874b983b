"""The OpenAPI document and its pages."""

from importlib.metadata import PackageNotFoundError, version

from litestar import Router
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Tag

from ruvon_server.auth import PUBLIC

__all__ = ["openapi_config", "ruvon_version"]

_ABOUT = """Durable workflows over HTTP.

Problems are answered as `application/problem+json` (RFC 9457) with a `code` of their own. Lists are pages: pass
`next_cursor` as `cursor`. A path of one workflow may also be written in the singular, `/api/v1/workflow/{workflow_id}`."""
_TAGS = (
    Tag("workflows", "Start workflows, look at them, let them go on, end and repair them."),
    Tag("definitions", "What can be started: types, versions, pictures."),
    Tag("keys", "API keys: make, look, rotate, revoke."),
    Tag("changes", "Who has changed what beside workflows."),
    Tag("health", "Whether the server lives and can work, and its numbers."),
)


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
        render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        openapi_router=Router(
            path="/docs/schema", route_handlers=[], opt={"permission": PUBLIC}, include_in_schema=False
        ),
    )
