"""Sending: for each part of the webhooks one process at a time, which has the duty to do so.

The duty dies with its process; the next one finds in the store what is not done. A process takes one part at a time and
gives a part back when nothing of it is left, so several processes share what there is to send.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, final

from ruvon.providers import Clock, Duty, IdSource, PersistenceError, PersistenceProvider
from ruvon.scheduler._pace import Pace
from ruvon_server.problems import RequestRefusedError
from ruvon_server.shown import moment
from ruvon_server.webhooks._courier import Courier, Outcome
from ruvon_server.webhooks._deliveries import SHARDS, Deliveries, Progress, Span, shard_of
from ruvon_server.webhooks._endpoints import Endpoints
from ruvon_server.webhooks._events import event_of_webhook
from ruvon_server.webhooks._lane import Lane
from ruvon_server.webhooks._records import DeliveryRecord, Endpoint
from ruvon_server.webhooks._shares import Shares

__all__ = ["Sender"]

_LOGGER: Final = logging.getLogger("ruvon.server.webhooks")
_DUTY: Final = "ruvon.server.webhooks.send."
_EVERY_US: Final = 1_000_000
_AGAIN_US: Final = 5_000_000
"""An attempt that could not be written down is repeated after so long."""
_PORTION: Final = 200
"""So many deliveries of a webhook are looked at in a turn, so that the others are not kept waiting."""


@final
@dataclass(slots=True)
class _Part:
    """A part of the webhooks that this process sends for."""

    duty: Duty
    lanes: dict[str, Lane] = field(default_factory=dict[str, Lane])
    written: Mapping[str, Progress] = field(default_factory=dict[str, Progress])


@final
class Sender:
    """Sends what is due, until it is stopped.

    Args:
        store: has the duties.
        clock: says when.
        ids: make ids of events about webhooks.
        endpoints: who is told.
        deliveries: what is to be sent.
        courier: makes attempts.
    """

    def __init__(
        self,
        store: PersistenceProvider,
        clock: Clock,
        ids: IdSource,
        endpoints: Endpoints,
        deliveries: Deliveries,
        courier: Courier,
    ) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._endpoints = endpoints
        self._deliveries = deliveries
        self._courier = courier
        self._pace = Pace(clock)
        self._shares = Shares()
        self._parts: dict[int, _Part] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Look at once what there is to send."""
        self._pace.wake()

    def stop(self) -> None:
        """Begin no further attempt; `run` ends when those under way have."""
        self._pace.stop()

    async def run(self) -> None:
        """Send until `stop`; cancelled, it breaks off what is under way, which is sent again by whoever comes next."""
        away = False
        try:
            while not self._pace.stopped:
                try:
                    await self._turn()
                    away = False
                except Exception as exc:
                    if not away:
                        is_ours = isinstance(exc, PersistenceError | RequestRefusedError)
                        _LOGGER.warning("webhooks wait, it is tried again: %s", exc, exc_info=not is_ours)
                    away = True
                    await self._step_back()
                await self._pace.rest(self._next_us())
            if self._tasks:
                await asyncio.wait(set(self._tasks))
        finally:
            await self._end()

    async def _end(self) -> None:
        for task in (left := set(self._tasks)):
            task.cancel()
        if left:
            await asyncio.wait(left)
        for shard in list(self._parts):
            try:
                await self._release(shard)
            except PersistenceError as exc:
                _LOGGER.warning("how far webhooks are could not be written; some may be sent twice: %s", exc)

    async def _step_back(self) -> None:
        """Give back what has nothing under way: with the store its duties may be gone, and others may have them."""
        for shard, part in list(self._parts.items()):
            if not any(lane.under_way for lane in part.lanes.values()):
                del self._parts[shard]
                with contextlib.suppress(PersistenceError):
                    await part.duty.release()

    def _next_us(self) -> int:
        lanes = [lane for part in self._parts.values() for lane in part.lanes.values() if self._shares.admits(lane)]
        moments = [found for lane in lanes if (found := lane.next_us()) is not None]
        latest_us = self._clock.now_us() + _EVERY_US
        return min([latest_us, *moments])

    async def _turn(self) -> None:
        """Take what nobody sends, look what is new, begin what is due, write how far everything is."""
        endpoints = {item.webhook_id: item for item in await self._endpoints.all() if item.enabled}
        known = await self._deliveries.spans()
        spans = {key: span for key, span in known.items() if key in endpoints}
        await self._take_one(spans)
        for shard, part in list(self._parts.items()):
            for webhook_id in [key for key in part.lanes if key not in endpoints and not part.lanes[key].under_way]:
                del part.lanes[webhook_id]  # it was switched off; what waits is found again when it is on
            part.written = {key: item for key, item in part.written.items() if key in known}
            await self._look(part, {key: span for key, span in spans.items() if shard_of(key) == shard}, endpoints)
        self._begin(endpoints)
        for shard, part in list(self._parts.items()):
            await self._write(shard, part)
            if all(lane.is_done for lane in part.lanes.values()):
                await self._release(shard)

    async def _take_one(self, spans: Mapping[str, Span]) -> None:
        """Take one part that has something to send and that nobody has."""
        for shard in [item for item in range(SHARDS) if item not in self._parts]:
            mine = {key: span for key, span in spans.items() if shard_of(key) == shard}
            if not mine:
                continue
            progress = await self._deliveries.progress(shard)
            if all(key in progress and progress[key].done >= span.end for key, span in mine.items()):
                continue
            duty = await self._store.take_duty(f"{_DUTY}{shard}")
            if duty is not None:
                part = self._parts[shard] = _Part(duty)
                part.written = await self._deliveries.progress(shard)
                return

    async def _look(self, part: _Part, spans: Mapping[str, Span], endpoints: Mapping[str, Endpoint]) -> None:
        """Look at deliveries that were added."""
        for webhook_id, span in spans.items():
            lane = part.lanes.get(webhook_id)
            if lane is None:
                lane = part.lanes[webhook_id] = _lane(endpoints[webhook_id], span, part.written.get(webhook_id))
            lane.end = span.end
            for _ in range(min(lane.room, _PORTION)):
                found = await self._deliveries.find(webhook_id, lane.read)
                number, lane.read = lane.read, lane.read + 1
                if found is not None and found.status == "pending":
                    lane.put(number, found.next_us or 0)
                else:
                    lane.finish(number)
            if lane.room > 0:
                self._pace.wake()

    def _begin(self, endpoints: Mapping[str, Endpoint]) -> None:
        """Begin what is due, one attempt of each webhook at a time while there are places."""
        now_us = self._clock.now_us()
        waiting = [lane for part in self._parts.values() for key, lane in part.lanes.items() if key in endpoints]
        while waiting:
            waiting = [lane for lane in self._shares.in_turn(waiting) if self._begin_one(lane, endpoints, now_us)]

    def _begin_one(self, lane: Lane, endpoints: Mapping[str, Endpoint], now_us: int) -> bool:
        """Begin an attempt of a webhook; whether there was one to begin, and a place for it."""
        number = lane.take(now_us) if self._shares.admits(lane) else None
        if number is None:
            return False
        was_proven = self._shares.take(lane)
        task = asyncio.create_task(self._send(lane, endpoints[lane.webhook_id], number), name="ruvon-webhook")
        self._tasks.add(task)
        task.add_done_callback(lambda ended: self._ended(ended, lane.tenant, was_proven=was_proven))
        return True

    def _ended(self, task: asyncio.Task[None], tenant: str, *, was_proven: bool) -> None:
        self._tasks.discard(task)
        self._shares.give_back(tenant, was_proven=was_proven)
        self._pace.wake()

    async def _write(self, shard: int, part: _Part) -> None:
        told = {**part.written, **{key: lane.progress for key, lane in part.lanes.items()}}
        if told != part.written:
            await self._deliveries.put_progress(shard, told)
            part.written = told

    async def _release(self, shard: int) -> None:
        part = self._parts.pop(shard)
        try:
            await self._write(shard, part)
        finally:
            await part.duty.release()

    async def _send(self, lane: Lane, endpoint: Endpoint, number: int) -> None:
        """Make one attempt, and write down what came of it."""
        try:
            delivery = await self._deliveries.find(endpoint.webhook_id, number)
            if delivery is None or delivery.status != "pending":
                lane.finish(number)
                return
            outcome = await self._courier.attempt(endpoint, delivery)
            await self._deliveries.put(outcome.delivery)
            await self._note(lane, endpoint, outcome)
        except (PersistenceError, RequestRefusedError) as exc:
            _LOGGER.warning("delivery %d of the webhook %s is tried again: %s", number, endpoint.webhook_id, exc)
            lane.put(number, self._clock.now_us() + _AGAIN_US)
        except Exception:
            _LOGGER.exception("delivery %d of the webhook %s is tried again", number, endpoint.webhook_id)
            lane.put(number, self._clock.now_us() + _AGAIN_US)
        finally:
            lane.under_way -= 1

    async def _note(self, lane: Lane, endpoint: Endpoint, outcome: Outcome) -> None:
        """Take over what an attempt has shown about the endpoint."""
        delivery, now_us = outcome.delivery, self._clock.now_us()
        if delivery.status == "pending":
            lane.put(delivery.number, delivery.next_us or 0)
        else:
            lane.finish(delivery.number)
        if delivery.status == "delivered":
            lane.success_us, lane.failing_us = now_us, None
            return
        lane.failing_us = lane.failing_us or delivery.attempts[-1].at_us
        lane.paused_us = max(lane.paused_us, now_us + outcome.pause_us) if outcome.pause_us else lane.paused_us
        if outcome.is_gone:
            await self._disable(endpoint, "its server answered 410: it wants nothing more")
        elif delivery.status == "failed" and lane.failing_us <= delivery.attempts[0].at_us:
            since = moment(lane.failing_us).isoformat(timespec="seconds")
            await self._disable(endpoint, f"no attempt has succeeded since {since}, for a whole schedule of attempts")

    async def _disable(self, endpoint: Endpoint, reason: str) -> None:
        """Switch an endpoint off, and tell the others of its tenant."""
        if await self._endpoints.disable(endpoint.webhook_id, reason) is None:
            return
        _LOGGER.error("the webhook %s was switched off: %s", endpoint.webhook_id, reason)
        data = {"webhook_id": endpoint.webhook_id, "url": endpoint.url, "reason": reason}
        now_us = self._clock.now_us()
        event = event_of_webhook(
            f"msg_{self._ids.token(16).hex()}", "webhook.disabled", now_us, data, endpoint.owner_id, endpoint.org_id
        )
        others = [item for item in await self._endpoints.all() if item.webhook_id != endpoint.webhook_id]
        told = [DeliveryRecord.first(item.webhook_id, event, now_us) for item in others if item.wants(event)]
        if told:
            await self._deliveries.add(told)


def _lane(endpoint: Endpoint, span: Span, known: Progress | None) -> Lane:
    """A lane that goes on where the last one stopped; what failed before an endpoint was enabled again is forgiven."""
    known = known or Progress(span.first)
    begin = max(known.done, span.first)
    failing_us = known.failing_us if known.failing_us is not None and known.failing_us >= endpoint.since_us else None
    return Lane(endpoint.webhook_id, endpoint.tenant, begin, begin, span.end, known.success_us, failing_us)
