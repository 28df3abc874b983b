"""Schedules, and the events that wait to be delivered."""

from collections.abc import Sequence
from dataclasses import replace

from ruvon.implementations.persistence._schedules import registered
from ruvon.implementations.persistence.redis import _packing as packing
from ruvon.implementations.persistence.redis import _scripts as scripts
from ruvon.implementations.persistence.redis._database import Database
from ruvon.implementations.persistence.redis._operations import advancing, key_of_answer, schedule_header
from ruvon.implementations.persistence.redis._packing import operation
from ruvon.providers.persistence import (
    DefinitionRecord,
    InstanceRecord,
    OutboxRecord,
    ScheduleNotFoundError,
    ScheduleRecord,
    StaleScheduleError,
    Transition,
)

__all__ = ["Planned"]


class Planned(Database):
    """Schedules and outbox."""

    async def put_schedule(self, record: ScheduleRecord, /) -> None:
        """Write a schedule as it is given."""
        done = scripts.AGAIN
        while done == scripts.AGAIN:  # somebody else was faster, and has made progress
            known = await self._schedule(record.schedule_id)
            wanted = replace(record, revision=known.revision + 1 if known is not None else 1)
            parts: list[bytes] = []
            header = {"op": "schedule", "schedule": schedule_header(known, wanted, parts)}
            done = (await self._do(operation(header, *parts)))[0]

    async def get_schedule(self, schedule_id: str, /) -> ScheduleRecord:
        """The schedule."""
        found = await self._schedule(schedule_id)
        if found is None:
            raise ScheduleNotFoundError(schedule_id)
        return found

    async def list_schedules(self, /) -> Sequence[ScheduleRecord]:
        """Every schedule, by name."""
        found = [packing.schedule(row) for row in await self._ask("schedules")]
        return sorted(found, key=lambda item: item.schedule_id)

    async def delete_schedule(self, schedule_id: str, /) -> bool:
        """Delete a schedule."""
        return bool((await self._do_plain({"op": "unschedule", "name": schedule_id}))[1])

    async def due_schedules(self, now_us: int, /, *, limit: int = 100) -> Sequence[ScheduleRecord]:
        """Schedules with something to start, earliest first."""
        due, waiting = await self._ask("due_schedules", now_us, limit)
        found = {item.schedule_id: item for item in (packing.schedule(row) for row in [*due, *waiting])}
        ordered = sorted(
            found.values(), key=lambda item: (-1 if item.next_us is None else item.next_us, item.schedule_id)
        )
        return ordered[:limit]

    async def advance_schedule(
        self,
        record: ScheduleRecord,
        /,
        *,
        created: tuple[InstanceRecord, ...] = (),
        definitions: tuple[DefinitionRecord, ...] = (),
    ) -> None:
        """Write a schedule that was read before, and what it starts."""
        wanted = replace(record, revision=record.revision + 1)
        answer = await self._do(advancing(record, wanted, created, definitions))
        if answer[0] == scripts.NO_SCHEDULE:
            raise ScheduleNotFoundError(record.schedule_id)
        if answer[0] == scripts.STALE_SCHEDULE:
            raise StaleScheduleError(record.schedule_id)
        for new, key in zip(created, answer[1], strict=True):
            new.key = key_of_answer(key)

    async def read_outbox(self, /, *, limit: int = 100, after: int = 0) -> Sequence[OutboxRecord]:
        """Events in order."""
        return [packing.event(number, fields) for number, fields in await self._ask("outbox", after, limit)]

    async def delete_outbox(self, ids: Sequence[int], /) -> None:
        """Delete events."""
        if ids:
            await self._do_plain({"op": "delivered", "ids": [str(item) for item in ids]})

    async def _schedule(self, schedule_id: str) -> ScheduleRecord | None:
        revision, record = await self._ask("schedule", schedule_id)
        return packing.schedule((revision, record)) if record is not None else None

    async def _registered(self, made: Transition) -> tuple[list[ScheduleRecord | None], list[ScheduleRecord]]:
        """What the store has of the schedules that a transition registers, and what is to become of them."""
        last = {wanted.schedule_id: wanted for wanted in made.schedules}
        known = [await self._schedule(name) for name in last]
        pairs = zip(known, last.values(), strict=True)
        return known, [registered(was, wanted, made.at_us) for was, wanted in pairs]
