"""Applying a batch of transitions inside one database transaction.

Each transition stands alone. Its guard is checked against the row as it is inside the transaction (nobody else writes
between `BEGIN IMMEDIATE` and `COMMIT`), and a transition whose guard fails leaves no trace: its answer is the error, and
its neighbours go on. The rows of all others are gathered and written with one call per statement.
"""

import sqlite3
from dataclasses import dataclass, field
from typing import TypeAlias
from uuid import UUID

import orjson

from ruvon.implementations.persistence.sqlite import _statements as sql
from ruvon.providers.persistence import (
    DuplicateIdempotencyKeyError,
    InboxEntry,
    InstanceRecord,
    PersistenceError,
    StaleWorkflowError,
    TaskRecord,
    Transition,
    WorkflowNotFoundError,
)

__all__ = ["Answer", "apply_batch", "insert_inbox"]

Answer: TypeAlias = PersistenceError | None
_Row: TypeAlias = tuple[object, ...]


@dataclass(slots=True)
class _Head:
    """What a row is, as this batch leaves it."""

    revision: int
    log_head: int | None
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


def apply_batch(connection: sqlite3.Connection, batch: list[Transition]) -> list[Answer]:
    """Write a batch inside the open transaction; the answer of each transition in the same place."""
    heads = _heads(connection, batch)
    next_id = int(connection.execute(sql.NEXT_LOG_ID).fetchone()[0])
    rows = _Rows()
    touched: set[int] = set()
    answers: list[Answer] = []
    for transition in batch:
        if transition.key in touched or transition.expected < 0:
            rows.write(connection)
            touched.clear()
        answer, next_id = _apply(connection, transition, heads, rows, next_id)
        answers.append(answer)
        touched.add(transition.key)
    rows.write(connection)
    return answers


def _heads(connection: sqlite3.Connection, batch: list[Transition]) -> dict[int, _Head]:
    keys = [transition.key for transition in batch if transition.expected >= 0]
    if not keys:
        return {}
    found = connection.execute(sql.HEADS, (orjson.dumps(keys).decode(),))
    return {row["key"]: _Head(row["revision"], row["log_head"], row["status"], row["due_us"]) for row in found}


def _apply(
    connection: sqlite3.Connection, transition: Transition, heads: dict[int, _Head], rows: _Rows, next_id: int
) -> tuple[Answer, int]:
    """Check the guard of one transition and gather its rows."""
    if transition.expected < 0:
        return _create(connection, transition), next_id
    head = heads.get(transition.key)
    if head is None:
        return WorkflowNotFoundError(transition.workflow_id), next_id
    if head.revision != transition.expected:
        return StaleWorkflowError(transition.workflow_id), next_id
    if transition.created and (answer := _insert_children(connection, transition)) is not None:
        return answer, next_id
    if transition.drop_log:
        connection.execute(sql.DROP_LOG, (head.log_head,))
        head.log_head = None
    for entry in transition.entries:
        next_id += 1
        rows.log.append(
            (
                next_id,
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
            )
        )
        head.log_head = next_id
    _gather_row(transition, head, rows)
    if transition.definitions or transition.sent:
        _send(connection, transition)
    return None, next_id


def _gather_row(transition: Transition, head: _Head, rows: _Rows) -> None:
    columns: _Row = (
        transition.revision,
        transition.transition_id,
        transition.position,
        transition.last_seq,
        head.log_head,
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
    if transition.snapshot is not None:
        rows.snapshots.append((transition.key, transition.last_seq, transition.snapshot))
    if transition.digest is not None:
        rows.redefine.append((transition.digest, transition.workflow_version, transition.key))
    rows.consumed.extend((seq,) for seq in transition.consumed)
    rows.tasks.extend(_task_row(task) for task in transition.tasks)
    rows.tasks_done.extend((task_id,) for task_id in transition.tasks_done)
    rows.outbox.extend((event.topic, event.payload, event.at_us) for event in transition.outbox)


def _send(connection: sqlite3.Connection, transition: Transition) -> None:
    for record in transition.definitions:
        connection.execute(
            sql.INSERT_DEFINITION, (record.digest, record.workflow_type, record.workflow_version, record.text)
        )
    for entry in transition.sent:
        insert_inbox(connection, entry)


def insert_inbox(connection: sqlite3.Connection, entry: InboxEntry) -> bool:
    """Append one message; False when its dedup key was seen before."""
    workflow_id = str(entry.workflow_id)
    if entry.dedup is not None and connection.execute(sql.MARK_SEEN, (workflow_id, entry.dedup)).fetchone() is None:
        return False
    values = (workflow_id, entry.kind.value, entry.name, entry.key, entry.payload, entry.dedup, entry.at_us)
    cursor = connection.execute(sql.INSERT_INBOX, values)
    entry.seq = cursor.lastrowid or 0
    return True


# --- new instances ----------------------------------------------------------------------------------------------------


def _create(connection: sqlite3.Connection, transition: Transition) -> Answer:
    """Insert the instances of a transition that touches no row of its own: all of them or none."""
    inserted: list[str] = []
    for record in transition.created:
        answer = _insert(connection, record, left_alone=False)
        if answer is not None:
            for workflow_id in inserted:
                for statement in (*sql.DELETE_WORKFLOW, sql.DELETE_ROW[0]):
                    connection.execute(statement, {"id": workflow_id})
            return answer
        inserted.append(str(record.workflow_id))
    _send(connection, transition)
    return None


def _insert_children(connection: sqlite3.Connection, transition: Transition) -> Answer:
    for record in transition.created:
        if (answer := _insert(connection, record, left_alone=True)) is not None:
            return answer
    return None


def _insert(connection: sqlite3.Connection, record: InstanceRecord, *, left_alone: bool) -> Answer:
    """Insert one instance; one that exists under its id is left alone where the caller says so."""
    row = connection.execute(sql.INSERT_INSTANCE, _instance_row(record)).fetchone()
    if row is not None:
        record.key = int(row[0])
        connection.execute(sql.SNAPSHOT, (record.key, record.snapshot_seq, record.snapshot))
        return None
    if record.idempotency_key is not None:
        taken = connection.execute(sql.KEY_AND_ID_BY_IDEMPOTENCY, (record.idempotency_key,)).fetchone()
        if taken is not None and taken["id"] != str(record.workflow_id):
            return DuplicateIdempotencyKeyError(record.idempotency_key, UUID(taken["id"]))
    if left_alone:
        record.key = int(connection.execute(sql.KEY_OF, (str(record.workflow_id),)).fetchone()[0])
        return None
    return StaleWorkflowError(record.workflow_id)


def _instance_row(record: InstanceRecord) -> _Row:
    return (
        str(record.workflow_id),
        record.workflow_type,
        record.workflow_version,
        record.digest,
        record.status,
        record.revision,
        record.transition_id,
        record.position,
        record.last_seq,
        record.current_step,
        record.waiting_for,
        record.due_us,
        record.result,
        record.error,
        record.saga_enabled,
        record.owner_id,
        record.org_id,
        record.data_region,
        record.priority,
        record.idempotency_key,
        orjson.dumps(dict(record.metadata)).decode(),
        str(record.parent_id) if record.parent_id is not None else None,
        record.parent_activation,
        record.scheduled_for_us,
        record.created_us,
        record.updated_us,
    )


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
    )
