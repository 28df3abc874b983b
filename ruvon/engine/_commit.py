"""The one place where what happened becomes a transition."""

from typing import Final
from uuid import UUID

import orjson

from ruvon.engine._cancel import ending_dues
from ruvon.engine._error_records import record_error
from ruvon.engine._errors import CompensationFailedError
from ruvon.engine._frames import Exit, WaitKind, WaitState
from ruvon.engine._history_limit import forget_before, keep_previous
from ruvon.engine._net import QUEUE, wake_of
from ruvon.engine._position import encode_position
from ruvon.engine._run import Outgoing, Run
from ruvon.engine._status import WAITS_FOR_PERSON, current_step, status_of
from ruvon.engine._values import NONE
from ruvon.models import WorkflowStatus
from ruvon.providers import InboxEntry, InboxKind, Transition

__all__ = ["build_transition", "committed", "final_error", "snapshot_of"]

_DELTAS: Final = 64
_ACTIVE: Final = WorkflowStatus.ACTIVE
_ACTIVE_TEXT: Final = _ACTIVE.value


def build_transition(run: Run) -> Transition:
    """Everything since the last commit as one transition; the run's lists begin anew."""
    run.close_entry()
    record = run.record
    status = status_of(run)
    is_active = status is _ACTIVE
    over = not is_active and status.is_terminal
    now = run.services.clock.now_us()
    if over:
        run.log("end", "", "", note=status.value)
    entries, out = run.pending, run.out
    run.pending, run.moved = [], False
    revision = record.revision + 1
    transition = Transition(
        record.workflow_id,
        record.key,
        record.revision,
        revision,
        run.token + revision.to_bytes(6, "big"),
        _ACTIVE_TEXT if is_active else status.value,
        encode_position(run),
        current_step(run),
        now,
        entries,
        run.last_seq,
    )
    transition.saga_enabled = record.saga_enabled
    if entries:
        entries[-1].position = transition.position
    if not is_active or run.waiting:  # somebody may be asked while another branch runs
        _add_waits(run, transition)
    if run.queued or out.tasks:
        _keep_tasks(run, out, over=over)
    if over:
        _add_end(run, transition, status)
        if run.alone and (status is WorkflowStatus.CANCELLED or run.services.execution.runs_queued(QUEUE)):
            out.tasks_done.append(wake_of(record.workflow_id))
    if status is not run.status or over:
        _tell_parent(run, status, out, transition)
    if run.program.definition.history is not None:
        transition.forget_before = forget_before(run)
    _add_snapshot(run, transition, over or transition.forget_before > 0)
    if out.is_used():
        run.out = Outgoing()
        _add_outgoing(transition, out)
    return transition


def _add_outgoing(transition: Transition, out: Outgoing) -> None:
    transition.consumed = tuple(out.consumed)
    transition.sent = tuple(out.sent)
    transition.tasks = tuple(out.tasks)
    transition.tasks_done = tuple(out.tasks_done)
    transition.outbox = tuple(out.outbox)
    transition.created = tuple(out.created)
    transition.definitions = tuple(out.definitions)
    transition.schedules = tuple(out.schedules)


def _add_waits(run: Run, transition: Transition) -> None:
    waits = [strand.wait for strand in run.waiting.values() if strand.wait is not None]
    if waits:
        run.hears = True
        transition.waiting_for = orjson.dumps([_shown(wait) for wait in waits])
    moments = [wait.due_us for wait in waits if wait.due_us is not None]
    moments += [fork.due_us for _, fork in run.forks.values() if fork.due_us is not None and fork.due_us > 0]
    moments += ending_dues(run)
    transition.due_us = min(moments, default=None)


def _keep_tasks(run: Run, out: Outgoing, *, over: bool) -> None:
    """Withdraw the tasks that nobody waits for any more: left by a cancel, a race, a jump, an end."""
    waits = [] if over else [strand.wait for strand in run.waiting.values()]
    awaited = {wait.key for wait in waits if wait is not None and wait.kind is WaitKind.TASK and wait.key is not None}
    out.tasks = [task for task in out.tasks if task.task_id in awaited]
    out.tasks_done += sorted(run.queued - awaited)
    run.queued = awaited


