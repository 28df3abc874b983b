"""`OutboxRelay`: what steps published is delivered, at least once, in order for each workflow."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, Protocol, final
from uuid import UUID

from ruvon.providers import Clock, EngineStore, OutboxRecord, duration_us
from ruvon.providers.encryption import refuse_sealed
from ruvon.scheduler._backoff import Backoff
from ruvon.scheduler._pace import Pace

__all__ = ["OutboxRelay", "Publisher"]

_LOGGER: Final = logging.getLogger("ruvon.scheduler")
_BATCH: Final = 100
_DUTY: Final = "outbox"

Line = UUID | int
"""Events that are delivered in order: those of one workflow; an event of nobody stands alone, by its id."""


class Publisher(Protocol):
    """Where events go: a broker, a web hook, another system."""

    async def publish(self, topic: str, payload: bytes, key: str, /) -> None:
        """Deliver one event; on return it has arrived.

        Args:
            topic: where `context.publish` sent it.
            payload: the event as JSON.
            key: the same each time this event is delivered, and of no other event; consumers drop a second one.

        Raises:
            Exception: it has not arrived, or nobody knows; it is delivered again later.
        """
        ...


@final
class OutboxRelay:
    """Delivers events and deletes them from the store after that.

    An event that fails is tried again after a while, and those behind it of the same workflow wait. One that failed
    `max_attempts` times is set aside for the life of this relay, with a line in the log; it stays in the store, and the
    next relay tries it again. Any number of relays may run over one store: one of them delivers at a time, and the others
    take over when it ends or dies. An event is delivered twice only where a relay dies between delivering and deleting.

    Args:
        store: where the events lie.
        publisher: where they go.
        clock: what time it is.
        max_attempts: how often an event is tried.
        concurrency: how many workflows' events are delivered at a time.
        poll: how long at most a new event waits.
    """

    def __init__(
        self,
        store: EngineStore,
        publisher: Publisher,
        *,
        clock: Clock,
        max_attempts: int = 10,
        concurrency: int = 16,
        poll: timedelta = timedelta(seconds=1),
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._clock = clock
        self._max_attempts = max_attempts
        self._slots = asyncio.Semaphore(concurrency)
        self._poll_us = duration_us(poll)
        self._pace = Pace(clock)
        self._backoff = Backoff[Line]()
        self._parked: dict[int, OutboxRecord] = {}

    @property
    def parked(self) -> Sequence[OutboxRecord]:
        """The events that were set aside, oldest first."""
        return [self._parked[key] for key in sorted(self._parked)]

    def wake(self) -> None:
        """Look for events at once."""
        self._pace.wake()

    def stop(self) -> None:
        """End `run` after the events that are being delivered."""
        self._pace.stop()

    async def run(self) -> None:
        """Deliver events until `stop`."""
        failures = Backoff[str]()
        while not self._pace.stopped:
            try:
                await self.relay()
                failures.worked("")
            except Exception:
                if failures.failed("", self._clock.now_us()) == 1:
                    _LOGGER.exception("events cannot be read or deleted; it is tried again")
            now = self._clock.now_us()
            moments = [now + self._poll_us, self._backoff.next_us(), failures.next_us()]
            await self._pace.rest(min(moment for moment in moments if moment is not None and moment > now))

    async def relay(self) -> int:
        """Deliver every event that may be delivered now; how many were: none while another relay delivers."""
        duty = await self._store.take_duty(_DUTY)
        if duty is None:
            return 0
        try:
            return await self._relay()
        finally:
            await duty.release()

    async def _relay(self) -> int:
        delivered, after = 0, 0
        stuck: set[Line] = set()
        while True:
            page = await self._store.read_outbox(limit=_BATCH, after=after)
            if page:
                delivered += await self._deliver(page, stuck)
                after = page[-1].id
            if len(page) < _BATCH:
                return delivered

    async def _deliver(self, page: Sequence[OutboxRecord], stuck: set[Line]) -> int:
        """Deliver a page, the workflows of it side by side; lines that fail are stuck for this pass."""
        lines: dict[Line, list[OutboxRecord]] = {}
        for event in page:
            if event.id not in self._parked:
                lines.setdefault(_line_of(event), []).append(event)
        done: list[int] = []
        try:
            async with asyncio.TaskGroup() as group:
                for line, events in lines.items():
                    if line not in stuck and not self._backoff.blocks(line, self._clock.now_us()):
                        group.create_task(self._send_line(line, events, done, stuck))
                    else:
                        stuck.add(line)
        finally:
            if done:
                await self._store.delete_outbox(done)
        return len(done)

    async def _send_line(self, line: Line, events: list[OutboxRecord], done: list[int], stuck: set[Line]) -> None:
        for event in events:
            if await self._send(line, event):
                done.append(event.id)
            elif event.id not in self._parked:
                stuck.add(line)
                return

    async def _send(self, line: Line, event: OutboxRecord) -> bool:
        key = f"{event.workflow_id}/{event.key or event.id}"
        try:
            refuse_sealed(event.payload, f"the event {event.id} of the outbox")
            async with self._slots:
                await self._publisher.publish(event.topic, event.payload, key)
        except Exception as exc:
            failures = self._backoff.failed(line, self._clock.now_us())
            if failures >= self._max_attempts:
                self._backoff.worked(line)
                self._parked[event.id] = event
                _LOGGER.exception(
                    "the event %d (%s) to `%s` failed %d times and is set aside", event.id, key, event.topic, failures
                )
            elif failures == 1:
                _LOGGER.warning(
                    "the event %d (%s) to `%s` failed and is tried again: %r", event.id, key, event.topic, exc
                )
            return False
        self._backoff.worked(line)
        return True


def _line_of(event: OutboxRecord) -> Line:
    return event.workflow_id if event.workflow_id is not None else event.id
