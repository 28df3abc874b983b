"""How much of an answer is read from the wire: what frames a body can be far longer than the body.

A server may send interim answers (`103`) without end before the real one, or a kilobyte about each byte of a body. Parsing
them costs this machine more than sending them costs the other, so the head and the body have a number of bytes each.
"""

import ssl
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final, final

import httpcore

__all__ = ["METER", "Meter", "Metered"]

_HEAD_BYTES: Final = 32_768
"""Longest head of an answer, interim answers included."""
_FRAMES: Final = 8
"""A body may come with so many times its own length: each of its bytes as a chunk of its own."""
_HEAD_IS_READ: Final = "http11.receive_response_headers.complete"


@final
class Meter:
    """What one answer may still send.

    Args:
        max_bytes: the longest body that is read.
    """

    def __init__(self, max_bytes: int) -> None:
        self._left = _HEAD_BYTES
        self._body = _HEAD_BYTES + _FRAMES * max_bytes

    def room(self, wanted: int) -> int:
        """How many bytes may be read now.

        Raises:
            RemoteProtocolError: none, the server sends too much.
        """
        if self._left <= 0:
            raise httpcore.RemoteProtocolError("the answer is longer than it may be")
        return min(wanted, self._left)

    def count(self, read: int) -> None:
        """So many bytes were read."""
        self._left -= read

    async def trace(self, event: str, _: Mapping[str, Any]) -> None:
        """What the pool tells of the request."""
        if event == _HEAD_IS_READ:
            self._left = self._body


METER: Final[ContextVar[Meter | None]] = ContextVar("ruvon_meter", default=None)
"""The meter of the request that a task makes."""


@final
class Metered(httpcore.AsyncNetworkStream):
    """A connection whose bytes are counted for the request that reads them.

    Args:
        stream: the connection.
    """

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(
        self,
        max_bytes: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
    ) -> bytes:
        """Read what has come, as far as it may be read."""
        meter = METER.get()
        found = await self._stream.read(max_bytes if meter is None else meter.room(max_bytes), timeout)
        if meter is not None:
            meter.count(len(found))
        return found

    async def write(
        self,
        buffer: bytes,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
    ) -> None:
        """Send."""
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close it."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
    ) -> httpcore.AsyncNetworkStream:
        """Go on encrypted; what is counted then is what was decrypted."""
        return Metered(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """What the connection tells about itself."""
        return self._stream.get_extra_info(info)
