"""What arrives: inbox entries and moments, given to the strands that wait for them.

Entries are taken in the order in which they were appended. A signal that nobody waits for yet stays in the inbox until
somebody does; an answer, a child's end or a worker's result for a wait that is over is dropped. Consuming an entry rides
in the transition of what it caused.
"""

from collections.abc import Sequence
from typing import Any, Final, cast

import orjson

from ruvon.engine._cancel import (
    begin_cancel,
    cancel_when_free,
    cut_cleanups,
    ending_dues,
    is_cleaning_up,
    is_stopping,
    leave_strand,
    time_out,
)
from ruvon.engine._company import Handed
from ruvon.engine._effects import EXPIRED, Given, Message
from ruvon.engine._frames import Strand, UndoFrame, WaitKind, WaitState
from ruvon.engine._machine import arrive
from ruvon.engine._program import EffectOp
from ruvon.engine._run import Run
from ruvon.ir._nodes import Join, Parallel
from ruvon.providers import InboxEntry, InboxKind, TaskFilter, TaskStatus

__all__ = ["next_due_us", "ring", "signal_of", "take_handed", "take_inbox", "withdraw_overdue"]

_CLAIMED_US: Final = 30_000_000
"""A worker's task is not looked at more often: its death takes about so long to be noticed."""
_MOST_TASKS: Final = 10_000


def take_handed(run: Run, handed: Sequence[Handed]) -> None:
    """Record what is done already, before anything else that has come; whoever finds the instance ended reports it."""
    for item in handed:
        if run.root.ended is not None or run.fatal is not None:
            return
        run.out.tasks_done.append(item.task_id)
        run.moved = True
        _take_result(run, item.activation, Message(b"", item.task_id, item.report))


def _take_result(run: Run, activation: str, message: Message) -> None:
    """Give the result of a queued step to the strand that waits for it."""
    strand = run.waiting.get(activation)
    if strand is not None and strand.wait is not None and strand.wait.key == message.name:
        arrive(run, strand, message)
    else:
        run.log("dropped", "", activation, note="the result of a task that nobody waits for any more")


def take_inbox(run: Run) -> None:
    """Give every entry to who waits for it, until nothing more fits."""
    progress = True
    while progress and run.inbox and run.root.ended is None and run.fatal is None:
        progress = False
        for entry in _in_order(run):
            if entry in run.inbox and _take(run, entry):
                progress = True


def _in_order(run: Run) -> list[InboxEntry]:
    """The inbox as it is taken: signals that lay there when a race began came at one instant, so its branches decide."""
    races = any(_is_signal(strand) and _races(strand) for strand in run.waiting.values())
    entries = list(run.inbox)
    signals = [entry for entry in entries if entry.kind is InboxKind.SIGNAL] if races else []
    if len(signals) < 2:
        return entries
    ordered = iter(sorted(signals, key=lambda entry: _turn(run, entry)))
    return [next(ordered) if entry.kind is InboxKind.SIGNAL else entry for entry in entries]


def _turn(run: Run, entry: InboxEntry) -> tuple[int, int, int]:
    """When a signal meets who waits for it, the branch of that one, and the signal's place in the inbox."""
    found = [strand for strand in run.waiting.values() if _fits(strand, entry)]
    strand = min(found, key=lambda item: item.index, default=None)
    since = strand.wait.since_us if strand is not None and strand.wait is not None else 0
    return max(entry.at_us, since), strand.index if strand is not None else 0, entry.seq


def _is_signal(strand: Strand) -> bool:
    return strand.wait is not None and strand.wait.kind is WaitKind.SIGNAL


def _fits(strand: Strand, entry: InboxEntry) -> bool:
    wait = strand.wait
    return wait is not None and wait.kind is WaitKind.SIGNAL and (wait.name, wait.key) == (entry.name, entry.key)


def _races(strand: Strand) -> bool:
    action = strand.fork.op.node.action if strand.fork is not None else None
    return isinstance(action, Parallel) and action.join is Join.FIRST


