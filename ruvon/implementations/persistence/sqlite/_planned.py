"""Schedules, and the events that wait to be delivered."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from ruvon.implementations.persistence import _rows as rows
from ruvon.implementations.persistence.sqlite import _statements as sql
from ruvon.implementations.persistence.sqlite._apply import write_schedule
from ruvon.implementations.persistence.sqlite._database import Database
from ruvon.implementations.persistence.sqlite._heads import Ids
from ruvon.implementations.persistence.sqlite._instances import insert_definitions, insert_instances
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

        def work(connection: sqlite3.Connection) -> None:
            row = connection.execute(sql.GET_SCHEDULE, (record.schedule_id,)).fetchone()
            write_schedule(connection, replace(record, revision=row["revision"] + 1 if row is not None else 1))

        await self._write(work)

    async def get_schedule(self, schedule_id: str, /) -> ScheduleRecord:
        """The schedule."""
        row = self._one(sql.GET_SCHEDULE, (schedule_id,))
        if row is None:
            raise ScheduleNotFoundError(schedule_id)
        return rows.schedule(row)

    async def list_schedules(self, /) -> Sequence[ScheduleRecord]:
        """Every schedule, by name."""
        return [rows.schedule(row) for row in await self._scan(sql.LIST_SCHEDULES, ())]

    async def delete_schedule(self, schedule_id: str, /) -> bool:
        """Delete a schedule."""
        return bool(
            await self._write(lambda connection: connection.execute(sql.DELETE_SCHEDULE, (schedule_id,)).rowcount)
        )

    async def due_schedules(self, now_us: int, /, *, limit: int = 100) -> Sequence[ScheduleRecord]:
        """Schedules with something to start, earliest first."""
        return [rows.schedule(row) for row in await self._scan(sql.DUE_SCHEDULES, (now_us, limit))]

    async def advance_schedule(
        self,
        record: ScheduleRecord,
        /,
        *,
        created: tuple[InstanceRecord, ...] = (),
        definitions: tuple[DefinitionRecord, ...] = (),
    ) -> None:
        """Write a schedule that was read before, and what it starts."""

        def work(connection: sqlite3.Connection) -> None:
            row = connection.execute(sql.GET_SCHEDULE, (record.schedule_id,)).fetchone()
            if row is None:
                raise ScheduleNotFoundError(record.schedule_id)
            if row["revision"] != record.revision:
                raise StaleScheduleError(record.schedule_id)
            answer = insert_instances(connection, created, Ids(connection), left_alone=True)
            if answer is not None:
                raise answer
            insert_definitions(connection, definitions, record.updated_us)
            write_schedule(connection, replace(record, revision=record.revision + 1))

        await self._write(work)

    async def read_outbox(self, /, *, limit: int = 100, after: int = 0) -> Sequence[OutboxRecord]:
        """Events in order."""
        return [rows.event(row) for row in await self._scan(sql.READ_OUTBOX, (after, limit))]

    async def delete_outbox(self, ids: Sequence[int], /) -> None:
        """Delete events."""
        gone = [(event,) for event in ids]
        await self._write(lambda connection: connection.executemany(sql.DELETE_OUTBOX, gone))
