"""When a loop turns again: at a moment, when it is woken, or never."""

import asyncio
from typing import final

from ruvon.providers import Clock

__all__ = ["Pace"]


@final
class Pace:
    """The rhythm of one loop; `wake` and `stop` are called on the loop's thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._woken = asyncio.Event()
        self.stopped = False
        """The loop is to end after what it is doing."""

    def wake(self) -> None:
        """Turn at once."""
        self._woken.set()

    def stop(self) -> None:
        """End the loop."""
        self.stopped = True
        self._woken.set()

    async def rest(self, until_us: int) -> None:
        """Sleep on the clock until a moment, or until woken."""
        if self.stopped:
            return
        sleeper = asyncio.ensure_future(self._clock.sleep_us(max(until_us - self._clock.now_us(), 0)))
        waker = asyncio.ensure_future(self._woken.wait())
        try:
            await asyncio.wait((sleeper, waker), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeper.cancel()
            waker.cancel()
            await asyncio.gather(sleeper, waker, return_exceptions=True)
            self._woken.clear()
