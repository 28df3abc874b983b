"""`HttpEgress`: requests under a policy, over connections that live as long as their event loop.

Redirects are followed here, because each of them is a new request that the policy judges. A body is read up to its limit
and the connection then dropped. One clock limits everything together, so a server that answers a byte a minute gains
nothing.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final
from weakref import WeakKeyDictionary

from ruvon.implementations.egress._decoding import ACCEPTED, Body, BodyError
from ruvon.implementations.egress._headers import HeaderError, clean_headers, for_another_origin, without_body
from ruvon.implementations.egress._policy import EgressPolicy
from ruvon.implementations.egress._resolver import Resolver, SystemResolver
from ruvon.implementations.egress._url import Target, UrlError, parse_url
from ruvon.models._http import shown_url
from ruvon.providers import MissingExtraError
from ruvon.providers.egress import (
    Connectivity,
    EgressAnswer,
    EgressFailedError,
    EgressRefusedError,
    EgressRequest,
)

if TYPE_CHECKING:
    from ruvon.implementations.egress._transport import Connections, Reply

__all__ = ["HttpEgress"]

_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_TO_GET: Final = frozenset({301, 302})


@final
@dataclass(frozen=True, slots=True)
class _Hop:
    """One request of a chain of redirects."""

    method: str
    target: Target
    headers: Mapping[str, str]
    content: bytes | None

    def redirected(self, status: int, location: str) -> "_Hop":
        """The next request of the chain.

        Raises:
            UrlError: it leads where nobody may be led.
        """
        target = self.target.join(location)
        if self.target.scheme == "https" and target.scheme == "http":
            raise UrlError("a redirect from https to http")
        headers = self.headers if target.origin == self.target.origin else for_another_origin(self.headers)
        if self.method != "HEAD" and (status == 303 or (status in _TO_GET and self.method == "POST")):
            return _Hop("GET", target, without_body(headers), None)
        return _Hop(self.method, target, headers, self.content)


@final
class HttpEgress:
    """Sends requests to servers that the policy allows. Safe to share between event loops, workflows and tenants.

    It keeps no cookies, reads no proxy from the environment, and accepts only answers that are compressed with gzip or
    deflate or not at all.

    Args:
        policy: where requests may go; what `RUVON_EGRESS_ALLOW` says where none is given.
        connectivity: knows whether there is a network.
        resolver: looks names up; this machine's where none is given.
        ssl_context: judges certificates; httpx's default where none is given.
    """

    def __init__(
        self,
        policy: EgressPolicy | None = None,
        *,
        connectivity: Connectivity | None = None,
        resolver: Resolver | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.policy = policy or EgressPolicy.from_environment()
        self._connectivity = connectivity
        self._resolver: Resolver = resolver or SystemResolver()
        self._context = ssl_context
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[Connections, AsyncGenerator[None, None]]]
        self._loops = WeakKeyDictionary()

    def is_online(self) -> bool:
        """Whether there is a network, as far as the `connectivity` knows."""
        return self._connectivity is None or self._connectivity.is_online()

    async def send(self, request: EgressRequest, /) -> EgressAnswer:
        """Send a request, follow its redirects, and read the answer.

        Raises:
            EgressRefusedError: the policy or the form of the request forbids it.
            EgressFailedError: no connection, or it broke.
            TimeoutError: the time is over.
            MissingExtraError: httpx is not installed.
        """
        shown = f"{request.method} {shown_url(request.url)}"
        limit = request.timeout if request.timeout is not None else self.policy.timeout
        try:
            async with asyncio.timeout(limit.total_seconds()):
                return await self._follow(_first_hop(request), request.max_bytes)
        except TimeoutError:
            raise TimeoutError(f"{shown} was not answered within {limit}") from None
        except (UrlError, HeaderError) as exc:
            raise EgressRefusedError(shown, str(exc)) from None
        except BodyError as exc:
            raise EgressFailedError(shown, str(exc), outcome_unknown=True) from exc

    async def close(self) -> None:
        """Close the connections of this event loop, and have the other loops close theirs; later requests open new ones."""
        here = asyncio.get_running_loop()
        for loop, (_, keeper) in list(self._loops.items()):
            if loop is here:
                await keeper.aclose()
            elif loop.is_running():
                asyncio.run_coroutine_threadsafe(keeper.aclose(), loop)

    async def _follow(self, hop: _Hop, max_bytes: int) -> EgressAnswer:
        connections = await self._connections()
        for left in range(self.policy.max_redirects, -1, -1):
            self._require_open(hop.target)
            async with connections.ask(hop.method, hop.target, hop.headers, hop.content, max_bytes) as reply:
                location = reply.headers.get("location")
                if location is None or reply.status not in _REDIRECTS or self.policy.max_redirects == 0:
                    return await _read(reply, max_bytes)
                if left:
                    hop = hop.redirected(reply.status, location)
        raise UrlError(f"more than {self.policy.max_redirects} redirects")

    def _require_open(self, target: Target) -> None:
        """Judge what can be judged without a look-up; a proxy would look up by itself."""
        ports = self.policy.ports
        if target.address is not None:
            refusal = self.policy.refusal(target.host, target.port, target.address)
            if refusal is not None:
                raise UrlError(refusal)
        elif ports is not None and target.port not in ports:
            raise UrlError(f"port {target.port} is not open; the policy's `ports` names those that are")

    async def _connections(self) -> "Connections":
        """The connections of the running loop."""
        loop = asyncio.get_running_loop()
        if loop not in self._loops:
            context = await asyncio.to_thread(
                _prepare, self._context
            )  # imports and certificates take a tenth of a second
            if loop not in self._loops:
                await self._open(loop, context)
        return self._loops[loop][0]

    async def _open(self, loop: asyncio.AbstractEventLoop, context: ssl.SSLContext) -> None:
        from ruvon.implementations.egress._transport import Connections  # noqa: PLC0415 - httpx is optional

        connections = Connections(self.policy, self._resolver, context)
        keeper = self._keep(loop, connections)
        self._loops[loop] = (connections, keeper)
        await anext(keeper)  # a loop closes its asynchronous generators before it ends, and this one its connections

    async def _keep(self, loop: asyncio.AbstractEventLoop, connections: "Connections") -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            self._loops.pop(loop, None)
            await connections.close()


def _prepare(context: ssl.SSLContext | None) -> ssl.SSLContext:
    try:
        from ruvon.implementations.egress._transport import default_context  # noqa: PLC0415 - httpx is optional
    except ImportError as exc:
        raise MissingExtraError("http", "httpx") from exc
    return context or default_context()


def _first_hop(request: EgressRequest) -> _Hop:
    if request.method not in _METHODS:
        raise UrlError(f"the method is none of {', '.join(sorted(_METHODS))}")
    target = parse_url(request.url)
    headers = clean_headers(request.headers)
    if target.credentials is not None:
        headers.setdefault("authorization", target.credentials)
    headers.setdefault("accept", "*/*")
    headers.setdefault("user-agent", "ruvon")
    headers["accept-encoding"] = ACCEPTED
    return _Hop(request.method, target, headers, request.content)


async def _read(reply: "Reply", max_bytes: int) -> EgressAnswer:
    body = Body(reply.headers.get("content-encoding", ""), max_bytes)
    async with aclosing(reply.chunks()) as chunks:
        async for chunk in chunks:
            if not body.feed(chunk):
                break
    body.finish()
    return EgressAnswer(status=reply.status, headers=reply.headers, content=body.content, truncated=body.truncated)
