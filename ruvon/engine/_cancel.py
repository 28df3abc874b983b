"""Ending early: what runs is cancelled, what waits leaves, and each `finally` on the way has a time of its own.

An instance is led out by a request to cancel it, or because its own timeout has passed; a branch because it lost a race or
because another one failed. Only where the whole instance is led out does a `finally` have a deadline: the moment is in the
position, so a process that takes over keeps it. When it passes, that `finally` is cut short, the log says so, and the way
out goes on with whatever stands around.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

import orjson

from ruvon.engine._abandon import with_parent
from ruvon.engine._errors import CleanupDeadlineError
from ruvon.engine._frames import Exit, ExitKind, ForkFrame, GraphFrame, Strand, TryFrame, UndoFrame, WaitKind
from ruvon.engine._machine import forget_frame, unwind
from ruvon.engine._run import Run
from ruvon.models import WorkflowTimeoutError
from ruvon.providers import InboxEntry, InboxKind

__all__ = [
    "begin_cancel",
    "cancel_entry",
    "cancel_when_free",
    "cleans_up",
    "cut_cleanups",
    "ending_dues",
    "ends_early",
    "exit_after",
    "is_cleaning_up",
    "is_kept_back",
    "is_stopping",
    "leave_fork",
    "leave_strand",
    "stop_strand",
    "time_out",
]

_PASSED: Final = 0
"""The deadline of a `finally` that was cut short."""


def begin_cancel(run: Run, reason: str, *, compensate: bool) -> None:
    """Ask awaited children to end, then leave everything, `finally` included.

    What rolls a scope back finishes that first; a whole instance that is being rolled back ends by that.
    """
    if run.cancelling is not None or run.is_undone:
        return
    run.cancel_compensates = compensate
    run.log("cancel", "", "", note=reason)
    _lead_out(run, reason)


def ends_early(run: Run) -> bool:
    """Whether the first thing that happens to a loaded instance is that it is led out."""
    due = run.timeout_at()
    overdue = due is not None and due <= run.now_us()
    return overdue or any(entry.kind is InboxKind.CANCEL for entry in run.inbox)


def time_out(run: Run, now: int) -> bool:
    """End an instance whose own timeout has passed, as a cancel does, though with an error; whether it has."""
    due, limit = run.timeout_at(), run.program.definition.timeout_us
    if due is None or limit is None or due > now:
        return False
    error = WorkflowTimeoutError(run.record.workflow_type, timedelta(microseconds=limit))
    run.cancel_error = run.record_of(error, run.root, "", "")
    run.cancel_compensates = True
    run.log("error", "", "", error=run.cancel_error.encode(), note="the timeout of the workflow has passed")
    _lead_out(run, str(error))
    return True


def _lead_out(run: Run, reason: str) -> None:
    run.cancelling = reason
    run.moved = True
    payload = with_parent(reason, compensate=run.cancel_compensates)
    for strand in run.strands():
        _hurry(run, strand)
        if _awaits_child(strand) and strand.wait is not None and strand.wait.key is not None:
            run.out.sent.append(cancel_entry(run, strand.wait.key, payload))
    cancel_when_free(run)


def _awaits_child(strand: Strand) -> bool:
    """Whether a strand waits for a child that is to end first; one of what cleans up or rolls back is left alone."""
    if strand.wait is None or strand.wait.kind is not WaitKind.CHILD:
        return False
    return not isinstance(strand.frames[-1], UndoFrame) and not is_cleaning_up(strand)


def _hurry(run: Run, strand: Strand) -> None:
    """Give a `finally` that runs already, in the loser of a race, the time that it has under a cancel."""
    for frame in strand.frames:
        if isinstance(frame, TryFrame) and _is_cancel(frame.exit):
            frame.due_us = run.cleanup_due_us()


def cancel_entry(run: Run, child: str, payload: bytes) -> InboxEntry:
    """The request to a child to end."""
    return InboxEntry(UUID(child), InboxKind.CANCEL, "", payload, dedup=f"cancel:{run.id}", at_us=run.now_us())


def cancel_when_free(run: Run) -> None:
    """Leave everything once no awaited child is left."""
    if not _is_child_left(run):
        stop_strand(run, run.root)


def _is_child_left(run: Run) -> bool:
    return any(_awaits_child(strand) for strand in run.waiting.values())


def is_kept_back(run: Run, strand: Strand) -> bool:
    """Whether a strand is to begin nothing more: the instance is led out, and awaited children end before it leaves."""
    if run.cancelling is None or isinstance(strand.frames[-1], UndoFrame) or is_cleaning_up(strand):
        return False
    return _is_child_left(run)


def stop_strand(run: Run, strand: Strand) -> None:
    """Make a strand leave all its frames: now where it waits, after its branches have ended, or after its effect."""
    top = strand.frames[-1] if strand.frames else None
    if strand.ended is not None or top is None or isinstance(top, UndoFrame) or cleans_up(strand):
        return  # what was cancelled already comes to its end; what cleans up after an error is cut short, as in Python
    if isinstance(top, ForkFrame):
        top.stopping = True
        top.waiting_start.clear()
        for branch in list(top.branches.values()):
            stop_strand(run, branch)
        if not top.branches and strand.frames and strand.frames[-1] is top:  # else its last branch has led it out
            leave_fork(run, strand, top)
        return
    if strand.running:
        run.losers.append(strand)
        return
    if strand.wait is not None:
        if strand.wait.kind is WaitKind.CHILD and strand.wait.key is not None and run.cancelling is None:
            payload = orjson.dumps({"reason": f"`{strand.wait.node}` is not needed any more", "compensate": True})
            run.out.sent.append(cancel_entry(run, strand.wait.key, payload))
            run.moved = True
            return  # the child ends first; then the strand leaves
        run.waiting.pop(strand.wait.activation, None)
        strand.unsure = strand.unsure or strand.wait.kind is WaitKind.TASK  # a worker may be at it, or have done it
        strand.wait = None
    if strand in run.ready:
        run.ready.remove(strand)
    leave_strand(run, strand)


def leave_strand(run: Run, strand: Strand) -> None:
    """Unwind a stopped strand; what its `finally` graphs do still runs."""
    if cleans_up(strand):
        run.ready.append(strand)
        return
    run.moved = True
    _note_unknown(run, strand)
    unwind(run, strand, Exit(ExitKind.CANCEL, reason=run.cancelling or "", error=run.cancel_error))
    if strand.ended is None:
        run.ready.append(strand)


def exit_after(run: Run, strand: Strand, leaving: Exit) -> Exit:
    """How a strand goes on behind the rollback of a scope: as a cancel has it, where one has come meanwhile."""
    if cleans_up(strand) or not (is_stopping(strand) or (run.cancelling is not None and not is_cleaning_up(strand))):
        return leaving
    return Exit(ExitKind.CANCEL, reason=run.cancelling or "", error=run.cancel_error)


def leave_fork(run: Run, owner: Strand, fork: ForkFrame) -> None:
    """Leave a stopped PARALLEL whose branches have all ended."""
    forget_frame(run, owner, owner.frames.pop())
    leave_strand(run, owner)


def _note_unknown(run: Run, strand: Strand) -> None:
    """Keep for a compensation what a lost process may have done, where the step is declared to be undone even so."""
    frame = strand.frames[-1]
    if not strand.unsure or not isinstance(frame, GraphFrame) or frame.pc not in frame.graph.ops:
        return
    strand.unsure = False
    saga = frame.graph.ops[frame.pc].unknown_outcome(run, strand)
    if saga is not None:
        run.log("cancelled", frame.pc, frame.activation(frame.pc), attempt=strand.attempt, saga=saga)


def is_stopping(strand: Strand) -> bool:
    """Whether a branch of a PARALLEL that is being stopped is to leave, and does not do so yet."""
    return strand.fork is not None and strand.fork.stopping and not cleans_up(strand)


# What cleans up


def is_cleaning_up(strand: Strand) -> bool:
    """Whether a strand runs for a `finally` of its own, or of those that it is a branch of, on the way out."""
    here: Strand | None = strand
    while here is not None:
        frame = _cleanup_of(here)
        if frame is not None:
            return frame.due_us != _PASSED
        here = here.owner
    return False


def ending_dues(run: Run) -> list[int]:
    """When the instance is to be ended by its own timeout, or each `finally` on the way out is to be cut short."""
    if run.cancelling is None:
        due = run.timeout_at()
        return [due] if due is not None else []
    return [frame.due_us for strand in run.strands() if (frame := _limited(strand)) is not None if frame.due_us]


def cut_cleanups(run: Run, now: int) -> bool:
    """Cut every `finally` short whose time has passed; whether there was one."""
    if run.cancelling is None:
        return False
    found = False
    for strand in list(run.strands()):
        frame = _limited(strand)
        if frame is not None and frame.due_us and frame.due_us <= now:
            _cut(run, strand, frame)
            found = True
    return found


def _cut(run: Run, strand: Strand, frame: TryFrame) -> None:
    frame.due_us = _PASSED
    node, activation = frame.pc, frame.activation(frame.pc)
    op = frame.graph.ops.get(node)
    error = CleanupDeadlineError(op.title if op is not None else node, run.services.cleanup_deadline_us or 0)
    run.log("error", node, activation, error=run.record_of(error, strand, node, activation).encode())
    run.moved = True
    wait = strand.wait
    if wait is not None and wait.kind is WaitKind.CHILD and wait.key is not None:
        run.out.sent.append(cancel_entry(run, wait.key, with_parent(run.cancelling or "", compensate=True)))
    stop_strand(run, strand)


def _limited(strand: Strand) -> TryFrame | None:
    """The `finally` of a strand that may be cut short now; a rollback inside comes to its end first."""
    if strand.ended is not None or (strand.frames and isinstance(strand.frames[-1], UndoFrame)):
        return None
    return _cleanup_of(strand)


def _cleanup_of(strand: Strand) -> TryFrame | None:
    """The innermost TRY of a strand whose `finally` runs because the strand was cancelled."""
    for frame in reversed(strand.frames):
        if isinstance(frame, TryFrame) and _is_cancel(frame.exit):
            return frame
    return None


def cleans_up(strand: Strand) -> bool:
    """Whether a strand itself was cancelled and runs a `finally` on its way out."""
    frame = _cleanup_of(strand)
    return frame is not None and frame.due_us != _PASSED


def _is_cancel(leaving: Exit | None) -> bool:
    return leaving is not None and leaving.kind is ExitKind.CANCEL
