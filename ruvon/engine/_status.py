"""The status of an instance as a function of its position: running > human > input > child > task > paused."""

from typing import Final

from ruvon.engine._brake import has_crashed
from ruvon.engine._frames import ExitKind, ForkFrame, GraphFrame, Strand, UndoFrame, WaitKind
from ruvon.engine._run import Run
from ruvon.models import WorkflowStatus

__all__ = ["WAITS_FOR_PERSON", "current_step", "status_of"]

WAITS_FOR_PERSON: Final = frozenset(
    {
        WorkflowStatus.WAITING_HUMAN,
        WorkflowStatus.WAITING_HUMAN_INPUT,
        WorkflowStatus.WAITING_CHILD_HUMAN_INPUT,
    }
)
_ORDER: Final = (
    WorkflowStatus.WAITING_HUMAN,
    WorkflowStatus.WAITING_HUMAN_INPUT,
    WorkflowStatus.WAITING_CHILD_HUMAN_INPUT,
    WorkflowStatus.PENDING_SUB_WORKFLOW,
    WorkflowStatus.PENDING_ASYNC,
    WorkflowStatus.PAUSED,
)


def status_of(run: Run) -> WorkflowStatus:
    """The status that the position of a run says."""
    root = run.root
    if root.ended is not None or run.fatal is not None:
        return _final_status(run)
    top = root.frames[-1]
    if root.wait is None and isinstance(top, GraphFrame):
        return WorkflowStatus.ACTIVE
    return _live_status(run)


def _live_status(run: Run) -> WorkflowStatus:
    found: set[WorkflowStatus] = set()
    moving = False
    for strand in run.strands():
        top = strand.frames[-1] if strand.frames else None
        if isinstance(top, UndoFrame):
            return WorkflowStatus.COMPENSATING
        if strand.wait is not None:
            found.add(_status_of_wait(strand))
        elif strand.ended is None and not isinstance(top, ForkFrame):
            moving = True
        elif isinstance(top, ForkFrame) and (top.waiting_start or top.unbegun):
            moving = moving or top.unbegun or not top.branches
    if moving or not found:
        return WorkflowStatus.ACTIVE
    return next(status for status in _ORDER if status in found)


def _status_of_wait(strand: Strand) -> WorkflowStatus:
    wait = strand.wait
    if wait is None:
        return WorkflowStatus.ACTIVE
    match wait.kind:
        case WaitKind.HUMAN:
            return WorkflowStatus.WAITING_HUMAN
        case WaitKind.INPUT:
            return WorkflowStatus.WAITING_HUMAN if wait.asked else WorkflowStatus.WAITING_HUMAN_INPUT
        case WaitKind.CHILD:
            if wait.child_status in WAITS_FOR_PERSON:
                return WorkflowStatus.WAITING_CHILD_HUMAN_INPUT
            return WorkflowStatus.PENDING_SUB_WORKFLOW
        case WaitKind.TASK:
            return WorkflowStatus.PENDING_ASYNC
        case WaitKind.TIMER | WaitKind.SIGNAL | WaitKind.RETRY:
            return WorkflowStatus.PAUSED


def _final_status(run: Run) -> WorkflowStatus:
    leaving = run.root.ended or run.fatal
    if leaving is None or leaving.kind is ExitKind.RETURN:
        return WorkflowStatus.COMPLETED
    if has_crashed(leaving):
        return WorkflowStatus.FAILED_WORKER_CRASH
    rolled_back = not run.root.frames
    if run.failed_compensations:
        return WorkflowStatus.FAILED
    if leaving.kind is ExitKind.CANCEL and leaving.error is None:
        return WorkflowStatus.FAILED_ROLLED_BACK if leaving.rollback else WorkflowStatus.CANCELLED
    if rolled_back:
        return WorkflowStatus.FAILED_ROLLED_BACK
    if leaving.error is not None and leaving.error.child:
        return WorkflowStatus.FAILED_CHILD_WORKFLOW
    return WorkflowStatus.FAILED


def current_step(run: Run) -> str | None:
    """The step where the instance stands: a node of the outermost graph, or None when it has ended."""
    if run.root.ended is not None:
        return None
    pc = run.body.pc
    return pc if pc in run.body.graph.ops else None
