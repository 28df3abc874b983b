"""What a transition writes beside its own row: messages, tasks, events, definitions, schedules."""

from collections.abc import Sequence

from ruvon.implementations.persistence import _rows as records
from ruvon.implementations.persistence._schedules import registered
from ruvon.implementations.persistence.postgres import _queries
from ruvon.implementations.persistence.postgres import _statements as sql
from ruvon.implementations.persistence.postgres._driver import Connection
from ruvon.implementations.persistence.postgres._holds import TASKS
from ruvon.implementations.persistence.postgres._instances import columns, insert_definitions
from ruvon.providers.persistence import InboxEntry, ScheduleRecord, Transition

__all__ = ["append", "lock_schedule", "send", "write_beside", "write_schedule", "write_tasks"]

_SCHEDULE_COLUMNS = (
    "schedule_id", "workflow_type", "cron", "timezone", "data", "version", "overlap", "catch_up", "paused", "next_us",
    "last_us", "last_workflow_id", "buffered", "owner_id", "org_id", "note", "created_us", "updated_us", "revision",
    "data_region",
)  # fmt: skip


async def write_tasks(connection: Connection, transitions: Sequence[Transition], channel: str) -> None:
    """Queue tasks."""
    tasks = {task.task_id: task for made in transitions for task in made.tasks}
    if tasks:
        rows = columns([records.task_values(task) for task in tasks.values()], 16)
        await connection.execute(sql.INSERT_TASKS, *rows, channel, TASKS)


async def write_beside(connection: Connection, transitions: Sequence[Transition]) -> None:
    """What a transition that creates instances has beside them: tasks that are done, and events for delivery."""
    if done := [task_id for made in transitions for task_id in made.tasks_done]:
        await connection.execute(sql.FINISH_TASKS, done)
    events = [
        (event.topic, event.payload, event.at_us, str(event.workflow_id or made.workflow_id), event.key)
        for made in transitions
        for event in made.outbox
    ]
    if events:
        await connection.execute(sql.INSERT_OUTBOX, *columns(events, 5))


async def send(connection: Connection, transitions: Sequence[Transition], salt: int, channel: str) -> None:
    """Definitions, schedules and messages, in this order: the locks of inboxes are taken last."""
    definitions = {item.digest: (item, made.at_us) for made in reversed(transitions) for item in made.definitions}
    await insert_definitions(connection, definitions.values())
    for made in transitions:
        for schedule in made.schedules:
            await _register(connection, schedule, made.at_us, salt)
    if sent := [entry for made in transitions for entry in made.sent]:
        await append(connection, sent, salt, channel)


async def append(connection: Connection, entries: Sequence[InboxEntry], salt: int, channel: str) -> int:
    """Append messages and tell the holders; how many were appended. Their order becomes that of their numbers."""
    rows = [
        (str(entry.workflow_id), entry.kind.value, entry.name, entry.key, entry.payload, entry.dedup, entry.at_us)
        for entry in entries
    ]
    await connection.execute(sql.LOCK_INBOXES, [row[0] for row in rows], salt)
    found = await connection.fetch(sql.APPEND_INBOX, *columns(rows, 7), channel)
    if len(entries) == 1 and found:
        entries[0].seq = found[0]["seq"]
    return len(found)


async def _register(connection: Connection, wanted: ScheduleRecord, at_us: int, salt: int) -> None:
    """Register a schedule over what the store knows of it."""
    known = await lock_schedule(connection, wanted.schedule_id, salt)
    await write_schedule(connection, registered(known, wanted, at_us))


async def lock_schedule(connection: Connection, schedule_id: str, salt: int) -> ScheduleRecord | None:
    """The schedule as it is now; nobody else changes it until the transaction ends."""
    await connection.execute(_queries.LOCK_SCHEDULE, schedule_id, salt)
    row = await connection.fetchrow(_queries.GET_SCHEDULE, schedule_id)
    return records.schedule(row) if row is not None else None


async def write_schedule(connection: Connection, record: ScheduleRecord) -> None:
    """Write all columns of a schedule."""
    values = records.schedule_values(record)
    await connection.execute(_queries.PUT_SCHEDULE, *(values[name] for name in _SCHEDULE_COLUMNS))
