"""`/`, `/openapi.json` and `/docs`."""

from importlib.resources import files
from typing import Any, Final

from litestar import Request, Response

from ruvon_server.auth import PUBLIC
from ruvon_server.documents import document_of
from ruvon_server.routes import reads

__all__ = ["HANDLERS", "get_root"]

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


def _asset(name: str, media_type: str) -> Response[bytes]:
    body = files("ruvon_server.web").joinpath(name).read_bytes()
    return Response(body, media_type=media_type, headers={"Content-Security-Policy": _POLICY})


@reads("/", name="get_root", permission=PUBLIC, sync_to_thread=False)
def get_root(request: Request[Any, Any, Any]) -> dict[str, str | None]:
    """What this is, and where its operations are shown; nothing that helps somebody who attacks it."""
    docs, openapi = ("/docs", "/openapi.json") if request.app.openapi_config is not None else (None, None)
    return {"name": "Ruvon", "description": "Durable workflows over HTTP.", "docs": docs, "openapi": openapi}


@reads("/openapi.json", name="get_openapi", permission=PUBLIC, sync_to_thread=False)
def get_openapi(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """The OpenAPI document of this server."""
    return document_of(request.app)


@reads("/docs", name="get_docs", permission=PUBLIC, sync_to_thread=False)
def get_docs() -> Response[bytes]:
    """The page that shows the document; it loads nothing from anywhere else."""
    return _asset("docs.html", "text/html; charset=utf-8")


@reads("/docs/docs.js", name="get_docs_script", permission=PUBLIC, sync_to_thread=False)
def get_docs_script() -> Response[bytes]:
    """The page's program."""
    return _asset("docs.js", "text/javascript; charset=utf-8")


@reads("/docs/docs.css", name="get_docs_style", permission=PUBLIC, sync_to_thread=False)
def get_docs_style() -> Response[bytes]:
    """The page's looks."""
    return _asset("docs.css", "text/css; charset=utf-8")


HANDLERS: Final[list[Any]] = [get_openapi, get_docs, get_docs_script, get_docs_style]