def _take(run: Run, entry: InboxEntry) -> bool:
    """Use up one entry, if its time has come."""
    match entry.kind:
        case InboxKind.SIGNAL:
            return _take_signal(run, entry)
        case InboxKind.ANSWER:
            _take_answer(run, entry)
        case InboxKind.TASK_RESULT:
            _consume(run, entry)
            _take_result(run, entry.name, Message(entry.payload, entry.key or ""))
        case InboxKind.CHILD_ENDED:
            _consume(run, entry)
            _child_ended(run, entry)
        case InboxKind.CHILD_STATUS:
            _consume(run, entry)
            for strand in run.waiting.values():
                if strand.wait is not None and strand.wait.key == entry.key and strand.wait.kind is WaitKind.CHILD:
                    strand.wait.child_status = cast("str", orjson.loads(entry.payload))
        case InboxKind.TIMER:
            _consume(run, entry)
        case InboxKind.CANCEL:
            _consume(run, entry)
            request = cast("dict[str, Any]", orjson.loads(entry.payload))
            begin_cancel(run, str(request.get("reason", "")), compensate=bool(request.get("compensate", True)))
        case InboxKind.REPAIR:
            _consume(run, entry)
    return True


def _take_answer(run: Run, entry: InboxEntry) -> None:
    if entry.at_us:
        ring(run, min(entry.at_us, run.now_us()))  # a wait whose time was over when the answer was sent takes none
    _consume(run, entry)
    strand = run.waiting.get(entry.name)
    if strand is not None and strand.wait is not None and strand.wait.kind in (WaitKind.HUMAN, WaitKind.INPUT):
        arrive(run, strand, Given(run.program.types.dynamic.decode(entry.payload)))
        return
    node = entry.name.rpartition("/")[2].partition("#")[0].removesuffix(":input")
    run.log("late", node, entry.name, note="an answer came when nothing waited for it any more; it was not taken")


def _consume(run: Run, entry: InboxEntry) -> None:
    run.inbox.remove(entry)
    run.out.consumed.append(entry.seq)
    run.moved = True


def _take_signal(run: Run, entry: InboxEntry) -> bool:
    if entry.at_us:
        ring(run, min(entry.at_us, run.now_us()))  # what was due before the signal was sent comes first
    found = [
        strand
        for strand in run.waiting.values()
        if _fits(strand, entry) and not is_stopping(strand) and not _may_have_lost(run, strand)
    ]
    if not found:
        return False
    strand = min(found, key=lambda item: item.index)
    _consume(run, entry)
    arrive(run, strand, Message(entry.payload, entry.name))
    return True


def _may_have_lost(run: Run, strand: Strand) -> bool:
    """Whether another branch of a race around has something to do first: losers consume no message."""
    here: Strand | None = strand
    while here is not None and here.fork is not None:
        if _races(here) and any(other is not here and other in run.ready for other in here.fork.branches.values()):
            return True
        here = here.owner
    return False


def signal_of(run: Run, name: str, key: str | None) -> InboxEntry | None:
    """The oldest signal of this model and key that lies in the inbox."""
    for entry in run.inbox:
        if entry.kind is InboxKind.SIGNAL and entry.name == name and entry.key == key:
            return entry
    return None


def _child_ended(run: Run, entry: InboxEntry) -> None:
    for strand in list(run.waiting.values()):
        wait = strand.wait
        if wait is None or wait.kind is not WaitKind.CHILD or wait.key != entry.key:
            continue
        top = strand.frames[-1]
        if isinstance(top, UndoFrame):
            run.waiting.pop(wait.activation, None)
            strand.wait = None
            top.child_ended = cast("dict[str, str]", orjson.loads(entry.payload))["status"]
            run.ready.append(strand)
        elif run.cancelling is not None and not is_cleaning_up(strand):
            run.waiting.pop(wait.activation, None)
            strand.wait = None
            cancel_when_free(run)
        elif is_stopping(strand):
            run.waiting.pop(wait.activation, None)
            strand.wait = None
            leave_strand(run, strand)
        else:
            arrive(run, strand, Message(entry.payload, entry.key or ""))
        return


