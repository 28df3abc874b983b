"""Event streams in the process of a test: the application is called as a server calls it, and read message by message."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

__all__ = ["EventStream", "Socket", "connected", "streamed"]

PATIENCE_S: Final = 10.0


@dataclass
class EventStream:
    """An answer with server-sent events, as it comes."""

    sent: "asyncio.Queue[dict[str, Any]]" = field(default_factory=asyncio.Queue)
    reads: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared, the client reads nothing."""
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""
    is_over: bool = False

    async def send(self, message: dict[str, Any]) -> None:
        """What the application sends."""
        await self.reads.wait()
        await self.sent.put(message)

    async def block(self) -> str | None:
        """The next block as it was sent, comments too; None at the end."""
        while "\n\n" not in self.text and not self.is_over:
            message = await asyncio.wait_for(self.sent.get(), PATIENCE_S)
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
            else:
                self.text += message.get("body", b"").decode()
                self.is_over = not message.get("more_body", False)
        head, separator, self.text = self.text.partition("\n\n")
        return head if separator else None

    async def event(self, *kinds: str) -> dict[str, Any]:
        """The next event, of one of these kinds where some are given: its fields, the data as a value."""
        while (block := await self.block()) is not None:
            fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
            if "event" in fields and (not kinds or fields["event"] in kinds):
                return {**fields, "data": json.loads(fields["data"])}
        return {"event": "over", "data": {}}

    async def rest(self) -> list[dict[str, Any]]:
        """Every event until the end."""
        found = []
        while (event := await self.event())["event"] != "over":
            found.append(event)
        return found


@dataclass
class Socket:
    """The client's side of a WebSocket."""

    sent: "asyncio.Queue[dict[str, Any]]" = field(default_factory=asyncio.Queue)
    said: "asyncio.Queue[dict[str, Any]]" = field(default_factory=asyncio.Queue)

    async def message(self, *kinds: str) -> dict[str, Any]:
        """The next message, of one of these events where some are given; how it was closed, where it was."""
        while True:
            found = await asyncio.wait_for(self.sent.get(), PATIENCE_S)
            if found["type"] == "websocket.close":
                return {"event": "closed", "code": found["code"], "reason": found.get("reason", "")}
            if found["type"] == "websocket.send":
                value: dict[str, Any] = json.loads(found.get("text") or found["bytes"])
                if not kinds or value["event"] in kinds:
                    return value


def _scope(kind: str, target: str, headers: dict[str, str]) -> dict[str, Any]:
    parts = urlsplit(target)
    scope: dict[str, Any] = {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "path": parts.path,
        "raw_path": parts.path.encode(),
        "root_path": "",
        "query_string": parts.query.encode(),
        "headers": [
            (name.lower().encode(), value.encode()) for name, value in {"host": "localhost", **headers}.items()
        ],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    return scope | ({"method": "GET", "scheme": "http"} if kind == "http" else {"scheme": "ws", "subprotocols": []})


@asynccontextmanager
async def streamed(app: Any, target: str, **headers: str) -> AsyncGenerator[EventStream, None]:
    """An open stream of an application that has been started; the client goes away at the end."""
    stream, gone = EventStream(), asyncio.Event()
    stream.reads.set()
    asked = False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    names = {name.replace("_", "-"): value for name, value in headers.items()}
    task = asyncio.create_task(app(_scope("http", target, names), receive, stream.send))
    try:
        yield stream
    finally:
        gone.set()
        stream.reads.set()
        await asyncio.wait_for(task, PATIENCE_S)


@asynccontextmanager
async def connected(app: Any, target: str, **headers: str) -> AsyncGenerator[Socket, None]:
    """An open WebSocket of an application that has been started; the client goes away at the end."""
    socket = Socket()
    socket.said.put_nowait({"type": "websocket.connect"})
    task = asyncio.create_task(app(_scope("websocket", target, headers), socket.said.get, socket.sent.put))
    try:
        yield socket
    finally:
        socket.said.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await asyncio.wait_for(task, PATIENCE_S)
