"""Group commit: whatever waits when a lane becomes free shares one transaction, one round trip where it can.

There are two lanes, each with a connection of its own: while the server works on one batch, those whose batch is durable
compute what they write next. The second lane is used only while many wait. Transitions of one instance keep their order.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from ruvon.implementations.persistence.postgres._apply import Item, Target
from ruvon.implementations.persistence.postgres._driver import Connection, DatabaseServerError
from ruvon.implementations.persistence.postgres._lane import Lane, refuse
from ruvon.providers.persistence import Transition

__all__ = ["Writer"]

_LARGEST_BATCH: Final = 512
_LANES: Final = 2
_MANY: Final = 16
"""So many must wait before another lane is worth its flush."""


class Writer:
    """The group commits of one provider, on connections of their own."""

    def __init__(self, url: str, connect: Callable[[], Awaitable[Connection]], inbox_salt: int, channel: str) -> None:
        self.target = Target(inbox_salt, channel)
        stored: set[bytes] = set()
        self._url = url
        self._lanes = [Lane(url, connect, self.target, stored) for _ in range(_LANES)]
        self._idle = self._lanes[::-1]
        self._tasks: set[asyncio.Task[None]] = set()
        self._queue: list[Item] = []
        self._beginning = 0
        """Lanes that were started and have taken nothing yet."""
        self._written: set[UUID] = set()
        """Instances of the batches under way."""
        self._closing = False

    async def commit(self, transition: Transition) -> None:
        """Write one transition; on return it is durable.

        Raises:
            PersistenceError: its guard failed, or the store did.
        """
        if self._closing:
            raise DatabaseServerError(self._url, "the provider is closed; open a new one")
        item = Item(transition, asyncio.get_running_loop().create_future())
        self._queue.append(item)
        if self._idle and (len(self._idle) == _LANES or len(self._queue) >= _MANY):
            self._beginning += 1
            task = asyncio.create_task(self._work(self._idle.pop()), name="ruvon-postgres-writer")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await item.waiter

    async def close(self) -> None:
        """Write what waits, then stop."""
        self._closing = True
        while self._tasks:
            await asyncio.wait(self._tasks)
        for lane in self._lanes:
            await lane.close()

    async def _work(self, lane: Lane) -> None:
        try:
            batch, names = self._next_batch()
            self._beginning -= 1
            while batch:
                try:
                    await lane.settle(batch)
                except Exception as exc:  # noqa: BLE001  # it is handed to every waiting caller; later batches live on
                    refuse(batch, DatabaseServerError(self._url, f"unexpectedly: {type(exc).__name__}: {exc}"))
                except asyncio.CancelledError:  # the loop ends
                    refuse([*batch, *self._queue], DatabaseServerError(self._url, "the event loop is being closed"))
                    raise
                finally:
                    self._written -= names
                batch, names = self._next_batch()
        finally:
            self._idle.append(lane)

    def _next_batch(self) -> tuple[list[Item], set[UUID]]:
        """What waits, or this lane's share of it, and its instances; of each instance one, so that its order is kept."""
        share = -(-len(self._queue) // max(self._beginning, 1))
        batch: list[Item] = []
        rest: list[Item] = []
        names: set[UUID] = set()
        passed: set[UUID] = set()
        for item in self._queue:
            made = item.transition
            own = {made.workflow_id, *(new.workflow_id for new in made.created)} if made.created else {made.workflow_id}
            is_free = self._written.isdisjoint(own) and names.isdisjoint(own) and passed.isdisjoint(own)
            if is_free and len(batch) < min(share, _LARGEST_BATCH):
                batch.append(item)
                names |= own
            else:
                rest.append(item)
                passed |= own
        self._queue = rest
        self._written |= names
        return batch, names
