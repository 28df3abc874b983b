"""A clock that a test moves by hand, beside real connections."""

import asyncio
from datetime import datetime

from ruvon.providers import datetime_of

__all__ = ["HandClock"]

START_US = 1_795_000_000_000_000


class HandClock:
    """Stands still until it is moved; whoever sleeps wakes when his moment has come."""

    def __init__(self) -> None:
        self._now = START_US
        self._sleepers: list[tuple[int, asyncio.Future[None]]] = []

    def now_us(self) -> int:
        return self._now

    def now(self) -> datetime:
        return datetime_of(self._now)

    def monotonic_us(self) -> int:
        return self._now

    def advance(self, us: int) -> None:
        """Move it on; sleepers may be on another thread's loop, where the application runs that a test asks."""
        self._now += us
        due = [sleeper for moment, sleeper in self._sleepers if moment <= self._now]
        self._sleepers = [item for item in self._sleepers if item[0] > self._now]
        for sleeper in due:
            sleeper.get_loop().call_soon_threadsafe(_wake, sleeper)

    async def sleep_us(self, us: int, /) -> None:
        if us <= 0:
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._now + us, future))
        await future


def _wake(sleeper: "asyncio.Future[None]") -> None:
    if not sleeper.done():
        sleeper.set_result(None)
