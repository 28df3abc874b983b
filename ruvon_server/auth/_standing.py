"""Whether whoever has opened a stream may still read it."""

from typing import final

from ruvon.providers import PersistenceError
from ruvon_server.auth._principal import Principal
from ruvon_server.auth._provider import Authenticator, Connection
from ruvon_server.problems import NotAuthenticatedError

__all__ = ["Standing"]


@final
class Standing:
    """What a connection was let in with; an answer that goes on for hours asks for it again and again.

    Args:
        authenticator: who says who asks.
        connection: what he brought along.
        principal: whom that stood for.
    """

    def __init__(self, authenticator: Authenticator, connection: Connection, principal: Principal) -> None:
        self._authenticator = authenticator
        self._connection = connection
        self._principal = principal

    async def require(self) -> None:
        """See to it that the same key or token still stands for the same. A store that is away says nothing against it.

        Raises:
            NotAuthenticatedError: it has ended, or allows something else now.
        """
        try:
            found = await self._authenticator.authenticate(self._connection)
        except PersistenceError:
            return
        if found != self._principal:
            raise NotAuthenticatedError("what the key or token allows has changed; connect again")
