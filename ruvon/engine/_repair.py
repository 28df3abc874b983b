"""Repairs: what an operator, or a parent that rolls back, does to an instance that cannot go on by itself."""

import re
from collections.abc import Iterator
from typing import Final

import orjson

from ruvon.engine._ahead import Ahead
from ruvon.engine._cancel import cancel_entry
from ruvon.engine._error_records import ErrorRecord
from ruvon.engine._errors import RepairError
from ruvon.engine._frames import (
    BodyFrame,
    Exit,
    ExitKind,
    GraphFrame,
    Strand,
    TryFrame,
    UndoFrame,
    WaitKind,
    WaitState,
)
from ruvon.engine._machine import forget_frame, unwind
from ruvon.engine._program import ForkOp, LoopOp, Op, TryOp
from ruvon.engine._run import Run
from ruvon.engine._standing import Standing
from ruvon.engine._undo import place_of
from ruvon.ir._diff import inner_graphs, places
from ruvon.ir._nodes import Fail, Node
from ruvon.models import WorkflowStatus

__all__ = [
    "MIGRATED",
    "audit_note",
    "audit_words",
    "jump",
    "retry",
    "retry_compensation",
    "stop_awaited",
    "undo_completed",
]


MIGRATED: Final = "migrate "
"""What the note of the log entry of a migration begins with."""
_AUDIT: Final = re.compile(r"[^:]*? by (?P<actor>.+?)(: (?P<reason>.*))?", re.DOTALL)
"""A note of a repair: what was done, by whom, why. The name of an actor ends at the first colon with a space behind it."""
_RETRIED: Final = (WorkflowStatus.FAILED, WorkflowStatus.FAILED_CHILD_WORKFLOW, WorkflowStatus.FAILED_WORKER_CRASH)


def audit_note(actor: str, reason: str) -> str:
    """What the history says of who asked for a repair and why."""
    return (f" by {actor}" if actor else "") + (f": {reason}" if reason else "")


def audit_words(note: str) -> tuple[str | None, str | None]:
    """Who asked and why, of a note that ends as `audit_note` says; None where it does not say so."""
    found = _AUDIT.fullmatch(note)
    return (found["actor"], found["reason"] or None) if found is not None else (None, None)


def undo_completed(run: Run) -> None:
    """A completed child undoes itself as a whole."""
    if run.status is not WorkflowStatus.COMPLETED:
        return
    leaving = Exit(ExitKind.CANCEL, rollback=True, reason="the parent rolled back")
    run.root.ended = None
    run.root.frames[:] = [UndoFrame(0, "", leaving)]
    run.moved = True


async def retry(run: Run, from_step: str | None, note: str = "") -> None:
    """Go on where a failed instance failed, or at a step of its outermost graph.

    A compound node that was left when it failed (its `finally` ran, a handler raised, a child was told to end) begins
    anew, unless what completed inside would be done twice by that. Its work did not complete, so a step of it is another
    attempt of the same activation, under the same idempotency key; what its handlers and `finally` did is done again,
    under new ones, and its children, which have ended, are started as new ones.

    Raises:
        RepairError: it has not failed, or was rolled back, or there is no such step, or something would be done twice.
    """
    if run.status is WorkflowStatus.FAILED_ROLLED_BACK:
        raise RepairError(
            run.id,
            "what it had done was undone, so going on would build on nothing; start a new one, or rewind it to where it "
            "is to begin again",
        )
    if run.status not in _RETRIED:
        what = f"it is {run.status.value}; only a failed workflow can be retried"
        hint = "" if run.status.is_terminal else "; this one has not ended, so run() or `ruvon resume` takes it on"
        raise RepairError(run.id, f"{what}{hint}")
    at = run.fatal_node()
    run.log("repair", from_step or at or "", "", note=f"retry{note}")
    if from_step is None or from_step == at:
        if run.failed_compensations:
            raise RepairError(
                run.id,
                "the rollback of it failed; repeat the compensations that did not work (retry_compensation), or name a step "
                "with from_step=",
            )
        await _begin_again(run)
        return
    _require_step(run, from_step)
    _require_values(run, from_step)
    restart_at(run, from_step)


async def _begin_again(run: Run) -> None:
    """Let the node that failed run again; a child that failed is not waited for again, it is started anew."""
    failed = run.fatal.error if run.fatal is not None else None
    for strand in list(run.strands()):
        top = strand.frames[-1]
        if failed is not None and failed.child and isinstance(top, GraphFrame) and top.pc == failed.step:
            strand.attempt += 1
        _leave_handlers(run, strand)
        top = strand.frames[-1]
        op = top.graph.ops.get(top.pc) if isinstance(top, GraphFrame) else None
        if isinstance(top, GraphFrame) and isinstance(op, LoopOp | TryOp | ForkOp):
            await _require_nothing_twice(run, top, op)
            run.begun_again += 1
    run.reopen()
    run.moved = True


