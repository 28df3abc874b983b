"""Rows of a database as the records of the seam, and as the plain dictionaries of the documented methods."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, Protocol, cast
from uuid import UUID

import orjson

from ruvon.providers._limits import QueueLimits, QueueLoad, Starts
from ruvon.providers.persistence import (
    DefinitionRecord,
    InboxEntry,
    InboxKind,
    InstanceRecord,
    LogEntry,
    OutboxRecord,
    ScheduleRecord,
    TaskKind,
    TaskRecord,
    WorkflowSummary,
)
from ruvon.providers.tasks import WorkerRecord

__all__ = [
    "Row",
    "columns",
    "definition",
    "event",
    "inbox_entry",
    "instance",
    "instance_values",
    "json_text",
    "log_entry",
    "plain",
    "queue_load",
    "schedule",
    "schedule_values",
    "starts_text",
    "summary",
    "task",
    "task_values",
    "worker",
    "worker_values",
]


class Row(Protocol):
    """A row as the drivers give it: values by name and in order."""

    def __getitem__(self, name: str, /) -> Any: ...

    def __iter__(self) -> Iterator[Any]: ...

    def keys(self) -> Iterable[str]:
        """The names of its columns, in order."""
        ...


def instance_values(record: InstanceRecord, snapshot_head: int) -> tuple[object, ...]:
    """The columns of a new instance, in the order of the statements that insert it; `snapshot_head` is its snapshot's id."""
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
        snapshot_head,
    )


def instance(row: Row) -> InstanceRecord:
    """The row of an instance together with its newest snapshot."""
    return InstanceRecord(
        workflow_id=UUID(row["id"]),
        workflow_type=row["workflow_type"],
        workflow_version=row["workflow_version"],
        digest=row["digest"],
        status=row["status"],
        position=row["position"],
        snapshot=row["snapshot"] or b"",
        revision=row["revision"],
        key=row["key"],
        snapshot_seq=row["snapshot_seq"] or 0,
        last_seq=row["last_seq"],
        current_step=row["current_step"],
        waiting_for=row["waiting_for"],
        due_us=row["due_us"],
        result=row["result"],
        error=row["error"],
        saga_enabled=bool(row["saga_enabled"]),
        owner_id=row["owner_id"],
        org_id=row["org_id"],
        data_region=row["data_region"],
        priority=row["priority"],
        idempotency_key=row["idempotency_key"],
        metadata=cast("dict[str, object]", orjson.loads(row["metadata"])),
        parent_id=UUID(row["parent_id"]) if row["parent_id"] else None,
        parent_activation=row["parent_activation"],
        scheduled_for_us=row["scheduled_for_us"],
        created_us=row["created_us"],
        updated_us=row["updated_us"],
        transition_id=row["transition_id"],
    )


def log_entry(row: Row) -> LogEntry:
    """One entry of an instance's log."""
    return LogEntry(
        seq=row["seq"],
        kind=row["kind"],
        node=row["node"],
        activation=row["activation"],
        at_us=row["at_us"],
        attempt=row["attempt"],
        delta=row["delta"],
        result=row["result"],
        saga=row["saga"],
        error=row["error"],
        note=row["note"],
        position=row["position"] or b"",
    )


def inbox_entry(row: Row) -> InboxEntry:
    """One message."""
    return InboxEntry(
        workflow_id=UUID(row["workflow_id"]),
        kind=InboxKind(row["kind"]),
        name=row["name"],
        payload=row["payload"],
        key=row["key"],
        dedup=row["dedup"],
        at_us=row["at_us"],
        seq=row["seq"],
    )


def definition(row: Row) -> DefinitionRecord:
    """One stored definition."""
    return DefinitionRecord(row["digest"], row["workflow_type"], row["workflow_version"], row["text"], row["stored_us"])


def summary(row: Row) -> WorkflowSummary:
    """What a list shows of one instance."""
    found = columns(row)
    return WorkflowSummary(workflow_id=found.pop("id"), **found)


def schedule(row: Row) -> ScheduleRecord:
    """One schedule."""
    found = columns(row)
    last = found.pop("last_workflow_id")
    paused = bool(found.pop("paused"))
    return ScheduleRecord(**found, paused=paused, last_workflow_id=UUID(last) if last is not None else None)


def schedule_values(record: ScheduleRecord) -> dict[str, object]:
    """The columns of a schedule by name."""
    last = record.last_workflow_id
    return {**asdict(record), "last_workflow_id": str(last) if last is not None else None}


def event(row: Row) -> OutboxRecord:
    """One event that waits to be delivered."""
    owner = row["workflow_id"]
    return OutboxRecord(
        topic=row["topic"],
        payload=row["payload"],
        at_us=row["at_us"],
        workflow_id=UUID(owner) if owner is not None else None,
        key=row["key"],
        id=row["id"],
    )


def task(row: Row) -> TaskRecord:
    """One task of the queue."""
    return TaskRecord(
        task_id=row["task_id"],
        workflow_id=UUID(row["workflow_id"]),
        kind=TaskKind(row["kind"]),
        activation=row["activation"],
        queue=row["queue"],
        available_us=row["available_us"],
        priority=row["priority"],
        payload=row["payload"],
        attempt=row["attempt"],
        status=row["status"],
        worker_id=row["worker_id"],
        lease_epoch=row["lease_epoch"],
        lease_us=row["lease_us"],
        crashes=row["crashes"],
        progress=row["progress"],
        concurrency_key=row["concurrency_key"],
    )


def task_values(task: TaskRecord) -> tuple[object, ...]:
    """The columns of a task, in the order of the statements of every store."""
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
        task.concurrency_key,
    )


def queue_load(row: Row, counts: Mapping[str | None, int], at_us: int) -> QueueLoad:
    """A limited queue, with the numbers of its claimed steps by key."""
    return QueueLoad(
        limits=QueueLimits(
            queue=row["queue"],
            concurrency=row["concurrency"],
            per_key=row["per_key"],
            rate=row["rate"],
            period_us=row["period_us"],
        ),
        running=sum(counts.values()),
        by_key={key: number for key, number in counts.items() if key is not None},
        starts=tuple((at, number) for at, number in orjson.loads(row["starts"])),
        at_us=at_us,
    )


def starts_text(starts: Starts) -> str:
    """The starts of a queue as they are stored."""
    return orjson.dumps(list(starts)).decode()


def worker(row: Row) -> WorkerRecord:
    """One worker process."""
    found = columns(row)
    for name in ("queues", "running"):
        found[name] = tuple(orjson.loads(found[name]))
    found["draining"] = bool(found["draining"])
    return WorkerRecord(**found)


def worker_values(record: WorkerRecord) -> dict[str, object]:
    """The columns of a worker by name."""
    lists = {name: orjson.dumps(list(getattr(record, name))).decode() for name in ("queues", "running")}
    return {**asdict(record), **lists}


def columns(row: Row) -> dict[str, Any]:
    """A row as a dictionary, as it is."""
    return dict(zip(row.keys(), tuple(row), strict=True))


def plain(row: Row) -> dict[str, Any]:
    """A row as a dictionary; JSON columns are opened, ids are called `workflow_id`."""
    found = columns(row)
    if isinstance(found.get("metadata"), str):
        found["metadata"] = orjson.loads(found["metadata"])
    if "id" in found and isinstance(found["id"], str):
        found["workflow_id"] = found.pop("id")
    return found


def json_text(value: object) -> str:
    """A caller's dictionary as JSON text; values JSON does not know become their text."""
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
