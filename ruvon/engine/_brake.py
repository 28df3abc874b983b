"""The brake on runs that take their process down.

A death is counted when the instance is taken up again, by a log entry of kind `crash` in a commit of its own, so it costs
nothing before somebody has died. Deaths count together while nothing is committed between them. When there were as many
as the budget allows, the instance ends with `WorkerCrashError` where it stands: no step, no `finally` and no compensation
runs, because each of them might be what kills; an operator's retry goes on there with a fresh budget.
"""

from typing import Final

from ruvon.engine._errors import WorkerCrashError
from ruvon.engine._frames import Exit, ExitKind, ForkFrame, Strand, UndoFrame, WaitKind
from ruvon.engine._run import Run
from ruvon.engine._undo import open_entries, place_of
from ruvon.providers import InboxKind

__all__ = ["count_crash", "has_crashed"]

_PATH: Final = f"{WorkerCrashError.__module__}:{WorkerCrashError.__qualname__}"


def has_crashed(leaving: Exit) -> bool:
    """Whether an instance ends because its own processes died over it."""
    return leaving.error is not None and leaving.error.path == _PATH and not leaving.error.child


async def count_crash(run: Run, budget: int | None) -> None:
    """Log that the process that drove a run died; the last death that the budget allows fails the run."""
    if run.status.is_terminal:
        return
    strands = [strand for strand in run.strands() if _was_under_way(run, strand)]
    if not strands:
        return  # it only waited, so nothing that it did can have killed the process
    strand = strands[0]
    node, activation = await _place(run, strand)
    crashes = 1 + await _counted(run)
    run.log("crash", node, activation, attempt=strand.attempt, note=f"the process that drove it died ({crashes})")
    asked_to_end = any(entry.kind is InboxKind.CANCEL for entry in run.inbox)
    if budget is None or crashes < budget or asked_to_end:
        return
    op = run.program.ops.get(node)
    error = run.record_of(WorkerCrashError(op.title if op is not None else node, crashes), strand, node, activation)
    run.log("error", node, activation, attempt=strand.attempt, error=error.encode())
    run.fatal, run.fatal_strand = Exit(ExitKind.FAIL, error=error), strand


def _was_under_way(run: Run, strand: Strand) -> bool:
    """Whether a strand may have run something; the position of a further attempt says that it waits for it."""
    wait = strand.wait
    if wait is not None:
        return wait.kind is WaitKind.RETRY and wait.due_us is not None and wait.due_us <= run.now_us()
    top = strand.frames[-1] if strand.frames else None
    if isinstance(top, ForkFrame):
        return top.unbegun  # branches that stand at their beginning are in no commit
    return strand.ended is None and top is not None


async def _place(run: Run, strand: Strand) -> tuple[str, str]:
    """The node that was under way, and its activation; in a rollback the one whose compensation was."""
    frame = strand.frames[-1]
    if isinstance(frame, UndoFrame):
        found = [
            item for item in await open_entries(run, frame.mark) if place_of(item.activation).startswith(frame.prefix)
        ]
        return (found[-1].node, f"{found[-1].activation}:compensate") if found else ("", "")
    if isinstance(frame, ForkFrame):
        index = frame.op.first_to_start(frame) or 0
        entry = frame.op.graph_of(index).entry
        return entry, f"{frame.base}[{frame.op.label(index)}]/{entry}"
    return frame.pc, frame.activation(frame.pc)


async def _counted(run: Run) -> int:
    """How many deaths at this very place are in the log already."""
    record = run.record
    count, after = 0, record.last_seq
    while after > 0:
        after -= 1
        found = await run.services.store.read_log(record.workflow_id, after=after, limit=1)
        if not found or found[0].kind != "crash" or found[0].position != record.position:
            break
        count += 1
    return count
