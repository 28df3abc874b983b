"""Transitions and records as the operations of a batch: all that a script has to know is said in the header."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from ruvon.implementations.persistence.redis import _packing as packing
from ruvon.implementations.persistence.redis._packing import moment
from ruvon.models import TERMINAL_STATUSES
from ruvon.providers.persistence import (
    DefinitionRecord,
    InboxEntry,
    InstanceRecord,
    PersistenceError,
    ScheduleRecord,
    TaskRecord,
    Transition,
)

__all__ = [
    "advancing",
    "appending",
    "available",
    "committing",
    "defining",
    "key_of_answer",
    "key_text",
    "mark",
    "message_header",
    "metadata_marks",
    "schedule_header",
]

_LONGEST_NAME: Final = 100
_ENDED: Final = frozenset(str(status) for status in TERMINAL_STATUSES)

Header = dict[str, Any]
Parts = list[bytes]


def key_text(key: int) -> str:
    """The number of an instance as the sorted sets have it: of fixed width."""
    return f"{key:015d}"


def key_of_answer(key: bytes) -> int:
    """The number of an instance as a script gives it."""
    return int(key)


def mark(kind: str, value: str) -> str:
    """The name of the index of everything that has this value; a long value is named by its digest."""
    name = f"{kind}:{value}"
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{kind}#{hashlib.blake2b(value.encode(errors='surrogatepass'), digest_size=20).hexdigest()}"


def metadata_marks(metadata: Mapping[str, object]) -> list[str]:
    """The indexes of each top-level key with its value: as JSON, where 1, 1.0 and true are three different things."""
    return [mark("metadata", packing.line([name, value]).decode()) for name, value in metadata.items()]


def _ended(status: str) -> str:
    return "1" if status in _ENDED else ""


def _due(due_us: int | None) -> str:
    return "" if due_us is None else moment(due_us, "the moment at which an instance falls due")


def committing(made: Transition, known: Sequence[ScheduleRecord | None], schedules: Sequence[ScheduleRecord]) -> bytes:
    """One transition.

    Args:
        made: the transition.
        known: what the store had of the schedules that it registers.
        schedules: what is to become of them.

    Raises:
        PersistenceError: something in it cannot be stored.
    """
    header: Header = {"op": "commit", "id": str(made.workflow_id)}
    parts: Parts = []
    if made.expected >= 0:
        _add_row(header, parts, made)
    _add_new(header, parts, made.created, made.definitions, made.at_us)
    if made.tasks:
        header["tasks"] = [_task(task, parts) for task in made.tasks]
    if made.tasks_done:
        header["done"] = made.tasks_done
    if made.outbox:
        header["outbox"] = [_added(parts, packing.event_bytes(event, made.workflow_id)) for event in made.outbox]
    if schedules:
        header["schedules"] = [
            schedule_header(was, wanted, parts) for was, wanted in zip(known, schedules, strict=True)
        ]
    if made.sent:
        header["sent"] = [message_header(entry, parts) for entry in made.sent]
    return packing.operation(header, *parts)


def advancing(
    known: ScheduleRecord,
    wanted: ScheduleRecord,
    created: Sequence[InstanceRecord],
    definitions: Sequence[DefinitionRecord],
) -> bytes:
    """A schedule that moves on, and what it starts."""
    parts: Parts = []
    header: Header = {"op": "advance", "schedule": schedule_header(known, wanted, parts)}
    _add_new(header, parts, created, definitions, wanted.updated_us)
    return packing.operation(header, *parts)


def appending(entry: InboxEntry) -> bytes:
    """One message."""
    parts: Parts = []
    return packing.operation({"op": "append", **message_header(entry, parts)}, *parts)


def defining(record: DefinitionRecord, at_us: int) -> bytes:
    """One definition."""
    parts: Parts = []
    return packing.operation({"op": "define", **_definition(record, at_us, parts)}, *parts)


def _add_row(header: Header, parts: Parts, made: Transition) -> None:
    seqs = [entry.seq for entry in made.entries]
    if any(later <= sooner for sooner, later in pairwise(seqs)):
        raise PersistenceError(f"the log entries {seqs} of one transition are not in order")
    header.update(
        key=key_text(made.key),
        expected=str(made.expected),
        revision=str(made.revision),
        status=made.status,
        ended=_ended(made.status),
        due=_due(made.due_us),
        last=str(made.last_seq),
        updated=moment(made.at_us, "the moment of a transition"),
    )
    if made.entries:
        header["entries"] = [_entry(entry, parts) for entry in made.entries]
    if made.drop_log:
        header["drop"], header["first"] = True, str(seqs[0] if seqs else made.last_seq + 1)
    header["now"] = _added(parts, packing.now_of(made))
    if made.snapshot is not None:
        header["snapshot"] = _added(parts, made.snapshot)
    if made.digest is not None:
        header["digest"] = made.digest.hex()
        if made.workflow_version:
            header["version"] = made.workflow_version
    if made.forget_before:
        header["forget"] = made.forget_before
    if made.consumed:
        header["consumed"] = [str(seq) for seq in made.consumed]


def _entry(entry: Any, parts: Parts) -> Header:
    made: Header = {"seq": str(entry.seq), "size": _added(parts, packing.log_bytes(entry))}
    if entry.saga is not None or entry.kind == "compensate":
        made["saga"] = True
    return made


def _add_new(
    header: Header,
    parts: Parts,
    created: Iterable[InstanceRecord],
    definitions: Iterable[DefinitionRecord],
    at_us: int,
) -> None:
    """New definitions, then new instances: the order in which the script takes their bytes."""
    if defined := [_definition(record, at_us, parts) for record in definitions]:
        header["definitions"] = defined
    if inserted := [_instance(record, parts) for record in created]:
        header["created"] = inserted


def _instance(record: InstanceRecord, parts: Parts) -> Header:
    named = {"type": record.workflow_type, "owner": record.owner_id, "org": record.org_id, "parent": record.parent_id}
    made: Header = {
        "id": str(record.workflow_id),
        "type": record.workflow_type,
        "status": record.status,
        "ended": _ended(record.status),
        "revision": str(record.revision),
        "due": _due(record.due_us),
        "digest": record.digest.hex(),
        "version": record.workflow_version,
        "created": moment(record.created_us, "the moment of a creation"),
        "updated": moment(record.updated_us, "the moment of a change"),
        "snap": str(record.snapshot_seq),
        "first": str(record.last_seq + 1),
        "marks": [
            "all",
            *(mark(kind, str(value)) for kind, value in named.items() if value is not None),
            *metadata_marks(record.metadata),
        ],
        "fixed": _added(parts, packing.fixed_of(record)),
        "now": _added(parts, packing.now_of(record)),
        "snapshot": _added(parts, record.snapshot),
    }
    if record.idempotency_key is not None:
        made["idem"] = record.idempotency_key
    if record.parent_id is not None:
        made["parent"] = str(record.parent_id)
    return made


def _definition(record: DefinitionRecord, at_us: int, parts: Parts) -> Header:
    return {
        "digest": record.digest.hex(),
        "type": record.workflow_type,
        "version": record.workflow_version,
        "stored": moment(record.stored_us or at_us, "the moment at which a definition is stored"),
        "text": _added(parts, record.text),
    }


def message_header(entry: InboxEntry, parts: Parts) -> Header:
    """One message, wherever it is sent from; its bytes are added to `parts`."""
    made: Header = {"id": str(entry.workflow_id), "size": _added(parts, packing.message_bytes(entry))}
    if entry.dedup is not None:
        made["dedup"] = entry.dedup
    return made


def _task(task: TaskRecord, parts: Parts) -> Header:
    moment(task.priority, "the priority of a task")
    made: Header = {
        "id": task.task_id,
        "workflow": str(task.workflow_id),
        "kind": task.kind.value,
        "activation": task.activation,
        "queue": task.queue,
        "available": available(task.available_us),
        "priority": str(task.priority),
        "rank": _rank(task.priority),
        "attempt": str(task.attempt),
        "status": task.status,
        "epoch": str(task.lease_epoch),
        "lease": moment(task.lease_us, "the end of a lease"),
        "crashes": str(task.crashes),
        "payload": _added(parts, task.payload),
    }
    if task.worker_id is not None:
        made["worker"] = task.worker_id
    if task.concurrency_key is not None:
        made["key"] = task.concurrency_key
    if task.progress is not None:
        made["progress"] = _added(parts, task.progress)
    return made


def task_place(priority: int, available_us: int, key: str) -> str:
    """Where a task lies among all of them, with the key that its record has."""
    return _rank(priority) + available(available_us) + key


def _rank(priority: int) -> str:
    """A priority, of fixed width: the largest is the first."""
    return f"{packing.FURTHEST - priority:017d}"


def available(at_us: int) -> str:
    """The moment from which a task may be claimed, of fixed width: tasks are ordered by its text.

    Raises:
        PersistenceError: it is negative, or too far away.
    """
    if at_us < 0:
        raise PersistenceError(f"a task is available at {at_us}; the least moment is 0")
    return f"{int(moment(at_us, 'the moment of a task')):016d}"


def schedule_header(known: ScheduleRecord | None, wanted: ScheduleRecord, parts: Parts) -> Header:
    """One schedule, written only where the store still has what was known."""
    made: Header = {
        "name": wanted.schedule_id,
        "known": str(known.revision) if known is not None else "0",
        "revision": str(wanted.revision),
        "paused": wanted.paused,
        "buffered": wanted.buffered > 0,
        "record": _added(parts, packing.schedule_bytes(wanted)),
    }
    if wanted.next_us is not None:
        made["next"] = moment(wanted.next_us, "the next moment of a schedule")
    return made


def _added(parts: Parts, data: bytes) -> int:
    parts.append(data)
    return len(data)