def _shown(wait: WaitState) -> dict[str, object]:
    tree: dict[str, object] = {"kind": wait.kind.value, "id": wait.activation, "step": wait.node}
    optional = {"due_us": wait.due_us, "name": wait.name or None, "key": wait.key, "child_status": wait.child_status}
    tree |= {name: value for name, value in optional.items() if value is not None}
    if wait.show is not None:
        tree["show"] = orjson.Fragment(wait.show)
    if wait.attempt != 1:
        tree["attempt"] = wait.attempt
    return tree


def _add_end(run: Run, transition: Transition, status: WorkflowStatus) -> None:
    leaving = run.root.ended or run.fatal
    if status is WorkflowStatus.COMPLETED:
        transition.result = final_result(run, leaving)
    else:
        transition.error = final_error(run, leaving)
    transition.due_us = None


def final_result(run: Run, leaving: Exit | None) -> bytes:
    """The encoded result: the returned value, or the final state where the definition declares no result."""
    value = leaving.value if leaving is not None else None
    if value is not None and value != NONE:
        return value
    if run.program.definition.result is None:
        return run.program.types.dynamic.encode(run.root.scope.shared_view())
    return NONE


def final_error(run: Run, leaving: Exit | None) -> bytes:
    """The encoded error record of a failed or cancelled instance."""
    record = leaving.error if leaving is not None else None
    if run.failed_compensations:
        failed = record_error(CompensationFailedError(_titles(run)), run.program.types.dynamic)
        record = failed.caused_by(record) if record is not None else failed
    if record is not None:
        return record.encode()
    reason = leaving.reason if leaving is not None else ""
    return orjson.dumps({"cancelled": reason})


def _titles(run: Run) -> list[str]:
    """What could not be undone, in the words of the body."""
    found = [(run.program.ops.get(node), node) for node in run.failed_compensations]
    return [op.title if op is not None else node for op, node in found]


def _tell_parent(run: Run, status: WorkflowStatus, out: Outgoing, transition: Transition) -> None:
    record = run.record
    if record.parent_id is None or record.parent_activation is None:
        return
    if status.is_terminal:
        payload = orjson.dumps(
            {
                "status": status.value,
                "type": record.workflow_type,
                "result": orjson.Fragment(transition.result) if transition.result is not None else None,
                "error": orjson.Fragment(transition.error) if transition.error is not None else None,
            }
        )
        _send(run, out, record.parent_id, InboxKind.CHILD_ENDED, payload, f"ended:{run.id}:{transition.revision}")
    elif (status in WAITS_FOR_PERSON) != (run.status in WAITS_FOR_PERSON):
        payload = orjson.dumps(status.value)
        _send(run, out, record.parent_id, InboxKind.CHILD_STATUS, payload, f"status:{run.id}:{transition.revision}")


def _send(run: Run, out: Outgoing, to: UUID, kind: InboxKind, payload: bytes, dedup: str) -> None:
    name = run.record.parent_activation or ""
    out.sent.append(InboxEntry(to, kind, name, payload, run.id, dedup, run.services.clock.now_us()))


def _add_snapshot(run: Run, transition: Transition, wanted: bool) -> None:
    run.deltas += len(transition.entries)
    for entry in transition.entries:
        run.delta_bytes += len(entry.delta)
    if wanted or (run.deltas >= _DELTAS and run.delta_bytes >= len(run.record.snapshot)):
        keep_previous(run)
        transition.snapshot = snapshot_of(run)
        run.deltas = run.delta_bytes = 0


def snapshot_of(run: Run) -> bytes:
    """All scopes as one JSON object."""
    return orjson.dumps({name: scope.snapshot() for name, scope in run.scopes.items()})


def committed(run: Run, transition: Transition) -> None:
    """Take over into the run what has become durable."""
    record = run.record
    record.revision = transition.revision
    record.status = transition.status
    record.last_seq = transition.last_seq
    record.position = transition.position
    record.current_step = transition.current_step
    record.waiting_for = transition.waiting_for
    record.due_us = transition.due_us
    if transition.snapshot is not None:
        record.snapshot = transition.snapshot
        record.snapshot_seq = transition.last_seq
    if transition.result is not None:
        record.result = transition.result
    record.error = transition.error
    if run.notices is not None:
        run.notices.committed(transition)
    if transition.status != run.status:
        run.status = WorkflowStatus(transition.status)
