"""From what changed in the store to deliveries: each event of a workflow once for each webhook that wants it.

The store's order of changes says which workflows to look at, their histories say what happened. So nothing is written for
webhooks when a workflow goes on, no worker has to know of them, and what was committed while no server ran is found later.

A mark says up to which entry a workflow was told. Marks of the last minute are kept, because a moment may appear in the
store behind later ones: every look reads the last seconds again, and now and then the whole minute. A workflow without
a mark was told of whatever was committed before that minute. Marks are written together with the deliveries that they are
of, so another process goes on exactly where this one has died.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, final
from uuid import UUID

from ruvon.providers import Clock, InstanceRecord, LogEntry, PersistenceProvider, WorkflowNotFoundError, WorkflowSummary
from ruvon_server.webhooks._deliveries import Deliveries
from ruvon_server.webhooks._endpoints import Endpoints
from ruvon_server.webhooks._events import events_of, started, waiting, waits_for_somebody
from ruvon_server.webhooks._records import DeliveryRecord, Endpoint, Event

__all__ = ["Planner"]

_NEAR_US: Final = 5_000_000
_FAR_US: Final = 60_000_000
_FAR_EVERY_US: Final = 10_000_000
_WRITTEN_EVERY_US: Final = 60_000_000
_PAGE: Final = 1_000
_BATCH: Final = 200
_BACK: Final = 32
_MARKS: Final = 2_000
"""So many marks are written at most."""


@final
@dataclass(slots=True)
class _Mark:
    """Up to where a workflow was told."""

    updated_us: int
    """Its last change, as the order of changes had it."""
    read_us: int
    """When it was read after that: another change in the same microsecond is not yet known."""
    seq: int
    waits: tuple[str, ...]

    @property
    def tree(self) -> list[Any]:
        return [self.updated_us, self.read_us, self.seq, list(self.waits)]


@final
@dataclass(slots=True)
class _Batch:
    """Deliveries to be added together, and the marks that hold once they are."""

    deliveries: list[DeliveryRecord] = field(default_factory=list[DeliveryRecord])
    marks: dict[str, _Mark] = field(default_factory=dict[str, _Mark])


@final
@dataclass(slots=True)
class _Place:
    """How far the order of changes was read."""

    read_us: int
    """When the last whole look began."""
    known_us: int
    """Workflows that changed at this moment or later, and were told, have marks."""
    marks: dict[str, _Mark] = field(default_factory=dict[str, _Mark])


@final
class Planner:
    """Looks what has happened and adds deliveries; one process of a store does so at a time.

    Args:
        store: has the workflows.
        clock: says when.
        endpoints: who is told.
        deliveries: takes what is to be sent.
    """

    def __init__(self, store: PersistenceProvider, clock: Clock, endpoints: Endpoints, deliveries: Deliveries) -> None:
        self._store = store
        self._clock = clock
        self._endpoints = endpoints
        self._deliveries = deliveries
        self._place: _Place | None = None
        self._far_us = 0
        self._written_us = 0

    def forget(self) -> None:
        """Another process may plan from now on: read the place anew before the next look."""
        self._place = None

    async def plan(self) -> int:
        """Look once; how many deliveries were added.

        Raises:
            PersistenceError: the store cannot be read or written; nothing is lost, look again.
        """
        told = [item for item in await self._endpoints.all() if item.enabled]
        if not told:
            self.forget()
            return 0
        began_us = self._clock.now_us()
        place = self._place or await self._read(min(item.since_us for item in told))
        self._place = place
        is_far = began_us - self._far_us >= _FAR_EVERY_US
        added = await self._look(
            place, told, place.known_us if is_far else max(place.known_us, place.read_us - _NEAR_US)
        )
        self._far_us = began_us if is_far else self._far_us
        place.read_us = began_us
        self._forget_old(place)
        if began_us - self._written_us >= _WRITTEN_EVERY_US:
            await self._deliveries.add((), place=_written(place))
            self._written_us = began_us
        return added

    async def _look(self, place: _Place, told: Sequence[Endpoint], since_us: int) -> int:
        added, after = 0, (since_us, 0)
        while True:
            page = await self._store.changed_instances(after, limit=_PAGE)
            batch = _Batch()
            for summary in page:
                known = place.marks.get(summary.workflow_id)
                if known is not None and known.updated_us == summary.updated_us < known.read_us:
                    continue
                await self._changed(place, told, summary, batch)
                if len(batch.deliveries) >= _BATCH:
                    added += await self._add(place, batch)
                    batch = _Batch()
            added += await self._add(place, batch)
            if len(page) < _PAGE:
                return added
            after = (page[-1].updated_us, page[-1].key)

    async def _add(self, place: _Place, batch: _Batch) -> int:
        after = _Place(place.read_us, place.known_us, {**place.marks, **batch.marks})
        made = await self._deliveries.add(batch.deliveries, place=_written(after)) if batch.deliveries else ()
        place.marks = after.marks
        return len(made)

    async def _changed(self, place: _Place, told: Sequence[Endpoint], summary: WorkflowSummary, batch: _Batch) -> None:
        """Put into the batch what is to be sent about a workflow that has changed."""
        who = [item for item in told if item.cares_for(summary.workflow_type, summary.owner_id, summary.org_id)]
        if not who:
            return
        mark, now_us = place.marks.get(summary.workflow_id), self._clock.now_us()
        try:
            record = await self._store.load_instance(UUID(summary.workflow_id))
            events = await self._events(record, mark, place.known_us)
        except WorkflowNotFoundError:
            return  # it was deleted meanwhile
        waits = waits_for_somebody(record)
        if waits and (mark is None or mark.waits != waits):
            events.append(waiting(record))
        batch.marks[summary.workflow_id] = _Mark(summary.updated_us, now_us, record.last_seq, waits)
        batch.deliveries += [
            DeliveryRecord.first(item.webhook_id, event, now_us)
            for event in events
            for item in who
            if item.wants(event)
        ]

    async def _events(self, record: InstanceRecord, mark: _Mark | None, known_us: int) -> list[Event]:
        """The events behind a mark; without one those of commits since a moment."""
        found: list[Event] = []
        after = mark.seq if mark is not None and mark.seq <= record.last_seq else None
        if mark is None and record.created_us >= known_us:
            found.append(started(record))
        entries = [item for item in await self._entries(record, after, known_us) if item.seq <= record.last_seq]
        commit: list[LogEntry] = []
        for entry in entries:
            commit.append(entry)
            if entry.position or entry is entries[-1]:
                if after is not None or entry.at_us >= known_us:
                    found += events_of(record, commit, entry.at_us)
                commit = []
        return found

    async def _entries(self, record: InstanceRecord, after: int | None, known_us: int) -> Sequence[LogEntry]:
        if after is not None:
            return await self._store.read_log(record.workflow_id, after=after)
        back = _BACK
        while True:
            found = await self._store.read_log(record.workflow_id, after=max(record.last_seq - back, 0))
            if back >= record.last_seq or (found and found[0].at_us < known_us and _ends_before(found, known_us)):
                return found
            back *= 4

    def _forget_old(self, place: _Place) -> None:
        """Forget the marks of workflows that changed more than a minute ago."""
        place.known_us = max(place.known_us, place.read_us - _FAR_US)
        place.marks = {key: mark for key, mark in place.marks.items() if mark.updated_us >= place.known_us}

    async def _read(self, since_us: int) -> _Place:
        """The place that was written last; where there is none, or nobody was told for a while, a moment."""
        found = await self._deliveries.place()
        self._far_us = 0
        known_us = since_us if found is None or found["read_us"] < since_us else found["known_us"]
        marks: dict[str, list[Any]] = {} if found is None else found["marks"]
        read = {key: _Mark(item[0], item[1], item[2], tuple(item[3])) for key, item in marks.items()}
        return _Place(known_us, known_us, read)


def _written(place: _Place) -> dict[str, Any]:
    """A place as the store keeps it, with its newest marks."""
    marks, known_us = place.marks, place.known_us
    if len(marks) > _MARKS:
        newest = sorted(marks.items(), key=lambda item: -item[1].updated_us)
        known_us = newest[_MARKS][1].updated_us + 1
        marks = {key: mark for key, mark in newest[:_MARKS] if mark.updated_us >= known_us}
    return {"read_us": place.read_us, "known_us": known_us, "marks": {key: mark.tree for key, mark in marks.items()}}


def _ends_before(entries: Sequence[LogEntry], known_us: int) -> bool:
    """Whether a commit among these, or the one before them, was made before a moment."""
    return any(entry.position and entry.at_us < known_us for entry in entries)
