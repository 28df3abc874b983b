"""Applying a batch of transitions inside one database transaction.

Each transition stands alone. Its guard is checked against the row as it is inside the transaction (nobody else writes
between `BEGIN IMMEDIATE` and `COMMIT`), and a transition whose guard fails leaves no trace: its answer is the error, and
its neighbours go on. The rows of all others are gathered and written with one call per statement.
"""

import sqlite3
from dataclasses import dataclass, field
from typing import TypeAlias

import orjson

from ruvon.implementations.persistence import _rows as records
from ruvon.implementations.persistence._schedules import registered
from ruvon.implementations.persistence.sqlite import _statements as sql
from ruvon.implementations.persistence.sqlite._forget import forget
from ruvon.implementations.persistence.sqlite._instances import Ids, insert_definitions, insert_instances
from ruvon.providers.persistence import (
    InboxEntry,
    PersistenceError,
    ScheduleRecord,
    StaleWorkflowError,
    TaskRecord,
    Transition,
    WorkflowNotFoundError,
)

__all__ = ["Answer", "apply_batch", "insert_inbox", "write_schedule"]

Answer: TypeAlias = PersistenceError | None
_Row: TypeAlias = tuple[object, ...]


@dataclass(slots=True)
class _Head:
    """What a row is, as this batch leaves it."""

    revision: int
    log_head: int | None
    snapshot_head: int | None
    status: str
    due_us: int | None


@dataclass(slots=True)
class _Rows:
    """The rows of a batch, gathered by statement."""

    advance: list[_Row] = field(default_factory=list[_Row])
    move: list[_Row] = field(default_factory=list[_Row])
    log: list[_Row] = field(default_factory=list[_Row])
    snapshots: list[_Row] = field(default_factory=list[_Row])
    redefine: list[_Row] = field(default_factory=list[_Row])
    consumed: list[_Row] = field(default_factory=list[_Row])
    tasks: list[_Row] = field(default_factory=list[_Row])
    tasks_done: list[_Row] = field(default_factory=list[_Row])
    outbox: list[_Row] = field(default_factory=list[_Row])
    forgotten: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    def write(self, connection: sqlite3.Connection) -> None:
        """Run each statement once for all its rows; an instance's own transitions keep their order."""
        for statement, rows in (
            (sql.ADVANCE, self.advance),
            (sql.MOVE, self.move),
            (sql.APPEND_LOG, self.log),
            (sql.SNAPSHOT, self.snapshots),
            (sql.REDEFINE, self.redefine),
            (sql.CONSUME_INBOX, self.consumed),
            (sql.INSERT_TASK, self.tasks),
            (sql.FINISH_TASK, self.tasks_done),
            (sql.INSERT_OUTBOX, self.outbox),
        ):
            if rows:
                connection.executemany(statement, rows)
                rows.clear()
        for key, before in self.forgotten:
            forget(connection, key, before)
        self.forgotten.clear()


def apply_batch(connection: sqlite3.Connection, batch: list[Transition]) -> list[Answer]:
    """Write a batch inside the open transaction; the answer of each transition in the same place."""
    heads = _heads(connection, batch)
    ids = Ids(connection)
    rows = _Rows()
    touched: set[int] = set()
    answers: list[Answer] = []
    for transition in batch:
        if transition.key in touched or transition.expected < 0:
            rows.write(connection)
            touched.clear()
        answers.append(_apply(connection, transition, heads, rows, ids))
        touched.add(transition.key)
    rows.write(connection)
    return answers


def _heads(connection: sqlite3.Connection, batch: list[Transition]) -> dict[int, _Head]:
    keys = [transition.key for transition in batch if transition.expected >= 0]
    if not keys:
        return {}
    found = connection.execute(sql.HEADS, (orjson.dumps(keys).decode(),))
    return {
        row["key"]: _Head(row["revision"], row["log_head"], row["snapshot_head"], row["status"], row["due_us"])
        for row in found
    }


def _apply(
    connection: sqlite3.Connection, transition: Transition, heads: dict[int, _Head], rows: _Rows, ids: Ids
) -> Answer:
    """Check the guard of one transition and gather its rows."""
    creates = transition.expected < 0
    head = None if creates else heads.get(transition.key)
    if not creates and head is None:
        return WorkflowNotFoundError(transition.workflow_id)
    if head is not None and head.revision != transition.expected:
        return StaleWorkflowError(transition.workflow_id)
    if transition.created:
        answer = insert_instances(connection, transition.created, ids, left_alone=not creates)
        if answer is not None:
            return answer
    if head is not None:
        _gather(connection, transition, head, rows, ids)
    elif transition.tasks:
        rows.tasks.extend(_task_row(task) for task in transition.tasks)
    if transition.definitions or transition.sent or transition.schedules:
        _send(connection, transition)
    return None


