"""What is on its way: a record for each delivery, numbered by webhook, and where each webhook's numbers begin and end.

Whoever adds deliveries has the turn to do so, writes the records, and then the new ends; so a process that dies in between
leaves records that nobody sees and the next one overwrites. With the ends goes the place up to which events were read, so no
event gets two deliveries. Records that are not done are written by the process that sends
for the webhook, and by nobody else.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, final

from ruvon.providers import Clock, PersistenceProvider
from ruvon_server.problems import DeliveryNotFoundError
from ruvon_server.stored import Documents
from ruvon_server.turns import turn
from ruvon_server.webhooks._records import DeliveryRecord

__all__ = ["SHARDS", "Deliveries", "Progress", "Span", "shard_of"]

_RECORD: Final = "ruvon.server.webhook."
_ENDS: Final = "ruvon.server.webhooks.ends"
_PROGRESS: Final = "ruvon.server.webhooks.progress."
_TURN: Final = "webhooks.deliveries"
_LATER: Final = 2**53
SHARDS: Final = 4
"""Webhooks are dealt into so many parts; one process at a time sends for each."""


@final
@dataclass(frozen=True, slots=True)
class Span:
    """The numbers that a webhook's deliveries have."""

    first: int
    """The oldest one that is kept."""
    end: int
    """The next one to be given."""


@final
@dataclass(frozen=True, slots=True)
class Progress:
    """How far the deliveries of a webhook are."""

    done: int
    """All with lower numbers are delivered or have failed."""
    success_us: int | None = None
    failing_us: int | None = None
    """Since when no attempt has succeeded."""


@final
class Deliveries:
    """The deliveries of one store.

    Args:
        store: keeps them.
        clock: says when.
    """

    def __init__(self, store: PersistenceProvider, clock: Clock) -> None:
        self._store = store
        self._documents = Documents(store)
        self._clock = clock
        self._lock = asyncio.Lock()

    async def spans(self) -> dict[str, Span]:
        """The numbers of every webhook that has any, also of those that were deleted and not yet forgotten."""
        found: Mapping[str, Sequence[int]] = (await self._documents.get(_ENDS) or {"ends": {}})["ends"]
        return {webhook_id: Span(*numbers) for webhook_id, numbers in found.items()}

    async def span(self, webhook_id: str) -> Span:
        """The numbers of one webhook."""
        return (await self.spans()).get(webhook_id, Span(1, 1))

    async def find(self, webhook_id: str, number: int) -> DeliveryRecord | None:
        """A delivery; None where it is not kept any more, or never was."""
        found = await self._documents.get(_name(webhook_id, number)) if 0 < number < _LATER else None
        return None if found is None else DeliveryRecord.of(found["delivery"])

    async def get(self, webhook_id: str, number: int) -> DeliveryRecord:
        """A delivery.

        Raises:
            DeliveryNotFoundError: there is none.
        """
        span = await self.span(webhook_id)
        found = await self.find(webhook_id, number) if span.first <= number < span.end else None
        if found is None:
            raise DeliveryNotFoundError(number)
        return found

    async def put(self, delivery: DeliveryRecord) -> None:
        """Write a delivery that has its number."""
        await self._documents.put(_name(delivery.webhook_id, delivery.number), {"delivery": delivery.tree()})

    async def place(self) -> dict[str, Any] | None:
        """What was written with the last deliveries of events."""
        found: dict[str, Any] | None = (await self._documents.get(_ENDS) or {}).get("place")
        return found

    async def add(
        self, wanted: Iterable[DeliveryRecord], *, place: Mapping[str, Any] | None = None
    ) -> list[DeliveryRecord]:
        """Add deliveries; they get their numbers, and are sent by whoever sends for their webhooks.

        Args:
            wanted: the deliveries.
            place: where whoever reads events goes on behind them; written with them or not at all.
        """
        async with self._turn():
            spans, made = await self.spans(), list[DeliveryRecord]()
            for item in wanted:
                span = spans.get(item.webhook_id, Span(1, 1))
                made.append(replace(item, number=span.end))
                await self.put(made[-1])
                spans[item.webhook_id] = Span(span.first, span.end + 1)
            if made or place is not None:
                await self._end(spans, place)
        return made

    async def forget(self, webhook_id: str, before: int) -> None:
        """Forget the deliveries with numbers below one; with all of them the webhook itself."""
        for number in range((await self.span(webhook_id)).first, before):
            await self._documents.drop(_name(webhook_id, number))
        async with self._turn():
            spans = await self.spans()
            spans[webhook_id] = Span(before, max(before, spans.get(webhook_id, Span(1, 1)).end))
            await self._end(spans)

    async def forget_webhook(self, webhook_id: str) -> None:
        """Forget the numbers of a webhook that was deleted, once its deliveries are forgotten."""
        async with self._turn():
            await self._end({key: span for key, span in (await self.spans()).items() if key != webhook_id})

    async def progress(self, shard: int) -> dict[str, Progress]:
        """How far the webhooks of a part are, as whoever sends for them has written."""
        found: Mapping[str, Sequence[Any]] = (await self._documents.get(f"{_PROGRESS}{shard}") or {"of": {}})["of"]
        return {webhook_id: Progress(*values) for webhook_id, values in found.items()}

    async def put_progress(self, shard: int, progress: Mapping[str, Progress]) -> None:
        """Write how far the webhooks of a part are."""
        trees = {key: [item.done, item.success_us, item.failing_us] for key, item in progress.items()}
        await self._documents.put(f"{_PROGRESS}{shard}", {"of": trees})

    async def _end(self, spans: Mapping[str, Span], place: Mapping[str, Any] | None = None) -> None:
        ends = {key: [span.first, span.end] for key, span in spans.items()}
        await self._documents.put(_ENDS, {"ends": ends, "place": place if place is not None else await self.place()})

    @asynccontextmanager
    async def _turn(self) -> AsyncGenerator[None, None]:
        async with self._lock, turn(self._store, self._clock, _TURN):
            yield


def shard_of(webhook_id: str) -> int:
    """The part that a webhook belongs to."""
    return int(webhook_id, 16) % SHARDS


def _name(webhook_id: str, number: int) -> str:
    return f"{_RECORD}{webhook_id}.{number}"