def ring(run: Run, now: int) -> bool:
    """Let everything ring that is due by then, earliest first, ties in branch order; whether anything did."""
    due = [
        (strand.wait.due_us, strand.index, strand)
        for strand in run.waiting.values()
        if strand.wait is not None and strand.wait.due_us is not None and strand.wait.due_us <= now
    ]
    rang = False
    for _, _, strand in sorted(due, key=lambda item: (item[0], item[1])):
        if strand.wait is not None and not is_stopping(strand) and run.fatal is None:
            if strand.wait.kind is WaitKind.TASK:
                _overdue(run, strand.wait)
            else:
                _expire(run, strand)
            rang = True
    for owner, fork in list(run.forks.values()):
        if fork.due_us is not None and 0 < fork.due_us <= now and not fork.stopping:
            fork.op.expired(run, owner, fork)
            run.moved = rang = True
    rang = time_out(run, now) or rang
    return cut_cleanups(run, now) or rang


def _overdue(run: Run, wait: WaitState) -> None:
    """The time that a task had to find a worker is over: the queue is asked whether it has found one."""
    wait.due_us = None
    run.overdue.append(wait)
    run.moved = True


async def withdraw_overdue(run: Run) -> bool:
    """Withdraw the tasks that have found no worker in time; whether there were any, and the inbox has grown.

    The queue decides: a task that a worker has taken by now is left to that worker, and looked at again later, because it
    waits anew when the worker dies. Doing this twice is harmless.
    """
    overdue, run.overdue = run.overdue, []
    grown = False
    for wait in overdue:
        entry = InboxEntry(
            run.record.workflow_id, InboxKind.TASK_RESULT, wait.activation, b"{}", wait.key, at_us=run.now_us()
        )
        if not wait.asked and await run.services.store.withdraw_task(wait.key or "", entry):
            grown = True
        else:
            await _look_later(run, wait)
    return grown


async def _look_later(run: Run, wait: WaitState) -> None:
    """Let the time of a task that a worker has, or had, begin again; one that is not in the queue any more has come back."""
    op = run.program.ops.get(wait.node)
    patience_us = op.patience_us if isinstance(op, EffectOp) else None
    rows = await run.services.store.find_tasks(TaskFilter(workflow_id=run.record.workflow_id), limit=_MOST_TASKS)
    status = next((row.status for row in rows if row.task_id == wait.key), None)
    if patience_us is None or status not in {TaskStatus.CLAIMED, TaskStatus.PENDING}:
        return
    wait.asked = status == TaskStatus.CLAIMED
    wait.due_us = run.now_us() + (max(patience_us, _CLAIMED_US) if wait.asked else patience_us)
    run.moved = True


def _expire(run: Run, strand: Strand) -> None:
    wait = strand.wait
    if wait is None:
        return
    if wait.kind is not WaitKind.RETRY:
        arrive(run, strand, EXPIRED)
        return
    run.waiting.pop(wait.activation, None)
    strand.wait = None
    strand.attempt = wait.attempt
    strand.since_us = wait.since_us
    strand.unknown = wait.unknown
    run.ready.append(strand)


def next_due_us(run: Run, *, own: bool) -> int | None:
    """The next moment at which something is due; with `own` only timers and retries, which nobody else can bring."""
    kinds = (WaitKind.TIMER, WaitKind.RETRY)
    waits = [strand.wait for strand in run.waiting.values() if strand.wait is not None]
    moments = [wait.due_us for wait in waits if wait.due_us is not None and (not own or wait.kind in kinds)]
    if moments or not own:
        moments += [fork.due_us for _, fork in run.forks.values() if fork.due_us is not None and fork.due_us > 0]
        moments += ending_dues(run)
    return min(moments, default=None)
