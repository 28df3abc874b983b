"""Async code for callers that are not: one event loop in one daemon thread, started when first needed."""

import asyncio
import os
import threading
from collections.abc import Coroutine
from typing import Any, Final, TypeVar, final

from ruvon.models import ExecutionError

__all__ = ["BridgeError", "run_coroutine_sync"]

R = TypeVar("R")


class BridgeError(ExecutionError):
    """A synchronous method was called where it would block the loop that has to do its work."""

    def __init__(self) -> None:
        super().__init__(
            "a synchronous method was called on the background loop that runs it, which would wait for itself for ever; "
            "await the asynchronous method instead"
        )


@final
class _Bridge:
    """The background loop."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew: a forked process has neither the thread nor whoever held the lock."""
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def loop(self) -> asyncio.AbstractEventLoop:
        """The running loop; it is started when there is none."""
        with self._lock:
            if self._loop is None or self._thread is None or not self._thread.is_alive():
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="ruvon-bridge", daemon=True)
                self._thread.start()
            return self._loop

    def is_here(self) -> bool:
        """Whether the caller runs on the background loop itself."""
        return self._thread is threading.current_thread()


_BRIDGE: Final = _Bridge()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_BRIDGE.forget)


def run_coroutine_sync(work: Coroutine[Any, Any, R], timeout: float | None = None) -> R:
    """Run a coroutine on the background loop and wait for it.

    Args:
        work: what to run.
        timeout: seconds to wait; the coroutine is cancelled when they are over.

    Raises:
        BridgeError: the caller is that loop itself.
        TimeoutError: the time is over.
    """
    if _BRIDGE.is_here():
        work.close()
        raise BridgeError
    future = asyncio.run_coroutine_threadsafe(work, _BRIDGE.loop())
    try:
        return future.result(timeout)
    except TimeoutError:
        future.cancel()
        raise
