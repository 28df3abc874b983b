"""The middleware that asks the authentication provider who calls, once for each connection, and how often he may."""

import logging
from typing import Final, final

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from ruvon.ir import RuvonError
from ruvon_server.auth._address import Addresses, network_of
from ruvon_server.auth._limits import Buckets
from ruvon_server.auth._provider import Authenticator, Connection
from ruvon_server.auth._standing import Standing
from ruvon_server.models.permissions import PUBLIC
from ruvon_server.problems import NotAuthenticatedError, closing

__all__ = ["ADDRESS", "PERMISSION", "STANDING", "AuthMiddleware"]

_LOGGER: Final = logging.getLogger("ruvon.server.auth")
PERMISSION: Final = "permission"
"""The option of a handler that says what it asks for."""
ADDRESS: Final = "ruvon_address"
"""Where the state of a connection has the address of whoever asks."""
STANDING: Final = "ruvon_standing"
"""Where it has what whoever asks was let in with."""
_FREE: Final = frozenset({"/health", "/ready"})
"""What supervisors and balancers ask as often as they like."""


@final
class AuthMiddleware(ASGIMiddleware):
    """Puts the principal into the connection; public handlers are reached without one.

    A principal has a number of requests, an address one for what nobody has to be recognised for and for attempts to be
    recognised that have failed.

    Args:
        authenticator: who says it.
        addresses: where connections come from.
        buckets: how often somebody may ask.
    """

    scopes = (ScopeType.HTTP, ScopeType.WEBSOCKET)

    def __init__(self, authenticator: Authenticator, addresses: Addresses, buckets: Buckets) -> None:
        self._authenticator = authenticator
        self._addresses = addresses
        self._buckets = buckets

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Authenticate and go on."""
        try:
            await self._admit(scope)
        except RuvonError as exc:
            if scope["type"] == ScopeType.WEBSOCKET:
                raise closing(exc) from None
            raise
        await next_app(scope, receive, send)

    async def _admit(self, scope: Scope) -> None:
        connection = Connection(scope)
        address = self._addresses.of(connection)
        scope["state"][ADDRESS] = address
        place = f"address/{network_of(address)}" if self._buckets.are_limited else ""
        if scope["route_handler"].opt.get(PERMISSION) != PUBLIC:
            self._buckets.require(place)
            try:
                principal = await self._authenticator.authenticate(connection)
            except NotAuthenticatedError as exc:
                _LOGGER.warning("nobody is recognised: %s %r from %s: %s", scope["type"], scope["path"], address, exc)
                self._buckets.take(place)
                raise
            scope["user"] = principal
            scope["state"][STANDING] = Standing(self._authenticator, connection, principal)
            self._buckets.take(f"principal/{principal.name}")
        elif scope["path"] not in _FREE:
            self._buckets.take(place)
