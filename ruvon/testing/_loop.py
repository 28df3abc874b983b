"""An event loop whose time is virtual: it never sleeps, it jumps.

Where nothing is ready and only timers are left, the loop moves its clock to the next of them, so months pass in
milliseconds, and `asyncio.sleep`, `asyncio.timeout` and the engine's timers agree about the time. Work in threads (a
database's writer, a blocking step) takes no virtual time: while some is under way the loop waits for it in real time.
"""

import asyncio
import math
import selectors
from collections.abc import Callable, Coroutine, Generator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, TypeVarTuple, Unpack, final

from ruvon.ir._errors import RuvonError
from ruvon.providers import datetime_of, microseconds_of

__all__ = ["DEFAULT_START", "StuckError", "VirtualClock", "VirtualLoop", "run_virtual"]

R = TypeVar("R")
Ts = TypeVarTuple("Ts")

DEFAULT_START: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""The moment at which virtual time begins where nothing else is said."""

_REAL_SLICE_S: Final = 0.02
_PATIENCE_S: Final = 2.0
"""How long the loop waits, where nothing that it knows of is under way, before it says that nothing will ever come."""
_PATIENCE_OUTSIDE_S: Final = 60.0
"""The same while a thread works."""


class StuckError(RuvonError, RuntimeError):
    """Nothing can happen any more: everything waits, no timer is set, and no thread works.

    Args:
        who: what probably awaits an event that nobody sets.
    """

    def __init__(self, who: str = "a step") -> None:
        super().__init__(
            "everything waits for something that never comes: no timer is set and no thread works; "
            f"{who} probably awaits an event that nobody sets"
        )


@final
class _JumpingSelector(selectors.BaseSelector):
    """Looks for input and output without waiting, and lets the clock jump instead of sleeping."""

    def __init__(self) -> None:
        self._inner = selectors.DefaultSelector()
        self.jump: Callable[[float], None] = lambda _: None
        self.is_outside: Callable[[], bool] = lambda: False
        self._idle_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready now; else the time moves on by `timeout`."""
        events = self._inner.select(0)
        if events or (timeout is not None and timeout <= 0):
            self._idle_s = 0.0
            return events
        if self.is_outside() or timeout is None:
            return self._wait_really()
        if len(self._inner.get_map()) > 1:  # more than the loop's own wake-up pipe: real connections are open
            events = self._inner.select(_REAL_SLICE_S)
            if events:
                return events
        self.jump(timeout)
        return []

    def _wait_really(self) -> list[tuple[selectors.SelectorKey, int]]:
        events = self._inner.select(_REAL_SLICE_S)
        self._idle_s = 0.0 if events else self._idle_s + _REAL_SLICE_S
        if self._idle_s > (_PATIENCE_OUTSIDE_S if self.is_outside() else _PATIENCE_S):
            raise StuckError
        return events

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Watch a file."""
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """Stop watching a file."""
        return self._inner.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Watch a file for something else."""
        return self._inner.modify(fileobj, events, data)

    def close(self) -> None:
        """Release the selector."""
        self._inner.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """The watched files."""
        return self._inner.get_map()


@final
class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop; one per simulated run."""

    def __init__(self) -> None:
        selector = _JumpingSelector()
        self.elapsed_us = 0
        """Virtual microseconds since the loop was made."""
        self._outside = 0
        super().__init__(selector)
        # asyncio's own resolution of a nanosecond is lost in the floats of half a year, and a timer that is due never rings.
        self._clock_resolution = 1e-7
        selector.jump = self._jump
        selector.is_outside = lambda: self._outside > 0

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self.elapsed_us / 1_000_000

    def _jump(self, seconds: float) -> None:
        self.elapsed_us += max(1, math.ceil(seconds * 1_000_000))

    @contextmanager
    def outside(self) -> Generator[None]:
        """While this is open the time stands still: work outside the loop is awaited."""
        self._outside += 1
        try:
            yield
        finally:
            self._outside -= 1

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], R], *args: *Ts
    ) -> asyncio.Future[R]:
        """Run a function in a thread; the time stands still until it has returned."""
        future: asyncio.Future[R] = super().run_in_executor(executor, func, *args)
        self._outside += 1

        def returned(_: object) -> None:
            self._outside -= 1

        future.add_done_callback(returned)
        return future


@final
class VirtualClock:
    """The clock of a virtual loop, as the engine sees it.

    Args:
        start: the moment at which the loop's time begins, aware.
    """

    def __init__(self, loop: VirtualLoop, start: datetime = DEFAULT_START) -> None:
        self._loop = loop
        self._start_us = microseconds_of(start)
        self._skew_us = 0

    def now_us(self) -> int:
        """The present moment in microseconds since the Unix epoch."""
        return self._start_us + self._skew_us + self._loop.elapsed_us

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        return datetime_of(self.now_us())

    def monotonic_us(self) -> int:
        """Microseconds since the loop was made; `set_wrong_by` does not touch it."""
        return self._loop.elapsed_us

    async def sleep_us(self, duration_us: int, /) -> None:
        """Wait on the loop's time; zero or less only yields."""
        await asyncio.sleep(max(duration_us, 0) / 1_000_000)

    def set_wrong_by(self, skew_us: int) -> None:
        """Put the wall clock forward or back against the loop's time, as an operator or a time server would."""
        self._skew_us = skew_us


def run_virtual(work: Callable[[VirtualLoop], Coroutine[Any, Any, R]]) -> R:
    """Run a coroutine on a virtual loop of its own.

    Raises:
        RuntimeError: a loop runs in this thread already.
        StuckError: nothing can happen any more.
    """
    if _is_loop_running():
        raise RuntimeError("a loop runs in this thread already; call this from a function that is not async")
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(work(loop))
    finally:
        try:
            stop_all(loop)
        finally:
            loop.close()


def _is_loop_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def stop_all(loop: VirtualLoop) -> None:
    """Cancel every task of a loop that is not running, and let them end."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
