"""One drive for many reports: slots whose tasks belong to one instance do not each load it."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from enum import Enum, auto
from typing import final
from uuid import UUID

__all__ = ["After", "JoinedDrive", "Lookouts"]


class After(Enum):
    """How it stands with an instance after a drive."""

    MORE = auto()
    """Others may report for it."""
    ENDED = auto()
    BUSY = auto()
    """Somebody else drives it, who takes what came."""


@final
class JoinedDrive:
    """The drive of an instance by one slot, which others join by reporting meanwhile.

    Args:
        others: how many other slots of the worker have a task of the instance now.
    """

    __slots__ = ("_again", "_changed", "_joined", "_others", "_reporting")

    def __init__(self, others: Callable[[], int]) -> None:
        self._others = others
        self._again = True
        self._joined = False
        self._reporting = 0
        self._changed = asyncio.Event()

    @contextmanager
    def joined(self) -> Generator[None, None, None]:
        """While this is open, a report for the instance is being written; the drive does not end before it is read."""
        self._reporting += 1
        try:
            yield
        finally:
            self._reporting -= 1
            self._again = self._joined = True
            self._changed.set()

    def is_expected(self) -> bool:
        """Whether a report for the instance may come soon: a slot has a task of it, or had one a moment ago."""
        joined, self._joined = self._joined, False
        return joined or self._reporting > 0 or self._others() > 0

    def take_reported(self) -> bool:
        """Whether others have reported since this was asked last; whoever asks reads the inbox next."""
        again, self._again = self._again, False
        return again

    @property
    def is_wanted(self) -> bool:
        """Whether others have joined."""
        return self._reporting > 0 or self._changed.is_set()

    async def reported(self) -> None:
        """Wait for the reports that are being written."""
        while self._reporting:
            self._changed.clear()
            await self._changed.wait()

    async def is_next(self) -> bool:
        """Whether to drive (again); waits for the reports that are being written."""
        while not self._again and self._reporting:
            self._changed.clear()
            await self._changed.wait()
        again, self._again = self._again, False
        return again


@final
class Lookouts:
    """Which instances that somebody else drives have a task of this worker's that will be looked at again later.

    One such task is enough for all reports that come meanwhile: it reads them all, should the holder have gone.

    Args:
        stay_us: how long after it was given back a task surely still lies in the queue.
    """

    __slots__ = ("_stay_us", "_until")

    def __init__(self, stay_us: int) -> None:
        self._stay_us = stay_us
        self._until: dict[UUID, int] = {}

    def post(self, workflow_id: UUID, now_us: int) -> bool:
        """Whether a task is needed there, which the caller gives back; False where one stands already."""
        until = self._until
        while until and until[first := next(iter(until))] <= now_us:  # they are in the order of their ends
            del until[first]
        if workflow_id in until:
            return False
        until[workflow_id] = now_us + self._stay_us
        return True
