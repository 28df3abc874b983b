"""Applying a batch of transitions inside one database transaction.

Each transition stands alone. Its guard is checked against the row as it is inside the transaction (nobody else writes
between `BEGIN IMMEDIATE` and `COMMIT`), and a transition whose guard fails leaves no trace: its answer is the error, and
its neighbours go on. The rows of all others are gathered and written with one call per statement.

`sqlite3` looks for an adapter of every bound value that is no int, float, str or bytearray, which takes longer than the
rest of binding it. So the hot path binds bytes as bytearrays, and leaves out columns that are NULL.
"""

import sqlite3
from dataclasses import dataclass, field
from typing import TypeAlias

from ruvon.implementations.persistence import _rows as records
from ruvon.implementations.persistence._schedules import registered
from ruvon.implementations.persistence.sqlite import _statements as sql
from ruvon.implementations.persistence.sqlite._forget import forget
from ruvon.implementations.persistence.sqlite._heads import Head, Heads, Ids
from ruvon.implementations.persistence.sqlite._instances import insert_definitions, insert_instances
from ruvon.providers.persistence import (
    InboxEntry,
    LogEntry,
    PersistenceError,
    ScheduleRecord,
    StaleWorkflowError,
    Transition,
    WorkflowNotFoundError,
)

__all__ = ["Answer", "apply_batch", "insert_inbox", "write_schedule"]

Answer: TypeAlias = PersistenceError | None
_Row: TypeAlias = tuple[object, ...]


@dataclass(slots=True)
class _Rows:
    """The rows of a batch, gathered by statement."""

    steps: list[_Row] = field(default_factory=list[_Row])
    advance: list[_Row] = field(default_factory=list[_Row])
    move: list[_Row] = field(default_factory=list[_Row])
    plain_log: list[_Row] = field(default_factory=list[_Row])
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
            (sql.STEP, self.steps),
            (sql.ADVANCE, self.advance),
            (sql.MOVE, self.move),
            (sql.APPEND_PLAIN_LOG, self.plain_log),
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


def apply_batch(connection: sqlite3.Connection, batch: list[Transition], heads: Heads | None = None) -> list[Answer]:
    """Write a batch inside the open transaction; the answer of each transition in the same place.

    Args:
        connection: in a write transaction.
        batch: the transitions, those of one instance in their order.
        heads: what is known of the rows from earlier transactions of the connection; None: nothing. Whoever rolls the
            transaction back makes them forget.
    """
    heads = heads if heads is not None else Heads(connection)
    ids = heads.read(transition.key for transition in batch if transition.expected >= 0)
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


def _apply(connection: sqlite3.Connection, transition: Transition, heads: Heads, rows: _Rows, ids: Ids) -> Answer:
    """Check the guard of one transition and gather its rows."""
    creates = transition.expected < 0
    head = None if creates else heads.known.get(transition.key)
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
    else:
        rows.tasks.extend(records.task_values(task) for task in transition.tasks)
        rows.tasks_done.extend((task_id,) for task_id in transition.tasks_done)
    if transition.definitions or transition.sent or transition.schedules:
        _send(connection, transition)
    return None


def _gather(connection: sqlite3.Connection, transition: Transition, head: Head, rows: _Rows, ids: Ids) -> None:
    if transition.drop_log:
        connection.execute(sql.DROP_LOG, (head.log_head,))
        connection.execute(sql.DROP_SNAPSHOTS, (head.snapshot_head,))
        head.log_head = head.snapshot_head = None
        head.is_plain = False  # the row still names them, so all of it is written
    for entry in transition.entries:
        _gather_entry(entry, transition.key, head, rows, ids)
    newest = head.snapshot_head
    if transition.snapshot is not None:
        newest = ids.next_snapshot()
        rows.snapshots.append((newest, transition.key, transition.last_seq, head.snapshot_head, transition.snapshot))
    _gather_row(transition, head, rows, newest)
    _gather_beside(transition, rows)


def _gather_entry(entry: LogEntry, key: int, head: Head, rows: _Rows, ids: Ids) -> None:
    ids.log = made = ids.log + 1
    delta = bytearray(entry.delta)
    result = bytearray(entry.result) if entry.result is not None else None
    position = bytearray(entry.position) if entry.position else None
    begin = (made, key, entry.seq, head.log_head, entry.kind, entry.node, entry.activation, entry.at_us, entry.attempt)
    if entry.saga is None and entry.error is None:
        rows.plain_log.append((*begin, delta, result, entry.note, position))
    else:
        rows.log.append((*begin, delta, result, entry.saga, entry.error, entry.note, position))
    head.log_head = made


def _gather_row(transition: Transition, head: Head, rows: _Rows, snapshot_head: int | None) -> None:
    is_plain = transition.waiting_for is None and transition.result is None and transition.error is None
    stays = transition.status == head.status and transition.due_us == head.due_us
    begin = (
        transition.revision,
        bytearray(transition.transition_id),
        bytearray(transition.position),
        transition.last_seq,
        head.log_head,
    )
    if (
        stays
        and is_plain
        and head.is_plain
        and snapshot_head == head.snapshot_head
        and transition.saga_enabled == head.saga_enabled
    ):
        rows.steps.append((*begin, transition.current_step, transition.at_us, transition.key))
    else:
        columns: _Row = (
            *begin,
            snapshot_head,
            transition.current_step,
            transition.waiting_for,
            transition.result,
            transition.error,
            transition.saga_enabled,
            transition.at_us,
        )
        if stays:
            rows.advance.append((*columns, transition.key))
        else:
            rows.move.append((*columns, transition.status, transition.due_us, transition.key))
            head.status, head.due_us = transition.status, transition.due_us
        head.snapshot_head, head.is_plain, head.saga_enabled = snapshot_head, is_plain, transition.saga_enabled
    head.revision = transition.revision
    if transition.digest is not None:
        rows.redefine.append((transition.digest, transition.workflow_version, transition.key))


def _gather_beside(transition: Transition, rows: _Rows) -> None:
    if transition.consumed:
        rows.consumed.extend((seq,) for seq in transition.consumed)
    if transition.tasks:
        rows.tasks.extend(records.task_values(task) for task in transition.tasks)
    if transition.tasks_done:
        rows.tasks_done.extend((task_id,) for task_id in transition.tasks_done)
    if transition.outbox:
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
