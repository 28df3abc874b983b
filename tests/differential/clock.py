"""The clock of engine runs: virtual, and still while anything can run."""

import asyncio
import heapq
from datetime import UTC, datetime, timedelta

__all__ = ["START", "START_US", "Clock"]

START = datetime(2026, 1, 1, tzinfo=UTC)
START_US = int(START.timestamp()) * 1_000_000


class Clock:
    """Stands still while anything can run or the store is busy; else jumps to the next sleeper."""

    def __init__(self) -> None:
        self._now = START_US
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._count = 0
        self.busy = 0
        self._jumper: asyncio.Task[None] | None = None

    def now_us(self) -> int:
        return self._now

    def now(self) -> datetime:
        return START + timedelta(microseconds=self._now - START_US)

    def monotonic_us(self) -> int:
        return self._now

    async def sleep_us(self, us: int, /) -> None:
        if us <= 0:
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self._now + us, self._count, future))
        if self._jumper is None or self._jumper.done():
            self._jumper = asyncio.ensure_future(self._jump())
        await future

    async def _jump(self) -> None:
        while True:
            quiet = 0
            while quiet < 50:
                await asyncio.sleep(0)
                quiet = 0 if self.busy else quiet + 1
            while self._sleepers and self._sleepers[0][2].done():
                heapq.heappop(self._sleepers)
            if not self._sleepers:
                return
            due, _, future = heapq.heappop(self._sleepers)
            self._now = max(self._now, due)
            future.set_result(None)

    async def stop(self) -> None:
        """Wake nobody any more."""
        if self._jumper is not None:
            self._jumper.cancel()
            await asyncio.gather(self._jumper, return_exceptions=True)
