"""A real HTTP server on loopback, in a thread, whose answers a test writes."""

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

__all__ = ["Asked", "Server", "answer", "serving"]


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Behave = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Server:
    """What was asked, and how many requests lay here at once."""

    behave: Behave
    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    most_at_once: int = 0
    at_once: int = 0
    connections: int = 0
    tasks: set[object] = field(default_factory=set)
    """Those that answer; the loop alone would forget one that waits for ever."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        self.tasks.add(asyncio.current_task())
        try:
            while True:
                asked = await _read(reader)
                self.asked.append(asked)
                self.at_once += 1
                self.most_at_once = max(self.most_at_once, self.at_once)
                try:
                    await self.behave(asked, writer)
                    await writer.drain()
                finally:
                    self.at_once -= 1
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    return Asked(method, path, headers, await reader.readexactly(int(headers.get("content-length", 0))))


def answer(
    writer: asyncio.StreamWriter, status: int = 200, body: bytes = b"", headers: dict[str, str] | None = None
) -> None:
    """Write a whole answer."""
    lines = {"content-length": str(len(body)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    writer.write(f"HTTP/1.1 {status} Word\r\n{head}\r\n".encode("latin-1") + body)


@contextmanager
def serving(behave: Behave, context: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server that runs while the block does."""
    made = Server(behave)
    ready, loop = threading.Event(), asyncio.new_event_loop()

    async def main() -> None:
        listener = await asyncio.start_server(made.serve, "127.0.0.1", 0, backlog=512, ssl=context)
        made.port = listener.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        listener.close()
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:  # accepting makes further ones
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    stop = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(main()))
    thread.start()
    ready.wait(30)
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        loop.close()
