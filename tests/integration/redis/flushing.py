"""A server that knows WAITAOF, in front of one that may be too old for it: it answers that command alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

__all__ = ["Flushing", "flushing"]


class Flushing:
    """Answers `WAITAOF` with what is left in `flushed`, the last one for ever; everything else is passed on."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 6379
        self.flushed = [1]
        self.asked: list[bytes] = []
        self.url = ""
        self._tasks: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection in a task of its own."""
        self._tasks.add(asyncio.create_task(self.serve(reader, writer)))

    async def ended(self) -> None:
        """Until every connection is closed."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection; a request comes in one piece, because the next one waits for its answer."""
        far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
        back = asyncio.create_task(self._answers(far_reader, writer))
        with suppress(ConnectionError):
            while data := await reader.read(1 << 20):
                if b"WAITAOF" in data:
                    self.asked.append(data)
                    local = self.flushed.pop(0) if len(self.flushed) > 1 else self.flushed[0]
                    writer.write(b"*2\r\n:%d\r\n:0\r\n" % local)
                else:
                    far_writer.write(data)
                    await far_writer.drain()
        back.cancel()
        for end in (writer, far_writer):
            end.close()
            with suppress(ConnectionError):
                await end.wait_closed()

    async def _answers(self, source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        while data := await source.read(1 << 20):
            to.write(data)
            await to.drain()


@asynccontextmanager
async def flushing(url: str) -> AsyncIterator[Flushing]:
    """Such a server in front of the one at this URL."""
    made = Flushing(url)
    listening = await asyncio.start_server(made.accept, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    made.url = urlunsplit(urlsplit(url)._replace(netloc=f"127.0.0.1:{port}"))
    try:
        yield made
    finally:
        listening.close()
        await made.ended()
