"""How records are written: a line of JSON for everything plain, then the bytes that it gives the lengths of.

Bytes of the value codec are stored as they are. What the scripts look at is in fields of its own or in the line; the rest
is theirs to carry.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final, cast
from uuid import UUID

import orjson

from ruvon.implementations.persistence import _rows as rows
from ruvon.providers.persistence import (
    DefinitionRecord,
    InboxEntry,
    InboxKind,
    InstanceRecord,
    LogEntry,
    OutboxRecord,
    PersistenceError,
    ScheduleRecord,
    TaskKind,
    TaskRecord,
    Transition,
    WorkflowSummary,
)
from ruvon.providers.tasks import WorkerRecord

__all__: list[str] = ["Fields"]

Fields = list[Any]
FURTHEST: Final = 2**53
"""Moments are scores of sorted sets, which are exact up to here: the year 2255 in microseconds."""
_RANKED: Final = 33
"""So many characters of the place of a task say its priority and moment; the rest is its key."""


def moment(value: int, what: str) -> str:
    """A number that orders things, as text.

    Raises:
        PersistenceError: it is too large to be ordered exactly.
    """
    if not -FURTHEST <= value <= FURTHEST:
        raise PersistenceError(f"{what} is {value}; Redis orders numbers exactly only up to 2**53")
    return str(value)


def line(values: object) -> bytes:
    """One line of JSON.

    Raises:
        PersistenceError: a text or a number in it cannot be stored.
    """
    try:
        return orjson.dumps(values)
    except TypeError as exc:  # what orjson says of lone surrogates, of too large numbers and of unknown types
        raise PersistenceError(f"a text or a number of this cannot be stored: {exc}; change it") from exc


def packed(values: Fields, *parts: bytes | None) -> bytes:
    """Plain values and bytes as one text."""
    lengths = [-1 if part is None else len(part) for part in parts]
    return b"".join((line([lengths, *values]), b"\n", *(part for part in parts if part)))


def unpacked(data: bytes) -> tuple[Fields, list[bytes | None]]:
    """The plain values and the bytes of `packed`."""
    end = data.index(b"\n")
    lengths, *values = orjson.loads(data[:end])
    parts: list[bytes | None] = []
    place = end + 1
    for length in lengths:
        parts.append(None if length < 0 else data[place : place + length])
        place += max(length, 0)
    return values, parts


def operation(header: Mapping[str, object], *parts: bytes) -> bytes:
    """One operation of a batch."""
    return b"".join((line(header), b"\n", *parts))


# --- instances --------------------------------------------------------------------------------------------------------


def now_of(made: Transition | InstanceRecord) -> bytes:
    """What of a row changes with each transition; the script reads step, moment of change and last entry of it."""
    at_us = made.at_us if isinstance(made, Transition) else made.updated_us
    moment(at_us, "the moment of a change")
    return packed(
        [made.current_step, at_us, made.last_seq, made.saga_enabled],
        made.position,
        made.transition_id,
        made.waiting_for,
        made.result,
        made.error,
    )


def fixed_of(record: InstanceRecord) -> bytes:
    """What of a row never changes."""
    return packed(
        [
            record.workflow_type,
            record.owner_id,
            record.org_id,
            record.data_region,
            record.priority,
            record.idempotency_key,
            str(record.parent_id) if record.parent_id is not None else None,
            record.parent_activation,
            record.scheduled_for_us,
            record.created_us,
            dict(record.metadata),
        ]
    )


def instance(key: bytes, row: Sequence[bytes]) -> InstanceRecord:
    """The row of an instance with its newest snapshot, as `load` gives it."""
    name, status, revision, digest, version, due, snap, fixed, now, snapshot = row
    (kind, owner, org, region, priority, idem, parent, activation, scheduled, created, metadata), _ = unpacked(fixed)
    (step, updated, last_seq, saga), (position, transition_id, waiting, result, error) = unpacked(now)
    return InstanceRecord(
        workflow_id=UUID(name.decode()),
        workflow_type=kind,
        workflow_version=version.decode(),
        digest=bytes.fromhex(digest.decode()),
        status=status.decode(),
        position=position or b"",
        snapshot=snapshot or b"",
        revision=int(revision),
        key=int(key),
        snapshot_seq=int(snap),
        last_seq=last_seq,
        current_step=step,
        waiting_for=waiting,
        due_us=int(due) if due else None,
        result=result,
        error=error,
        saga_enabled=saga,
        owner_id=owner,
        org_id=org,
        data_region=region,
        priority=priority,
        idempotency_key=idem,
        metadata=metadata,
        parent_id=UUID(parent) if parent else None,
        parent_activation=activation,
        scheduled_for_us=scheduled,
        created_us=created,
        updated_us=updated,
        transition_id=transition_id or b"",
    )


def summary(key: bytes, row: Sequence[bytes]) -> WorkflowSummary:
    """What a list shows of one instance."""
    name, status, _, digest, version, due, _, fixed, now = row
    (kind, owner, org, _, priority, _, parent, _, _, created, _), _ = unpacked(fixed)
    (step, updated, _, _), _ = unpacked(now)
    return WorkflowSummary(
        workflow_id=name.decode(),
        workflow_type=kind,
        workflow_version=version.decode(),
        status=status.decode(),
        current_step=step,
        owner_id=owner,
        org_id=org,
        parent_id=parent,
        priority=priority,
        created_us=created,
        updated_us=updated,
        key=int(key),
        digest=bytes.fromhex(digest.decode()),
        due_us=int(due) if due else None,
    )


def activation_of(row: Sequence[bytes]) -> str | None:
    """The activation of its parent that waits for an instance."""
    return cast("str | None", unpacked(row[7])[0][7])


# --- log, messages, events --------------------------------------------------------------------------------------------


def log_bytes(entry: LogEntry) -> bytes:
    """One entry of a log, without its number."""
    return packed(
        [entry.kind, entry.node, entry.activation, entry.at_us, entry.attempt, entry.note],
        entry.delta,
        entry.result,
        entry.saga,
        entry.error,
        entry.position or None,
    )


def log_entry(number: bytes, fields: Sequence[bytes]) -> LogEntry:
    """One entry of a log."""
    (kind, node, activation, at_us, attempt, note), (delta, result, saga, error, position) = unpacked(fields[1])
    return LogEntry(
        seq=seq_of(number),
        kind=kind,
        node=node,
        activation=activation,
        at_us=at_us,
        attempt=attempt,
        delta=delta or b"",
        result=result,
        saga=saga,
        error=error,
        note=note,
        position=position or b"",
    )


def seq_of(number: bytes) -> int:
    """The number of an entry of a stream."""
    return int(number.partition(b"-")[0])


def message_bytes(entry: InboxEntry) -> bytes:
    """One message, without its number."""
    return packed([entry.kind.value, entry.name, entry.key, entry.dedup, entry.at_us], entry.payload)


def message(workflow_id: UUID, number: bytes, fields: Sequence[bytes]) -> InboxEntry:
    """One message."""
    (kind, name, key, dedup, at_us), (payload,) = unpacked(fields[1])
    return InboxEntry(workflow_id, InboxKind(kind), name, payload or b"", key, dedup, at_us, seq_of(number))


def event_bytes(event: OutboxRecord, owner: UUID) -> bytes:
    """One event, without its number."""
    whose = event.workflow_id or owner
    return packed([event.topic, event.at_us, str(whose), event.key], event.payload)


def event(number: bytes, fields: Sequence[bytes]) -> OutboxRecord:
    """One event."""
    (topic, at_us, owner, key), (payload,) = unpacked(fields[1])
    return OutboxRecord(topic, payload or b"", at_us, UUID(owner), key, seq_of(number))


# --- definitions, schedules, tasks ------------------------------------------------------------------------------------


def definition(digest: bytes, row: Sequence[bytes]) -> DefinitionRecord:
    """One stored definition."""
    kind, version, stored, text = row
    return DefinitionRecord(bytes.fromhex(digest.decode()), kind.decode(), version.decode(), text, int(stored))


def schedule_bytes(record: ScheduleRecord) -> bytes:
    """One schedule, without its revision."""
    values = rows.schedule_values(record)
    del values["data"], values["revision"]
    return packed([values], record.data)


def schedule(row: Sequence[bytes]) -> ScheduleRecord:
    """One schedule."""
    revision, record = row
    (values,), (data,) = unpacked(record)
    last = values.pop("last_workflow_id")
    return ScheduleRecord(
        **values, data=data or b"", last_workflow_id=UUID(last) if last else None, revision=int(revision)
    )


def task(task_id: str, row: Sequence[bytes]) -> TaskRecord:
    """One task of the queue."""
    found = dict(zip(row[::2], row[1::2], strict=True))
    return TaskRecord(
        task_id=task_id,
        workflow_id=UUID(found[b"workflow"].decode()),
        kind=TaskKind(found[b"kind"].decode()),
        activation=found[b"activation"].decode(),
        queue=found[b"queue"].decode(),
        available_us=int(found[b"available"]),
        priority=int(found[b"priority"]),
        payload=found[b"payload"],
        attempt=int(found[b"attempt"]),
        status=found[b"status"].decode(),
        worker_id=found[b"worker"].decode() or None,
        lease_epoch=int(found[b"epoch"]),
        lease_us=int(found[b"lease"]),
        crashes=int(found[b"crashes"]),
        progress=found.get(b"progress"),
        concurrency_key=found[b"key"].decode() if b"key" in found else None,
        key=found[b"place"].decode()[_RANKED:],
    )


def tasks(found: Sequence[tuple[bytes, Sequence[bytes]]]) -> list[TaskRecord]:
    """Tasks as a script gives them: names and rows."""
    return [task(name.decode(), row) for name, row in found]


def worker_bytes(record: WorkerRecord) -> bytes:
    """What a worker tells of itself."""
    return line(asdict(record))


def worker(data: bytes) -> WorkerRecord:
    """One worker process."""
    found: dict[str, Any] = orjson.loads(data)
    found |= {name: tuple(found[name]) for name in ("queues", "running")}
    return WorkerRecord(**found)
