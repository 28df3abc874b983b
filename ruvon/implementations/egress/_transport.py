"""The connections: the one module that imports httpx, which it uses without its redirects, cookies and environment.

httpx asks its network backend for each new connection. The one here looks the name up, judges the addresses and connects
to one of them, so what was judged is what is connected to. TLS and the `Host` header still see the name.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import replace
from functools import cache
from typing import Final, TypeAlias, cast, final

import httpcore
import httpx

from ruvon.implementations.egress._meter import METER, Meter, Metered
from ruvon.implementations.egress._policy import EgressPolicy
from ruvon.implementations.egress._resolver import Resolver, allowed_addresses
from ruvon.implementations.egress._url import Target, parse_url
from ruvon.providers.egress import EgressFailedError

__all__ = ["Connections", "Reply", "default_context"]

SocketOption: TypeAlias = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]
_BROKEN: Final[Mapping[type[Exception], str]] = {
    httpcore.ConnectError: "no connection",
    httpcore.ConnectTimeout: "no connection in time",
    httpcore.RemoteProtocolError: "the answer is no HTTP, or it broke off",
    httpcore.NetworkError: "the connection broke",
    httpcore.TimeoutException: "no answer in time",
    httpcore.ProxyError: "the proxy refused",
    httpcore.ProtocolError: "the request or the answer is no HTTP",
}


_UNSENT: Final = (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.ProxyError)
_IDLE: Final = 64
"""So many connections are kept that nobody uses: at each request the pool compares each of them with all there are."""
_ASKING: Final = ContextVar("ruvon_asking", default=False)


@final
class _Discretion(logging.Filter):
    """Drops what httpcore logs about our own requests: at its lowest level it shows every header of an answer."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is somebody else's."""
        return not _ASKING.get()


for _logger in ("httpcore.connection", "httpcore.http11", "httpcore.proxy"):
    logging.getLogger(_logger).addFilter(_Discretion())


@final
class Reply:
    """An answer whose body has not been read."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers: dict[str, str] = {}
        for name, value in response.headers.multi_items():
            known = self.headers.get(name)
            self.headers[name] = value if known is None else f"{known}, {value}"
        self._response = response

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body as it comes."""
        return cast("AsyncGenerator[bytes, None]", self._response.aiter_raw())


@final
class Connections:
    """The connections of one event loop.

    Args:
        policy: where they may lead.
        resolver: looks names up.
        context: judges certificates.
    """

    def __init__(self, policy: EgressPolicy, resolver: Resolver, context: ssl.SSLContext) -> None:
        self._transport = _Transport(_pool(policy, resolver, context))
        self._places = asyncio.Semaphore(policy.max_connections)  # the pool's own queue blocks the loop when it is long

    @asynccontextmanager
    async def ask(
        self, method: str, target: Target, headers: Mapping[str, str], content: bytes | None, max_bytes: int
    ) -> AsyncGenerator[Reply, None]:
        """Send a request; its connection is given back, or closed where the body was not read to its end.

        Args:
            method: what is asked.
            target: where.
            headers: as they are sent.
            content: the body; None where there is none.
            max_bytes: the longest body of an answer that is read.

        Raises:
            EgressError: there is no answer.
        """
        url = httpx.URL(scheme=target.scheme, host=target.host, port=target.port, raw_path=target.path.encode())
        sent = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        async with self._places:
            token, meter = _ASKING.set(True), Meter(max_bytes)
            metering = METER.set(meter)
            try:
                response = await self._transport.handle_async_request(
                    httpx.Request(method, url, headers=sent, content=content, extensions={"trace": meter.trace})
                )
                try:
                    yield Reply(response)
                finally:
                    await response.aclose()
            except tuple(_BROKEN) as exc:
                reason = next(text for kind, text in _BROKEN.items() if isinstance(exc, kind))
                asked = f"{method} {target.scheme}://{target.authority}"
                raise EgressFailedError(asked, reason, outcome_unknown=not isinstance(exc, _UNSENT)) from exc
            finally:
                METER.reset(metering)
                _ASKING.reset(token)

    async def close(self) -> None:
        """Close them all."""
        await self._transport.aclose()


@cache
def default_context() -> ssl.SSLContext:
    """The judge of certificates that httpx has; made once, because it reads them all."""
    return httpx.create_ssl_context()


def _pool(policy: EgressPolicy, resolver: Resolver, context: ssl.SSLContext) -> httpcore.AsyncConnectionPool:
    expiry = policy.keep_alive.total_seconds()
    if policy.proxy is None:
        return httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=policy.max_connections,
            max_keepalive_connections=_IDLE,
            keepalive_expiry=expiry,
            network_backend=_Backend(policy, resolver),
        )
    proxy = parse_url(policy.proxy)
    headers = [] if proxy.credentials is None else [(b"Proxy-Authorization", proxy.credentials.encode())]
    # Whoever names a proxy opens it, wherever it stands.
    way = replace(policy, allow_hosts=(proxy.host,), allow_networks=("0.0.0.0/0", "::/0"), ports=None)
    return httpcore.AsyncHTTPProxy(
        proxy.url,
        proxy_headers=headers,
        ssl_context=context,
        max_connections=policy.max_connections,
        max_keepalive_connections=_IDLE,
        keepalive_expiry=expiry,
        network_backend=_Backend(way, resolver),
    )


@final
class _Backend(httpcore.AsyncNetworkBackend):
    """Connects to addresses that the policy allows, and to nothing else."""

    def __init__(self, policy: EgressPolicy, resolver: Resolver) -> None:
        self._policy = policy
        self._resolver = resolver
        self._sockets = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the first address of a name that takes one."""
        addresses = await allowed_addresses(self._resolver, self._policy, host, port)
        seconds = self._policy.connect_timeout.total_seconds()
        for address in addresses[:-1]:
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):  # the next one may take it
                return Metered(await self._sockets.connect_tcp(str(address), port, seconds))
        return Metered(await self._sockets.connect_tcp(str(addresses[-1]), port, seconds))

    async def sleep(self, seconds: float) -> None:
        """Wait; the pool does so between attempts to connect, of which there is one."""
        await self._sockets.sleep(seconds)


@final
class _Transport(httpx.AsyncBaseTransport):
    """httpx's requests and answers over a pool with our backend."""

    def __init__(self, pool: httpcore.AsyncConnectionPool) -> None:
        self._pool = pool

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the answer's body is still to be read."""
        url = request.url
        reply = await self._pool.handle_async_request(
            httpcore.Request(
                request.method,
                httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.content,
                extensions=request.extensions,
            )
        )
        stream = reply.stream
        if not isinstance(stream, AsyncIterable):
            raise TypeError("the pool is asynchronous and gave a synchronous answer")
        return httpx.Response(reply.status, headers=reply.headers, stream=_Stream(stream))

    async def aclose(self) -> None:
        """Close the pool."""
        await self._pool.aclose()


@final
class _Stream(httpx.AsyncByteStream):
    """A body as the pool gives it."""

    def __init__(self, stream: AsyncIterable[bytes]) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part

    async def aclose(self) -> None:
        """Give the connection back."""
        close = getattr(self._stream, "aclose", None)
        if close is not None:
            await close()
