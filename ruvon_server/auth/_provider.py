"""Authentication providers: they say who asks, from what a connection brings along."""

from collections.abc import Sequence
from typing import Any, Final, Protocol, TypeAlias, cast, final
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection

from ruvon_server.auth._principal import Principal
from ruvon_server.problems import CrossOriginError, ForeignHostError, NotAuthenticatedError
from ruvon_server.settings import is_loopback

__all__ = ["Authenticator", "Connection", "DisabledAuthenticator", "token_of"]

Connection: TypeAlias = ASGIConnection[Any, Any, Any, Any]
_BEARER: Final = "bearer "
_LONGEST: Final = 8_192


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
    """Everybody is the administrator: for a machine that nobody else reaches.

    A browser on that machine reaches the server for any page that it shows, so pages of other origins are refused; and so
    are requests that reach this machine under a name that is not its own, as one that somebody has made point to it.

    Args:
        origins: origins whose pages may ask.
        hosts: names under which it is asked, beside those of this machine.
    """

    _ADMIN = Principal.admin("local")

    def __init__(self, origins: tuple[str, ...] = (), hosts: tuple[str, ...] = ()) -> None:
        self._origins = frozenset(origins)
        self._hosts = frozenset(hosts)

    async def authenticate(self, connection: Connection, /) -> Principal:
        """The administrator.

        Raises:
            CrossOriginError: the request is that of a page from elsewhere, or for another machine.
        """
        self._require_host(connection)
        origin = connection.headers.get("origin")
        is_own = origin is None or origin in self._origins or _netloc(origin) == connection.headers.get("host")
        if origin is not None and not is_own:
            raise CrossOriginError(origin)
        return self._ADMIN

    def _require_host(self, connection: Connection) -> None:
        server: object = dict(connection.scope).get("server")
        host = connection.headers.get("host", "")
        is_here = isinstance(server, tuple | list) and is_loopback(str(cast("Sequence[object]", server)[0]))
        name = _name(host)
        if is_here and not (name in self._hosts or is_loopback(name)):
            raise ForeignHostError(host)


def _name(host: str) -> str:
    """The name or address in a header `Host`, without the port."""
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]


def _netloc(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def token_of(connection: Connection) -> str:
    """What a request brings along to say who asks: `Authorization: Bearer ...` or `X-API-Key: ...`.

    Raises:
        NotAuthenticatedError: it brings nothing, two different things, or something that is too long to be true.
    """
    said = connection.headers.getall("authorization", [])
    found = [item[len(_BEARER) :].strip() for item in said if item[: len(_BEARER)].lower() == _BEARER]
    found += [item.strip() for item in connection.headers.getall("x-api-key", [])]
    if not found:
        raise NotAuthenticatedError(
            "the request does not say who asks; send an API key or a token as `Authorization: Bearer ...`"
        )
    if len(found) > 1 or len(found[0]) > _LONGEST or not found[0].isascii():
        raise NotAuthenticatedError("what the request sends to say who asks is none: send one key or one token")
    return found[0]
