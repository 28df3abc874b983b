"""Authentication providers: they say who asks, from what a connection brings along."""

from typing import Any, Protocol, TypeAlias, final

from litestar.connection import ASGIConnection

from ruvon_server.auth._principal import Principal
from ruvon_server.settings import ServerSettingsError

__all__ = ["Authenticator", "Connection", "DisabledAuthenticator", "authenticator_named"]

Connection: TypeAlias = ASGIConnection[Any, Any, Any, Any]


class Authenticator(Protocol):
    """Says who asks."""

    async def authenticate(self, connection: Connection, /) -> Principal:
        """The one who asks.

        Raises:
            NotAuthenticatedError: nothing of the connection says who it is, or what it says is not true.
        """
        ...


@final
class DisabledAuthenticator:
    """Everybody is the administrator: for a machine that nobody else reaches."""

    _ADMIN = Principal.admin("local")

    async def authenticate(self, connection: Connection, /) -> Principal:
        """The administrator."""
        return self._ADMIN


def authenticator_named(name: str) -> Authenticator:
    """The provider of this name.

    Raises:
        ServerSettingsError: there is none.
    """
    if name == "disabled":
        return DisabledAuthenticator()
    raise ServerSettingsError(f"there is no authentication provider `{name}`; it is one of: disabled")
