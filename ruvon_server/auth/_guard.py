"""The guard of all handlers: closed unless the handler says what it asks for and the principal has it."""

from litestar.handlers import BaseRouteHandler

from ruvon_server.auth._middleware import PERMISSION
from ruvon_server.auth._permissions import PUBLIC
from ruvon_server.auth._principal import Principal
from ruvon_server.auth._provider import Connection
from ruvon_server.auth._roles import STORE_WIDE
from ruvon_server.problems import NotAllowedError, StoreWideError

__all__ = ["require_permission"]


def require_permission(connection: Connection, handler: BaseRouteHandler) -> None:
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
        raise NotAllowedError(wanted)
    if wanted in STORE_WIDE and principal.is_limited:
        raise StoreWideError(wanted)