def _gather(connection: sqlite3.Connection, transition: Transition, head: _Head, rows: _Rows, ids: Ids) -> None:
    if transition.drop_log:
        connection.execute(sql.DROP_LOG, (head.log_head,))
        connection.execute(sql.DROP_SNAPSHOTS, (head.snapshot_head,))
        head.log_head = head.snapshot_head = None
    for entry in transition.entries:
        ids.log += 1
        rows.log.append(
            (
                ids.log,
                transition.key,
                entry.seq,
                head.log_head,
                entry.kind,
                entry.node,
                entry.activation,
                entry.at_us,
                entry.attempt,
                entry.delta,
                entry.result,
                entry.saga,
                entry.error,
                entry.note,
                entry.position or None,
            )
        )
        head.log_head = ids.log
    if transition.snapshot is not None:
        made = ids.next_snapshot()
        rows.snapshots.append((made, transition.key, transition.last_seq, head.snapshot_head, transition.snapshot))
        head.snapshot_head = made
    _gather_row(transition, head, rows)
    _gather_beside(transition, rows)


def _gather_row(transition: Transition, head: _Head, rows: _Rows) -> None:
    columns: _Row = (
        transition.revision,
        transition.transition_id,
        transition.position,
        transition.last_seq,
        head.log_head,
        head.snapshot_head,
        transition.current_step,
        transition.waiting_for,
        transition.result,
        transition.error,
        transition.saga_enabled,
        transition.at_us,
    )
    if (transition.status, transition.due_us) == (head.status, head.due_us):
        rows.advance.append((*columns, transition.key))
    else:
        rows.move.append((*columns, transition.status, transition.due_us, transition.key))
        head.status, head.due_us = transition.status, transition.due_us
    head.revision = transition.revision
    if transition.digest is not None:
        rows.redefine.append((transition.digest, transition.workflow_version, transition.key))


def _gather_beside(transition: Transition, rows: _Rows) -> None:
    rows.consumed.extend((seq,) for seq in transition.consumed)
    rows.tasks.extend(_task_row(task) for task in transition.tasks)
    rows.tasks_done.extend((task_id,) for task_id in transition.tasks_done)
    rows.outbox.extend(
        (event.topic, event.payload, event.at_us, str(event.workflow_id or transition.workflow_id), event.key)
        for event in transition.outbox
    )
    if transition.forget_before:
        rows.forgotten.append((transition.key, transition.forget_before))


def _send(connection: sqlite3.Connection, transition: Transition) -> None:
    insert_definitions(connection, transition.definitions, transition.at_us)
    for schedule in transition.schedules:
        row = connection.execute(sql.GET_SCHEDULE, (schedule.schedule_id,)).fetchone()
        known = records.schedule(row) if row is not None else None
        write_schedule(connection, registered(known, schedule, transition.at_us))
    for entry in transition.sent:
        insert_inbox(connection, entry)


def write_schedule(connection: sqlite3.Connection, record: ScheduleRecord) -> None:
    """Write all columns of a schedule."""
    connection.execute(sql.PUT_SCHEDULE, records.schedule_values(record))


def insert_inbox(connection: sqlite3.Connection, entry: InboxEntry) -> bool:
    """Append one message; False when its dedup key was seen before."""
    workflow_id = str(entry.workflow_id)
    if entry.dedup is not None and connection.execute(sql.MARK_SEEN, (workflow_id, entry.dedup)).fetchone() is None:
        return False
    values = (workflow_id, entry.kind.value, entry.name, entry.key, entry.payload, entry.dedup, entry.at_us)
    cursor = connection.execute(sql.INSERT_INBOX, values)
    entry.seq = cursor.lastrowid or 0
    return True


def _task_row(task: TaskRecord) -> _Row:
    return (
        task.task_id,
        str(task.workflow_id),
        task.kind.value,
        task.activation,
        task.queue,
        task.available_us,
        task.priority,
        task.payload,
        task.attempt,
        task.status,
        task.worker_id,
        task.lease_epoch,
        task.lease_us,
        task.crashes,
        task.progress,
    )
