"""The guard of all handlers: closed unless the handler says what it asks for and the principal has it."""

from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler

from ruvon_server.auth._middleware import PERMISSION
from ruvon_server.auth._permissions import PUBLIC
from ruvon_server.auth._principal import Principal
from ruvon_server.auth._provider import Connection
from ruvon_server.problems import NotAllowedError, closing

__all__ = ["require_permission"]


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
