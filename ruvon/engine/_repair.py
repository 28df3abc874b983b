"""Repairs: what an operator, or a parent that rolls back, does to an instance that cannot go on by itself."""

import orjson

from ruvon.engine._error_records import ErrorRecord
from ruvon.engine._errors import RepairError
from ruvon.engine._frames import BodyFrame, Exit, ExitKind, GraphFrame, Strand, UndoFrame, WaitKind, WaitState
from ruvon.engine._inbox import cancel_entry
from ruvon.engine._machine import unwind
from ruvon.engine._run import Run
from ruvon.models import WorkflowStatus

__all__ = ["audit_note", "jump", "retry", "retry_compensation", "stop_awaited", "undo_completed"]


def audit_note(actor: str, reason: str) -> str:
    """What the history says of who asked for a repair and why."""
    return (f" by {actor}" if actor else "") + (f": {reason}" if reason else "")


def undo_completed(run: Run) -> None:
    """A completed child undoes itself as a whole."""
    if run.status is not WorkflowStatus.COMPLETED:
        return
    leaving = Exit(ExitKind.CANCEL, rollback=True, reason="the parent rolled back")
    run.root.ended = None
    run.root.frames[:] = [UndoFrame(0, "", leaving)]
    run.moved = True


def retry(run: Run, from_step: str | None, note: str = "") -> None:
    """Go on where a failed instance failed, or at a step of its outermost graph.

    Raises:
        RepairError: it has not failed, or was rolled back, or there is no such step.
    """
    failed = (WorkflowStatus.FAILED, WorkflowStatus.FAILED_CHILD_WORKFLOW, WorkflowStatus.FAILED_WORKER_CRASH)
    if run.status is WorkflowStatus.FAILED_ROLLED_BACK:
        raise RepairError(run.id, "what it had done was undone, so going on would build on nothing; start a new one")
    if run.status not in failed:
        raise RepairError(run.id, f"it is {run.status.value}; only a failed workflow can be retried")
    at = run.fatal_node()
    run.log("repair", from_step or at or "", "", note=f"retry{note}")
    if from_step is None or from_step == at:
        if run.fatal is None:
            raise RepairError(run.id, "its frames were left when it failed; name a step with from_step=")
        _begin_again(run)
        return
    restart_at(run, from_step)


def _begin_again(run: Run) -> None:
    """Let the node that failed run again; a child that failed is not waited for again, it is started anew."""
    failed = run.fatal.error if run.fatal is not None else None
    for strand in run.strands():
        top = strand.frames[-1]
        if failed is not None and failed.child and isinstance(top, GraphFrame) and top.pc == failed.step:
            strand.attempt += 1
    run.fatal = None
    run.root.ended = None
    run.moved = True


async def retry_compensation(run: Run, note: str) -> None:
    """Try the compensations again that failed; the ones that worked are not repeated.

    Raises:
        RepairError: no compensation of it has failed.
    """
    log = await run.services.store.read_log(run.record.workflow_id, saga=True)
    failed = [item for item in log if item.kind == "compensate" and item.error is not None]
    seqs = [orjson.loads(item.saga or b"{}").get("undo") for item in failed]
    if run.status is not WorkflowStatus.FAILED or not failed:
        raise RepairError(run.id, "no compensation of it has failed")
    error = ErrorRecord.decode(run.record.error) if run.record.error is not None else None
    leaving = Exit(ExitKind.FAIL, error=error.cause if error is not None and error.cause is not None else error)
    run.log("repair", "", "", saga=orjson.dumps({"reopen": seqs}), note=f"retry-compensation{note}")
    run.root.ended = run.fatal = None
    run.failed_compensations = []
    run.root.frames[:] = [UndoFrame(0, "", leaving)]
    run.moved = True


def stop_awaited(run: Run, wait: WaitState, reason: str) -> None:
    """Nobody waits for the child or the queued work any more: the child is told to end, the work is not done."""
    if wait.key is None:
        return
    if wait.kind is WaitKind.CHILD:
        payload = orjson.dumps({"reason": reason, "compensate": True})
        run.out.sent.append(cancel_entry(run, wait.key, payload))
    if wait.kind is WaitKind.TASK:
        run.out.tasks_done.append(wait.key)


def restart_at(run: Run, step: str) -> None:
    """Stand at a node of the outermost graph, with every frame above dropped."""
    if step not in run.program.body.ops:
        names = ", ".join(f"`{name}`" for name in run.program.body.ops)
        raise RepairError(run.id, f"there is no step `{step}` in its outermost list; there are {names}")
    for scope in [scope for name, scope in run.scopes.items() if name]:
        run.drop_scope(scope)
    for name in [name for name in run.root.scope.variables if name[0] == "@"]:
        run.root.scope.unbind(name)
    frame = run.body
    scope = run.root.scope
    run.root.frames[:] = [frame]
    run.root.scope = scope
    run.root.wait = run.root.ended = None
    run.root.attempt, run.root.since_us = 1, 0
    run.waiting.clear()
    run.forks.clear()
    run.fatal = None
    run.failed_compensations = []
    frame.visit += 1
    frame.pc = step
    run.moved = True


def jump(run: Run, step: str, note: str = "") -> None:
    """Go on at a node of the outermost graph, `finally` of the frames in between first.

    Raises:
        RepairError: there is no such step, or the instance has ended.
    """
    if run.status.is_terminal:
        raise RepairError(run.id, f"it is {run.status.value}; use retry(from_step=) to bring it back")
    if step not in run.program.body.ops:
        raise RepairError(run.id, f"there is no step `{step}` in its outermost list")
    root: Strand = run.root
    run.log("repair", step, "", note=f"jump{note}")
    if root.wait is not None:
        stop_awaited(run, root.wait, "the parent went elsewhere")
        run.waiting.pop(root.wait.activation, None)
        root.wait = None
    if any(not isinstance(frame, GraphFrame) for frame in root.frames):
        raise RepairError(run.id, "branches of it are running; wait for their end or cancel it")
    if isinstance(root.frames[0], BodyFrame):
        unwind(run, root, Exit(ExitKind.GOTO, target=step, is_jump=True))
    run.moved = True
