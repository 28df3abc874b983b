"""A wire between a provider and the server that is cut at a chosen moment: before a request arrives, or before its answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs, urlsplit, urlunsplit

__all__ = ["Wire", "wire"]


class Wire:
    """Connections through here; armed, it cuts the first one that says a word."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = parse_qs(parts.query).get("host", [""])[0]
        self._host, self._port = parts.hostname or "", parts.port or 5432
        self._parts = parts
        self._word = b""
        self._before = False
        self._refuse = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: set[asyncio.StreamWriter] = set()
        self.cuts = 0
        self.refuse_after_cut = False
        self.url = ""

    def arm(self, word: bytes, *, before: bool) -> None:
        """Cut at the next request with this word in it: `before` the server has it, or when its answer comes back."""
        self._word, self._before = word, before

    def refuse(self, *, refused: bool) -> None:
        """Cut everything, and take no connection until told otherwise."""
        self._refuse = refused
        for writer in list(self._open):
            writer.close()

    async def ended(self) -> None:
        """Until every connection is closed."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection in a task of its own."""
        task = asyncio.create_task(self.serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        if self._refuse:
            writer.close()
            return
        if self._socket:
            far_reader, far_writer = await asyncio.open_unix_connection(f"{self._socket}/.s.PGSQL.{self._port}")
        else:
            far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
        self._open |= {writer, far_writer}
        answer_is_lost = asyncio.Event()
        there = asyncio.create_task(self._requests(reader, far_writer, answer_is_lost))
        back = asyncio.create_task(self._answers(far_reader, writer, answer_is_lost))
        with suppress(ConnectionError):
            await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
        for task in (there, back):
            task.cancel()
        await asyncio.gather(there, back, return_exceptions=True)
        for end in (writer, far_writer):
            self._open.discard(end)
            end.close()

    async def _requests(self, source: asyncio.StreamReader, to: asyncio.StreamWriter, lost: asyncio.Event) -> None:
        while data := await source.read(1 << 20):
            if self._word and self._word in data:
                self._word = b""
                self.cuts += 1
                self._refuse = self.refuse_after_cut
                if self._before:
                    return
                lost.set()
            to.write(data)
            await to.drain()

    async def _answers(self, source: asyncio.StreamReader, to: asyncio.StreamWriter, lost: asyncio.Event) -> None:
        while data := await source.read(1 << 20):
            if lost.is_set():
                return
            to.write(data)
            await to.drain()


@asynccontextmanager
async def wire(url: str) -> AsyncIterator[Wire]:
    """A wire to the database of this URL."""
    made = Wire(url)
    listening = await asyncio.start_server(made.accept, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    parts = urlsplit(url)
    user = f"{parts.username or 'postgres'}@" if parts.scheme.startswith("postgres") else ""
    made.url = urlunsplit(parts._replace(netloc=f"{user}127.0.0.1:{port}", query=""))
    try:
        yield made
    finally:
        listening.close()
        made.refuse(refused=True)
        await made.ended()