async def _require_nothing_twice(run: Run, frame: GraphFrame, op: Op) -> None:
    """Refuse to begin a compound node anew in which something has completed since the last repair."""
    log = await run.services.store.read_log(run.record.workflow_id)
    since = max((entry.seq for entry in log if entry.kind in ("repair", "rewind")), default=0)
    prefix = f"{frame.path}{op.id}#{frame.visit}" if frame.visit else frame.path
    work = set(_work_of(op.node))
    done = [
        f"`{entry.activation}`"
        for entry in log
        if entry.seq > since
        and entry.kind in ("step", "wait")
        and entry.error is None
        and entry.node in work
        and place_of(entry.activation).startswith(prefix)
    ]
    if done:
        raise RepairError(
            run.id,
            f"`{op.id}`, inside which it failed, was left, and {', '.join(done)} would be done again there; rewind to the "
            "step that failed, which keeps what came before it, or begin at a step of your choice with from_step=",
        )


def _work_of(node: Node) -> Iterator[str]:
    """The nodes inside a node that are its work: not those that handle an error or clean up."""
    for name, graph in inner_graphs(node):
        if name == "body" or name.startswith("branch "):
            for inner in graph.nodes.values():
                yield inner.id
                yield from _work_of(inner)


def _leave_handlers(run: Run, strand: Strand) -> None:
    """Leave the TRYs whose handlers raised: the error that they handled is what is to be tried again."""
    while isinstance(top := strand.frames[-1], TryFrame) and top.part >= 0:
        op = top.graph.ops.get(top.pc)
        if op is None or not isinstance(op.node.action, Fail):
            return
        name = top.op.handlers[top.part].name
        if name is not None:
            strand.scope.unbind(name)
        forget_frame(run, strand, strand.frames.pop())


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
    run.reopen()
    run.failed_compensations = []
    run.root.frames[:] = [UndoFrame(0, "", leaving)]
    run.moved = True


def stop_awaited(run: Run, wait: WaitState, reason: str) -> None:
    """Nobody waits for the child any more: it is told to end; queued work is withdrawn by the commit."""
    if wait.key is None:
        return
    if wait.kind is WaitKind.CHILD:
        payload = orjson.dumps({"reason": reason, "compensate": True})
        run.out.sent.append(cancel_entry(run, wait.key, payload))


def _require_step(run: Run, step: str) -> None:
    if step not in run.program.body.ops:
        names = ", ".join(f"`{name}`" for name in run.program.body.ops)
        raise RepairError(run.id, f"there is no step `{step}` in its outermost list; there are {names}")


def _require_values(run: Run, step: str) -> None:
    """Refuse a step from which a variable would be read that only a left out step sets: it would end the workflow."""
    ahead = Ahead(places(run.program.definition), [Standing(step, "", (), step)])
    unset = ahead.unset({name for name in run.root.scope.variables if name.isidentifier()})
    if unset:
        reads = ", ".join(f"`{node}` reads `{name}`" for node, name in unset)
        raise RepairError(run.id, f"from `{step}` on variables are read that no step has set: {reads}")


def restart_at(run: Run, step: str) -> None:
    """Stand at a node of the outermost graph, with every frame above dropped."""
    _require_step(run, step)
    for scope in [scope for name, scope in run.scopes.items() if name]:
        run.drop_scope(scope)
    for name in [name for name in run.root.scope.variables if name[0] == "@"]:
        run.root.scope.unbind(name)
    frame = run.body
    scope = run.root.scope
    run.root.frames[:] = [frame]
    run.root.scope = scope
    run.reopen()
    run.root.wait = None
    run.root.attempt, run.root.since_us = 1, 0
    run.waiting.clear()
    run.forks.clear()
    run.failed_compensations = []
    frame.visit += 1
    frame.pc = step
    run.moved = True


def jump(run: Run, step: str, note: str = "") -> None:
    """Go on at a node of the outermost graph, `finally` of the frames in between first.

    Raises:
        RepairError: there is no such step, the instance has ended, or what follows reads a variable that has no value.
    """
    if run.status.is_terminal:
        back = "retry(from_step=)" if run.status in _RETRIED else "rewind or fork"
        raise RepairError(run.id, f"it is {run.status.value} and stands nowhere; use {back} to go on from a step of it")
    _require_step(run, step)
    _require_values(run, step)
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
