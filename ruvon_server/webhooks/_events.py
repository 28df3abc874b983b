"""What is told of a workflow: made of the entries of its history, so it is told whoever has driven the workflow.

An entry is written by the commit that it tells of. The id of an event is a hash of the workflow and of the entry, so
whoever reads the same entry again, after a crash or in another process, tells the same event.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import orjson

from ruvon._described import error_text, moment
from ruvon.models import WorkflowStatus
from ruvon.providers import InstanceRecord, LogEntry
from ruvon_server.webhooks._records import Event

__all__ = ["event_of_webhook", "events_of", "started", "waiting", "waits_for_somebody"]

_KINDS: Final = {
    "step": "step.completed",
    "wait": "step.completed",
    "error": "step.failed",
    "retry": "step.retried",
    "compensate": "step.compensated",
    "repair": "workflow.repaired",
    "restart": "workflow.restarted",
}
_ENDS: Final = {WorkflowStatus.COMPLETED: "workflow.completed", WorkflowStatus.CANCELLED: "workflow.cancelled"}
_RESTS: Final = frozenset({WorkflowStatus.PAUSED, WorkflowStatus.WAITING_HUMAN, WorkflowStatus.WAITING_HUMAN_INPUT})
_FOR_SOMEBODY: Final = frozenset({"human", "input", "signal"})
_LONGEST: Final = 2_000
"""So many characters of an error or a note are told."""


def started(record: InstanceRecord) -> Event:
    """That a workflow was made."""
    return _event(record, "workflow.started", record.created_us, "started", {})


def events_of(record: InstanceRecord, entries: Sequence[LogEntry], at_us: int) -> list[Event]:
    """What entries of one commit tell.

    Args:
        record: the workflow.
        entries: the entries, in their order.
        at_us: the moment of the commit.
    """
    found: list[Event] = []
    for entry in entries:
        kind = _kind(entry)
        if kind is not None:
            mark = f"{entry.seq}/{entry.at_us}/{entry.kind}"
            found.append(_event(record, kind, entry.at_us, mark, _told(record, entry), since_us=at_us))
    return found


def waits_for_somebody(record: InstanceRecord) -> tuple[str, ...]:
    """The ids of the waits of a workflow that rests until somebody outside does something; nothing where it does not."""
    if record.waiting_for is None or record.status not in _RESTS:
        return ()
    waits = orjson.loads(record.waiting_for)
    return tuple(sorted(str(item["id"]) for item in waits if item["kind"] in _FOR_SOMEBODY))


def waiting(record: InstanceRecord) -> Event:
    """That a workflow rests and waits for somebody."""
    waits = orjson.loads(record.waiting_for or b"[]")
    told = [
        {"wait_id": item["id"], "kind": item["kind"], "step": item["step"], "name": item.get("name")}
        for item in waits
        if item["kind"] in _FOR_SOMEBODY
    ]
    mark = "/".join(("waiting", *waits_for_somebody(record)))
    return _event(record, "workflow.waiting", record.updated_us, mark, {"waiting_for": told})


def event_of_webhook(
    event_id: str, kind: str, at_us: int, data: dict[str, Any], owner_id: str | None, org_id: str | None
) -> Event:
    """Something that happened to a webhook."""
    return Event(
        event_id=event_id, type=kind, at_us=at_us, body=_body(kind, at_us, data), owner_id=owner_id, org_id=org_id
    )


def _kind(entry: LogEntry) -> str | None:
    if entry.kind == "end":
        return _ENDS.get(WorkflowStatus(entry.note), "workflow.failed")
    if entry.kind == "error" and not entry.node:
        return None  # of the workflow as a whole; its end tells it
    return _KINDS.get(entry.kind)


def _told(record: InstanceRecord, entry: LogEntry) -> dict[str, Any]:
    if entry.kind == "end":
        is_last = entry.seq == record.last_seq and entry.note == record.status
        return {"status": entry.note, "error": _short(error_text(record.error)) if is_last else None}
    tree: dict[str, Any] = {"seq": entry.seq, "step": entry.node or None, "activation": entry.activation or None}
    if entry.kind not in {"repair", "restart"}:
        tree |= {"attempt": entry.attempt, "error": _short(error_text(entry.error))}
    return tree | ({"note": _short(entry.note)} if entry.note else {})


def _short(text: str | None) -> str | None:
    return text if text is None or len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _event(
    record: InstanceRecord, kind: str, at_us: int, mark: str, more: dict[str, Any], *, since_us: int | None = None
) -> Event:
    workflow_id = str(record.workflow_id)
    data = {
        "workflow_id": workflow_id,
        "workflow_type": record.workflow_type,
        "workflow_version": record.workflow_version,
        "owner_id": record.owner_id,
        "org_id": record.org_id,
        "parent_id": str(record.parent_id) if record.parent_id is not None else None,
        **more,
    }
    return Event(
        event_id=f"msg_{hashlib.sha256(f'{workflow_id}/{mark}'.encode()).hexdigest()[:32]}",
        type=kind,
        at_us=at_us if since_us is None else since_us,
        body=_body(kind, at_us, data),
        workflow_id=workflow_id,
        workflow_type=record.workflow_type,
        owner_id=record.owner_id,
        org_id=record.org_id,
    )


def _body(kind: str, at_us: int, data: dict[str, Any]) -> bytes:
    return orjson.dumps({"type": kind, "timestamp": moment(at_us), "data": data})
