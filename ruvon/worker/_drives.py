"""One drive for many reports: slots whose tasks belong to one instance do not each load it."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import final

__all__ = ["JoinedDrive"]


@final
class JoinedDrive:
    """The drive of an instance by one slot, which others join by reporting meanwhile."""

    __slots__ = ("_again", "_changed", "_reporting")

    def __init__(self) -> None:
        self._again = True
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
            self._again = True
            self._changed.set()

    @property
    def is_wanted(self) -> bool:
        """Whether others have joined."""
        return self._reporting > 0 or self._changed.is_set()

    async def is_next(self) -> bool:
        """Whether to drive (again); waits for the reports that are being written."""
        while not self._again and self._reporting:
            self._changed.clear()
            await self._changed.wait()
        again, self._again = self._again, False
        return again
