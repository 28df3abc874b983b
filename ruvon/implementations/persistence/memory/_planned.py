"""Schedules, and the events that wait to be delivered."""

from collections.abc import Sequence
from dataclasses import replace

from ruvon.implementations.persistence.memory._commits import Commits
from ruvon.providers import (
    DefinitionRecord,
    InstanceRecord,
    OutboxRecord,
    ScheduleNotFoundError,
    ScheduleRecord,
    StaleScheduleError,
)

__all__ = ["Planned"]


class Planned(Commits):
    """Schedules and outbox."""

    async def put_schedule(self, record: ScheduleRecord, /) -> None:
        """Write a schedule as it is given."""
        known = self._schedules.get(record.schedule_id)
        self._schedules[record.schedule_id] = replace(record, revision=known.revision + 1 if known is not None else 1)

    async def get_schedule(self, schedule_id: str, /) -> ScheduleRecord:
        """A copy of the schedule."""
        found = self._schedules.get(schedule_id)
        if found is None:
            raise ScheduleNotFoundError(schedule_id)
        return replace(found)

    async def list_schedules(self, /) -> Sequence[ScheduleRecord]:
        """Every schedule, by name."""
        return [replace(self._schedules[name]) for name in sorted(self._schedules)]

    async def delete_schedule(self, schedule_id: str, /) -> bool:
        """Delete a schedule."""
        return self._schedules.pop(schedule_id, None) is not None

    async def due_schedules(self, now_us: int, /, *, limit: int = 100) -> Sequence[ScheduleRecord]:
        """Schedules with something to start, earliest first."""
        due = [
            item
            for item in self._schedules.values()
            if not item.paused and (item.buffered > 0 or (item.next_us is not None and item.next_us <= now_us))
        ]
        due.sort(key=lambda item: (-1 if item.next_us is None else item.next_us, item.schedule_id))
        return [replace(item) for item in due[:limit]]

    async def advance_schedule(
        self,
        record: ScheduleRecord,
        /,
        *,
        created: tuple[InstanceRecord, ...] = (),
        definitions: tuple[DefinitionRecord, ...] = (),
    ) -> None:
        """Write a schedule that was read before, and what it starts."""
        known = self._schedules.get(record.schedule_id)
        if known is None:
            raise ScheduleNotFoundError(record.schedule_id)
        if known.revision != record.revision:
            raise StaleScheduleError(record.schedule_id)
        self._check_new(created, left_alone=True)
        self._schedules[record.schedule_id] = replace(record, revision=record.revision + 1)
        self._insert(created, definitions, record.updated_us)

    async def read_outbox(self, /, *, limit: int = 100, after: int = 0) -> Sequence[OutboxRecord]:
        """Events in order."""
        return [replace(event) for event in self.outbox if event.id > after][:limit]

    async def delete_outbox(self, ids: Sequence[int], /) -> None:
        """Delete events."""
        gone = set(ids)
        self.outbox[:] = [event for event in self.outbox if event.id not in gone]
