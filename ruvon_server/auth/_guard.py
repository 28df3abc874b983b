"""The guard of all handlers: closed unless the handler says what it asks for and the principal has it."""

from urllib.parse import urlsplit

from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler

from ruvon_server.auth._middleware import PERMISSION
from ruvon_server.auth._permissions import PUBLIC
from ruvon_server.auth._principal import Principal
from ruvon_server.auth._provider import Connection
from ruvon_server.problems import NotAllowedError, OtherOriginError, closing

__all__ = ["require_origin", "require_permission"]


def require_origin(connection: Connection, _: BaseRouteHandler) -> None:
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


def require_permission(connection: Connection, handler: BaseRouteHandler) -> None:
    """Refuse whoever lacks what the handler asks for; one that says nothing is open to nobody.

    Raises:
        NotAllowedError: the principal lacks the permission.
    """
    wanted = handler.opt.get(PERMISSION)
    if wanted == PUBLIC:
        return
    principal: object = dict(connection.scope).get("user")
    if wanted is None or not isinstance(principal, Principal) or not principal.may(wanted):
        refused = NotAllowedError(wanted)
        raise closing(refused) if connection.scope["type"] == ScopeType.WEBSOCKET else refused
