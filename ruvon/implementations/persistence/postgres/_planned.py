"""Schedules, and the events that wait to be delivered."""

from collections.abc import Sequence
from dataclasses import replace

from ruvon.implementations.persistence import _rows as rows
from ruvon.implementations.persistence.postgres import _queries as queries
from ruvon.implementations.persistence.postgres._database import Database
from ruvon.implementations.persistence.postgres._driver import Connection
from ruvon.implementations.persistence.postgres._instances import Group, Ids, insert_definitions, insert_groups
from ruvon.implementations.persistence.postgres._sending import lock_schedule, write_schedule
from ruvon.providers.persistence import (
    DefinitionRecord,
    InstanceRecord,
    OutboxRecord,
    ScheduleNotFoundError,
    ScheduleRecord,
    StaleScheduleError,
)

__all__ = ["Planned"]


class Planned(Database):
    """Schedules and outbox."""

    async def put_schedule(self, record: ScheduleRecord, /) -> None:
        """Write a schedule as it is given."""

        async def work(connection: Connection) -> None:
            known = await lock_schedule(connection, record.schedule_id, self._inbox_salt)
            await write_schedule(connection, replace(record, revision=known.revision + 1 if known is not None else 1))

        await self._transaction(work)

    async def get_schedule(self, schedule_id: str, /) -> ScheduleRecord:
        """The schedule."""
        row = await self._one(queries.GET_SCHEDULE, schedule_id)
        if row is None:
            raise ScheduleNotFoundError(schedule_id)
        return rows.schedule(row)

    async def list_schedules(self, /) -> Sequence[ScheduleRecord]:
        """Every schedule, by name."""
        return [rows.schedule(row) for row in await self._all(queries.LIST_SCHEDULES)]

    async def delete_schedule(self, schedule_id: str, /) -> bool:
        """Delete a schedule."""

        async def work(connection: Connection) -> bool:
            return bool(await connection.fetch(queries.DELETE_SCHEDULE, schedule_id))

        return await self._transaction(work)

    async def due_schedules(self, now_us: int, /, *, limit: int = 100) -> Sequence[ScheduleRecord]:
        """Schedules with something to start, earliest first."""
        return [rows.schedule(row) for row in await self._all(queries.DUE_SCHEDULES, now_us, limit)]

    async def advance_schedule(
        self,
        record: ScheduleRecord,
        /,
        *,
        created: tuple[InstanceRecord, ...] = (),
        definitions: tuple[DefinitionRecord, ...] = (),
    ) -> None:
        """Write a schedule that was read before, and what it starts."""

        async def work(connection: Connection) -> None:
            known = await lock_schedule(connection, record.schedule_id, self._inbox_salt)
            if known is None:
                raise ScheduleNotFoundError(record.schedule_id)
            if known.revision != record.revision:
                raise StaleScheduleError(record.schedule_id)
            if created:
                ids = Ids()
                await ids.reserve(connection, logs=0, snapshots=len(created), exactly=True)
                (answer,) = await insert_groups(connection, [Group(created, left_alone=True)], ids)
                if answer is not None:
                    raise answer
            await insert_definitions(connection, [(item, record.updated_us) for item in definitions])
            await write_schedule(connection, replace(record, revision=record.revision + 1))

        await self._transaction(work)

    async def read_outbox(self, /, *, limit: int = 100, after: int = 0) -> Sequence[OutboxRecord]:
        """Events in order."""
        return [rows.event(row) for row in await self._all(queries.READ_OUTBOX, after, limit)]

    async def delete_outbox(self, ids: Sequence[int], /) -> None:
        """Delete events."""
        await self._all(queries.DELETE_OUTBOX, list(ids))
