"""A watch over bodies that never await: on the virtual loop nothing else could end them.

A thread of its own looks at how long one stretch of a body has run, in real time, and throws an exception into it. Only code
of Python can be reached like that: a call into a library in C ends first.
"""

import asyncio
import ctypes
import sys
import threading
import time
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final, Self, final

from ruvon.testing._errors import HarnessError

__all__ = ["BodyHangs", "Watchdog", "watched_over"]

_LOOKS: Final = 5
"""So often it looks in the time that a stretch may take."""


class BodyHangs(BaseException):
    """A body that never awaits is broken off."""


@final
class Watchdog:
    """Watches the bodies that run in the thread that made it.

    Args:
        patience_s: how long one stretch of a body may take, in seconds of real time; 0 is for ever.
    """

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._thread = threading.get_ident()
        self._lock = threading.Lock()
        self._began: float | None = None
        self._name = ""
        self._ended = threading.Event()
        self._watcher: threading.Thread | None = None
        self.caught = ""
        """The body that was broken off, and where it was."""

    def __enter__(self) -> Self:
        if self._patience_s > 0:
            self._watcher = threading.Thread(target=self._watch, name="ruvon-watchdog", daemon=True)
            self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._watcher is not None:
            self._watcher.join()
        if self.caught and isinstance(error, BodyHangs):
            raise HarnessError(
                f"{self.caught} ran for {self._patience_s:g} seconds without awaiting anything, so nothing else could go "
                "on; let its loop end, or await in it"
            ) from None

    @contextmanager
    def over(self, name: str) -> Generator[None]:
        """Watch one stretch of a body."""
        with self._lock:
            before = self._began, self._name
            self._began, self._name = time.monotonic(), name
        try:
            yield
        finally:
            with self._lock:
                self._began, self._name = before

    def _watch(self) -> None:
        while not self._ended.wait(self._patience_s / _LOOKS):
            with self._lock:
                if self._began is None or time.monotonic() - self._began < self._patience_s:
                    continue
                self._began = time.monotonic()
                self.caught = f"the body of `{self._name}`{self._place()}"
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread), ctypes.py_object(BodyHangs))

    def _place(self) -> str:
        frames = sys._current_frames()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        frame = frames.get(self._thread)
        while frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] == "ruvon":
            frame = frame.f_back  # the state of a step is ours, and a loop may be in it just now
        return f" ({frame.f_code.co_filename}:{frame.f_lineno})" if frame is not None else ""


async def watched_over(dog: Watchdog, name: str, made: Any) -> Any:
    """Await a body under the watch: each stretch between two of its awaits counts for itself."""
    return await _Stretches(dog, name, made if asyncio.iscoroutine(made) else _awaited(made))


async def _awaited(made: Any) -> Any:
    return await made


@final
class _Stretches:
    def __init__(self, dog: Watchdog, name: str, body: Coroutine[Any, Any, Any]) -> None:
        self._dog = dog
        self._name = name
        self._body = body

    def __await__(self) -> Generator[Any, Any, Any]:
        value: Any = None
        error: BaseException | None = None
        while True:
            try:
                with self._dog.over(self._name):
                    wanted = self._body.send(value) if error is None else self._body.throw(error)
            except StopIteration as stop:
                return stop.value
            try:
                value, error = (yield wanted), None
            except BaseException as exc:  # noqa: BLE001 - whatever is thrown in goes to the body
                value, error = None, exc
