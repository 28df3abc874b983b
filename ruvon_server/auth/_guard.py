"""The guard of all handlers: closed unless the handler says what it asks for and the principal has it."""

from urllib.parse import urlsplit

from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler

from ruvon.ir import RuvonError
from ruvon_server.auth._middleware import PERMISSION
from ruvon_server.auth._principal import Principal
from ruvon_server.auth._provider import Connection
from ruvon_server.auth._roles import STORE_WIDE
from ruvon_server.models.permissions import PUBLIC
from ruvon_server.problems import NotAllowedError, OtherOriginError, StoreWideError, closing

__all__ = ["require_origin", "require_permission"]


async def require_origin(connection: Connection, _: BaseRouteHandler) -> None:
    """Refuse a WebSocket that a page of somebody else has opened: browsers ask nobody before they do.

    Raises:
        WebSocketException: it is closed as a problem `other-origin`.
    """
    origin = connection.headers.get("origin")
    if origin is None or urlsplit(origin).netloc == connection.headers.get("host"):
        return
    allowed: tuple[str, ...] = getattr(connection.app.state, "cors_origins", ())
    if origin not in allowed and "*" not in allowed:
        raise closing(OtherOriginError(origin))


async def require_permission(connection: Connection, handler: BaseRouteHandler) -> None:
    """Refuse whoever lacks what the handler asks for; one that says nothing is open to nobody.

    Raises:
        NotAllowedError: the principal lacks the permission.
        StoreWideError: he has it and is limited to a tenant, and it concerns all of them.
    """
    wanted = handler.opt.get(PERMISSION)
    if wanted == PUBLIC:
        return
    principal: object = dict(connection.scope).get("user")
    if wanted is None or not isinstance(principal, Principal) or not principal.may(wanted):
        raise _refusal(connection, NotAllowedError(wanted))
    if wanted in STORE_WIDE and principal.is_limited:
        raise _refusal(connection, StoreWideError(wanted))


def _refusal(connection: Connection, error: RuvonError) -> Exception:
    """The error itself, or what closes a WebSocket with it."""
    return closing(error) if connection.scope["type"] == ScopeType.WEBSOCKET else error
