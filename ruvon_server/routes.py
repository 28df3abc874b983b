"""Declaring handlers, and the one table of all of them.

Every handler says its name, what it asks for and which problems it may answer; so permissions, documentation and the
table of routes come from one place and none can be forgotten.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, final

from litestar import Litestar, delete, get, patch, post, put, websocket
from litestar.handlers import HTTPRouteHandler, WebsocketRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.routes import HTTPRoute

from ruvon_server.auth import PUBLIC, Permission, require_origin
from ruvon_server.parameters import refuse_unknown_parameters
from ruvon_server.problems import documented

__all__ = ["Declared", "Route", "changes", "deletes", "listens", "reads", "replaces", "route_table", "writes"]

Declared: TypeAlias = Callable[[Callable[..., Any]], HTTPRouteHandler]
_BODY = ("bad-json", "unsupported-media-type", "body-too-large", "invalid-request")
_ALWAYS = ("unknown-parameter", "too-many-requests", "internal", "store-unavailable")
_GUARDED = ("not-authenticated", "not-allowed", "cross-origin", "store-wide")


@final
@dataclass(frozen=True, slots=True)
class Route:
    """One operation, as the table has it."""

    name: str
    """The operation's id; methods of clients are called like that."""
    method: str
    path: str
    permission: str
    """What it asks for, or `public`."""
    is_documented: bool
    """Whether the OpenAPI document has it; aliases and pages are not there."""


def _options(
    name: str, permission: Permission | str, problems: tuple[str, ...], answers: Mapping[int, ResponseSpec] | None
) -> dict[str, Any]:
    guarded = () if permission == PUBLIC else _GUARDED
    return {
        "operation_id": name,
        "summary": name.replace("_", " ").capitalize(),
        "opt": {"permission": str(permission)},
        "guards": [refuse_unknown_parameters] if permission != PUBLIC else [],
        "responses": {**documented(*guarded, *problems, *_ALWAYS), **(answers or {})},
    }


def reads(
    path: str,
    *,
    name: str,
    permission: Permission | str,
    problems: tuple[str, ...] = (),
    answers: Mapping[int, ResponseSpec] | None = None,
    **options: Any,
) -> Declared:
    """A handler that changes nothing.

    Args:
        path: below the path of its room.
        name: the operation's id.
        permission: what it asks for, or `PUBLIC`.
        problems: the kinds of problems that it may answer, beside those that every handler has.
        answers: further answers by status.
        options: what `litestar.get` takes.
    """
    return get(path, **_options(name, permission, ("invalid-request", *problems), answers), **options)


def writes(
    path: str,
    *,
    name: str,
    permission: Permission | str,
    problems: tuple[str, ...] = (),
    answers: Mapping[int, ResponseSpec] | None = None,
    status_code: int = 200,
    **options: Any,
) -> Declared:
    """A handler that does something with the body it is given; arguments as `reads`."""
    said = _options(name, permission, (*_BODY, *problems), answers)
    return post(path, **said, status_code=status_code, **options)


def replaces(
    path: str, *, name: str, permission: Permission, problems: tuple[str, ...] = (), **options: Any
) -> Declared:
    """A handler that puts something in the place of what is there; arguments as `reads`."""
    return put(path, **_options(name, permission, (*_BODY, *problems), None), **options)


def changes(
    path: str, *, name: str, permission: Permission, problems: tuple[str, ...] = (), **options: Any
) -> Declared:
    """A handler that changes what it is given of something; arguments as `reads`."""
    return patch(path, **_options(name, permission, (*_BODY, *problems), None), **options)


def deletes(
    path: str, *, name: str, permission: Permission, problems: tuple[str, ...] = (), **options: Any
) -> Declared:
    """A handler that takes something away; arguments as `reads`."""
    return delete(path, **_options(name, permission, ("invalid-request", *problems), None), **options)


def listens(path: str, *, name: str, permission: Permission) -> Callable[[Callable[..., Any]], WebsocketRouteHandler]:
    """A handler of a WebSocket; arguments as `reads`."""
    return websocket(
        path, name=name, opt={"permission": str(permission)}, guards=[require_origin, refuse_unknown_parameters]
    )


def route_table(app: Litestar) -> tuple[Route, ...]:
    """Every operation that the application answers, by path and method."""
    found: list[Route] = []
    for route in app.routes:
        for handler in route.route_handlers if isinstance(route, HTTPRoute) else ():
            name = handler.operation_id if isinstance(handler.operation_id, str) else handler.handler_name
            permission = str(handler.opt.get("permission", ""))
            documented_too = handler.resolve_include_in_schema()
            methods = sorted(str(method) for method in handler.http_methods if method != "OPTIONS")
            found += [Route(name, method, route.path, permission, documented_too) for method in methods]
    return tuple(sorted(found, key=lambda item: (item.path, item.method)))
