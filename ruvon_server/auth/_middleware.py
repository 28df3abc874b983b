"""The middleware that asks the authentication provider who calls, once for each connection."""

from typing import Final, final

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from ruvon_server.auth._permissions import PUBLIC
from ruvon_server.auth._provider import Authenticator, Connection
from ruvon_server.problems import NotAuthenticatedError, closing

__all__ = ["PERMISSION", "AuthMiddleware"]

PERMISSION: Final = "permission"
"""The option of a handler that says what it asks for."""


@final
class AuthMiddleware(ASGIMiddleware):
    """Puts the principal into the connection; public handlers are reached without one.

    Args:
        authenticator: who says it.
    """

    scopes = (ScopeType.HTTP, ScopeType.WEBSOCKET)

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Authenticate and go on."""
        if scope["route_handler"].opt.get(PERMISSION) != PUBLIC:
            try:
                scope["user"] = await self._authenticator.authenticate(Connection(scope))
            except NotAuthenticatedError as exc:
                raise closing(exc) if scope["type"] == ScopeType.WEBSOCKET else exc from None
        await next_app(scope, receive, send)
