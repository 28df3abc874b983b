"""`serve`: the server as a process of its own, on uvicorn, with an orderly end."""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import Awaitable, Callable, Generator
from typing import Final, final

import uvicorn
from prometheus_client import CollectorRegistry

from ruvon.builder import WorkflowBuilder
from ruvon_server.app import create_app
from ruvon_server.settings import ServerSettings, ServerSettingsError

__all__ = ["serve"]

_BACKLOG: Final = 2_048
_KEEP_ALIVE_S: Final = 10
_SAID_BYTES: Final = 65_536
"""So much may be said at a time over a WebSocket, where nothing is asked."""
_AFTER_S: Final = 0.5
"""So long after its grace a connection is cut."""


async def serve(
    settings: ServerSettings,
    *,
    builder: WorkflowBuilder | None = None,
    registry: CollectorRegistry | None = None,
    tell: Callable[[str], None] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; requests, streams and steps under way have the grace of the settings to end.

    Args:
        settings: how the server is set up.
        builder: the workflows and their store; made from the settings where none is given.
        registry: the numbers that `/metrics` shows.
        tell: is told the URL as soon as requests are answered.

    Raises:
        ServerSettingsError: the settings cannot be used, or the address cannot be listened on.
        PersistenceError: the store cannot be opened.
    """
    app = create_app(settings, builder=builder, registry=registry)
    listening = _listen(settings)
    config = uvicorn.Config(
        app,
        lifespan="on",
        log_config=None,
        access_log=settings.dev,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        ws_max_size=_SAID_BYTES,
        ws_per_message_deflate=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, round(settings.shutdown_grace_s)),
    )
    server = _Server(config, _url(settings.host, listening), tell, app.state.before_end)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # a platform without them is ended by Ctrl-C at once
            loop.add_signal_handler(number, server.end)
    try:
        await server.serve(sockets=[listening])
    finally:
        listening.close()
    if server.failed:
        raise ServerSettingsError("the server could not start; what it said before this line tells why")


@final
class _Server(uvicorn.Server):
    """Uvicorn that leaves signals to its caller, and tells when it answers."""

    def __init__(
        self,
        config: uvicorn.Config,
        url: str,
        tell: Callable[[str], None] | None,
        before_end: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(config)
        self._before_end = before_end
        self._url = url
        self._tell = tell
        self.failed = False

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        self.failed = not self.started
        if self.started:
            gc.collect()
            gc.freeze()  # what is loaded for good
            if self._tell is not None:
                self._tell(self._url)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let event streams end by themselves, then wait for requests under way."""
        await self._before_end()
        await super().shutdown(sockets)

    def end(self) -> None:
        """Take no more requests and let those under way end; a second call cuts them off."""
        if self.should_exit:
            self.force_exit = True
        self.should_exit = True


def _listen(settings: ServerSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=_BACKLOG)
    except OSError as exc:
        raise ServerSettingsError(
            f"nothing can listen on {settings.host} port {settings.port} ({exc.strerror or exc}); "
            "end what uses it, or choose another with --host and --port"
        ) from None


def _url(host: str, listening: socket.socket) -> str:
    port = int(listening.getsockname()[1])
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}"


logging.getLogger("uvicorn.error").addFilter(lambda record: not record.getMessage().startswith("Uvicorn running on"))
