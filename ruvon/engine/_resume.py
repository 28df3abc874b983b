"""Taking a loaded run up again: which of its strands go on, and which are led out first."""

from uuid import UUID

from ruvon.engine._cancel import cleans_up, is_cleaning_up, leave_strand
from ruvon.engine._frames import ForkFrame, Strand, UndoFrame, WaitKind
from ruvon.engine._machine import advance
from ruvon.engine._repair import undo_completed
from ruvon.engine._run import Run

__all__ = ["accept_repairs", "begin", "come_to_effects"]


def begin(run: Run) -> None:
    """Put every strand that can go on by itself on the ready list, and lead out those that were told to stop."""
    if run.fatal is not None:
        return
    leaving: list[Strand] = []
    for strand in list(run.strands()):
        wait = strand.wait
        if wait is not None and wait.kind is WaitKind.CHILD and wait.key is not None:
            run.spawned.append(UUID(wait.key))
        if wait is not None or strand.ended is not None or strand in run.ready:
            continue
        top = strand.frames[-1] if strand.frames else None
        if isinstance(top, ForkFrame):
            top.op.begin(run, strand, top)
        elif isinstance(top, UndoFrame):
            run.ready.append(strand)
        elif top is not None:
            strand.unsure = True
            stopping = _stopping_fork(strand)
            strand.last = stopping is not None and bool(stopping.failed)
            cancelled = run.cancelling is not None and not is_cleaning_up(strand)
            if cancelled or (stopping is not None and not strand.last):
                leaving.append(strand)
            else:
                run.ready.append(strand)
    for strand in leaving:
        leave_strand(run, strand)


def _stopping_fork(strand: Strand) -> ForkFrame | None:
    """The innermost PARALLEL around that is being stopped; after a failure its steps under way still come to their end."""
    here: Strand | None = strand
    while here is not None and not cleans_up(here):
        if here.fork is not None and here.fork.stopping:
            return here.fork
        here = here.owner
    return None


def come_to_effects(run: Run) -> None:
    """Go to where a lost process may have been, before a request to cancel is taken: what it had entered is left again.

    A TRY or a branch that it entered on the way to the effect over which it died is in no commit, but the effect may have
    happened, so their `finally` is to run.
    """
    standing: list[Strand] = []
    while run.ready:
        strand = run.ready.popleft()
        if not isinstance(strand.frames[-1], UndoFrame):
            advance(run, strand, enters=False)
            strand.unsure = True
        if strand.ended is None and strand.wait is None and not isinstance(strand.frames[-1], ForkFrame):
            standing.append(strand)
    run.ready.extend(standing)


def accept_repairs(run: Run) -> None:
    """Apply repair requests that lie in the inbox: a parent's wish that a completed child undoes itself."""
    for entry in list(run.inbox):
        if entry.kind.value == "repair" and entry.name == "undo":
            run.inbox.remove(entry)
            run.out.consumed.append(entry.seq)
            run.moved = True
            undo_completed(run)
