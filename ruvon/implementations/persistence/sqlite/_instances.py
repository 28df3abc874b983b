"""New instances and their definitions, and their deletion with all that belongs to them."""

import sqlite3
from collections.abc import Iterable
from uuid import UUID

from ruvon.implementations.persistence import _rows as rows
from ruvon.implementations.persistence.sqlite import _statements as sql
from ruvon.implementations.persistence.sqlite._heads import Ids
from ruvon.providers.persistence import (
    DefinitionRecord,
    DuplicateIdempotencyKeyError,
    InstanceRecord,
    PersistenceError,
    StaleWorkflowError,
)

__all__ = ["delete_workflow", "insert_definitions", "insert_instances"]


def insert_instances(
    connection: sqlite3.Connection, records: Iterable[InstanceRecord], ids: Ids, *, left_alone: bool
) -> PersistenceError | None:
    """Insert new instances, all of them or none; `left_alone` says whether one whose id exists may stay as it is."""
    inserted: list[InstanceRecord] = []
    for record in records:
        snapshot = ids.next_snapshot()
        row = connection.execute(sql.INSERT_INSTANCE, rows.instance_values(record, snapshot)).fetchone()
        if row is not None:
            record.key = int(row[0])
            values = (snapshot, record.key, record.snapshot_seq, None, record.snapshot)
            connection.execute(sql.SNAPSHOT, values)
            inserted.append(record)
            continue
        answer = _conflict(connection, record, left_alone=left_alone)
        if answer is not None:
            for item in inserted:
                delete_workflow(connection, str(item.workflow_id))
            return answer
    return None


def _conflict(connection: sqlite3.Connection, record: InstanceRecord, *, left_alone: bool) -> PersistenceError | None:
    """Why it was not inserted: its id exists (which may be well), or its idempotency key is another one's."""
    existing = connection.execute(sql.KEY_OF, (str(record.workflow_id),)).fetchone()
    if existing is None:
        key = record.idempotency_key or ""
        taken = connection.execute(sql.KEY_AND_ID_BY_IDEMPOTENCY, (key,)).fetchone()
        return DuplicateIdempotencyKeyError(key, UUID(taken["id"]))
    if not left_alone:
        return StaleWorkflowError(record.workflow_id)
    record.key = int(existing[0])
    return None


def insert_definitions(connection: sqlite3.Connection, records: Iterable[DefinitionRecord], at_us: int) -> None:
    """Store definitions that are not known yet."""
    for record in records:
        moment = record.stored_us or at_us
        values = (record.digest, record.workflow_type, record.workflow_version, record.text, moment)
        connection.execute(sql.INSERT_DEFINITION, values)


def delete_workflow(connection: sqlite3.Connection, workflow_id: str) -> bool:
    """Delete an instance or a stored dictionary; False where there is neither."""
    heads = connection.execute(sql.HEADS_OF, (workflow_id,)).fetchone()
    if heads is not None:
        connection.execute(sql.DROP_LOG, (heads["log_head"],))
        connection.execute(sql.DROP_SNAPSHOTS, (heads["snapshot_head"],))
        connection.execute(sql.DELETE_INSTANCE, (workflow_id,))
    for statement in sql.DELETE_WORKFLOW:
        connection.execute(statement, {"id": workflow_id})
    return bool(connection.execute(sql.DELETE_DOCUMENT, (workflow_id,)).rowcount) or heads is not None
