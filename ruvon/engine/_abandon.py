"""Ending an instance whose code is gone or no longer fits: one transition, computed from its row alone.

No body, no `finally` and no compensation runs, because each of them needs the program. The position stays as it was, so
that the row shows where the instance stood.
"""

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import UUID

import orjson

from ruvon.engine._errors import WorkflowFinishedError
from ruvon.ir._errors import RuvonError
from ruvon.models import WorkflowStatus
from ruvon.providers import InboxEntry, InboxKind, InstanceRecord, LogEntry, ObservedWorkflow, Transition

if TYPE_CHECKING:
    from ruvon.engine._engine import Engine

__all__ = ["abandon", "with_parent"]

_LOG: Final = logging.getLogger("ruvon.engine")


async def abandon(engine: "Engine", workflow_id: UUID, reason: str) -> InstanceRecord:
    """Write CANCELLED, ask the children that it waits for to end, tell its parent and the observers; gives the new row.

    Raises:
        WorkflowFinishedError: it has ended already.
        WorkflowBusyError: somebody drives it.
        WorkflowNotFoundError: there is none.
    """
    hold = await engine.store.hold(workflow_id)
    try:
        record = await engine.store.load_instance(workflow_id)
        if WorkflowStatus(record.status).is_terminal:
            raise WorkflowFinishedError(str(workflow_id), record.status)
        now = engine.clock.now_us()
        transition = _ending(record, hold.token, reason, now)
        await engine.store.commit(transition)
    finally:
        await hold.release()
    await _tell(engine, record, reason, now)
    for told in transition.sent:
        await _poke(engine, told.workflow_id)
    return await engine.store.load_instance(workflow_id)


async def _tell(engine: "Engine", record: InstanceRecord, reason: str, now: int) -> None:
    """Tell the observers; which fields are secret is not known without the code, so no values are told."""
    status = WorkflowStatus.CANCELLED.value
    source = ObservedWorkflow(
        workflow_id=str(record.workflow_id),
        workflow_type=record.workflow_type,
        workflow_version=record.workflow_version,
        status=status,
        parent_id=str(record.parent_id) if record.parent_id is not None else None,
        metadata=record.metadata,
        secret_fields=frozenset(),
        created_us=record.created_us,
        stored_us=record.updated_us,
        at_us=now,
    )
    common = {"workflow_id": source.workflow_id, "source": source}
    await engine.observers.tell(
        ("on_workflow_status_changed", {**common, "old_status": record.status, "new_status": status}),
        ("on_workflow_failed", {**common, "error": RuntimeError(reason), "step_name": None}),
    )


async def _poke(engine: "Engine", workflow_id: UUID) -> None:
    try:
        await engine.poke(workflow_id)
    except RuvonError as exc:  # its message waits in the mailbox; this instance has ended all the same
        _LOG.warning("the workflow %s, which was told of an end, cannot go on: %s", workflow_id, exc)


def _ending(record: InstanceRecord, token: bytes, reason: str, now: int) -> Transition:
    status, revision = WorkflowStatus.CANCELLED.value, record.revision + 1
    error = orjson.dumps({"cancelled": reason})
    first = record.last_seq + 1
    entries = [
        LogEntry(first, "cancel", "", "", now, note=reason),
        LogEntry(first + 1, "end", "", "", now, note=status, position=record.position),
    ]
    transition = Transition(
        record.workflow_id,
        record.key,
        record.revision,
        revision,
        token + revision.to_bytes(6, "big"),
        status,
        record.position,
        record.current_step,
        now,
        entries,
        first + 1,
    )
    transition.saga_enabled = record.saga_enabled
    transition.error = error
    transition.sent = (*_to_children(record, reason, now), *_to_parent(record, error, revision, now))
    return transition


def with_parent(reason: str, *, compensate: bool) -> bytes:
    """What a child is told when its parent is cancelled, for a reason that may be empty."""
    why = f"the parent was cancelled: {reason}" if reason else "the parent was cancelled"
    return orjson.dumps({"reason": why, "compensate": compensate})


def _to_children(record: InstanceRecord, reason: str, now: int) -> Iterator[InboxEntry]:
    waits = cast("list[dict[str, Any]]", orjson.loads(record.waiting_for or b"[]"))
    payload = with_parent(reason, compensate=False)
    for wait in waits:
        if wait["kind"] == "child" and wait.get("key"):
            dedup = f"cancel:{record.workflow_id}"
            yield InboxEntry(UUID(wait["key"]), InboxKind.CANCEL, "", payload, dedup=dedup, at_us=now)


def _to_parent(record: InstanceRecord, error: bytes, revision: int, now: int) -> Iterator[InboxEntry]:
    if record.parent_id is None or record.parent_activation is None:
        return
    tree = {"status": WorkflowStatus.CANCELLED.value, "type": record.workflow_type, "result": None}
    payload = orjson.dumps({**tree, "error": orjson.Fragment(error)})
    dedup = f"ended:{record.workflow_id}:{revision}"
    name, key = record.parent_activation, str(record.workflow_id)
    yield InboxEntry(record.parent_id, InboxKind.CHILD_ENDED, name, payload, key, dedup, now)
