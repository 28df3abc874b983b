"""A CALL with a queue, at the holder: what becomes a task, and what is made of the report that comes back.

The task rides in the transition in which the strand begins to wait, so there is never one without the other. Its id is
made of the instance, the activation, the attempt and the revision that the transition is computed from: computing the
same transition again gives the same task, and a later wait for the same activation another one.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, final

import orjson

from ruvon.engine import (
    ENTERED,
    WAITS,
    Arrival,
    Exit,
    ExitKind,
    GraphFrame,
    Message,
    Outcome,
    Run,
    Strand,
    WaitKind,
    WaitState,
    WorkerCrashError,
    fail,
)
from ruvon.ir._nodes import Call as CallAction
from ruvon.ir.expr import Attribute, Call, Const, Dict, Expr, Name, free_names, walk
from ruvon.models import TimedOut
from ruvon.providers import TaskKind, TaskRecord
from ruvon.steps._attempt import loop_of
from ruvon.steps._record import error_name, is_bare_branch, note_repeated, record_verdict
from ruvon.steps._verdicts import Repeated
from ruvon.steps._wire import Order, Report, Unfit

if TYPE_CHECKING:
    from ruvon.steps._call import CallOp

__all__ = ["Needs", "dispatch", "key_expr", "take_report"]

_STATE: Final = "state"
_TEMPLATE: Final = "template"
_LONGEST_KEY: Final = 200
_TRAVELS: Final = ("trace_id", "actor_id", "for_workflow", "for_step", "for_attempt")
"""The metadata that the worker's `ExecutionContext` is made of."""


@final
class Needs:
    """What the expressions of a step read: a worker that evaluates them is sent this and no more."""

    __slots__ = ("everything", "names", "state")

    def __init__(self, expressions: Iterable[Expr]) -> None:
        found = list(expressions)
        names = {name.id for expr in found for name in free_names(expr)}
        self.state = _STATE in names
        self.names = frozenset(names - {_STATE})
        self.everything = any(_is_template(part) for expr in found for part in walk(expr))
        """A template names what it wants only when it is rendered."""

    def variables(self, strand: Strand) -> dict[str, bytes]:
        """The encoded variables, as the strand sees them."""
        names: Iterable[str] = self.names
        if self.everything:
            names = [name for name in strand.scope.visible_names() if name.isidentifier()]
        found = {name: strand.scope.seen_bytes(name) for name in names}
        return {name: data for name, data in found.items() if data is not None}


def _is_template(expr: Expr) -> bool:
    return isinstance(expr, Call) and isinstance(expr.function, Name) and expr.function.id == _TEMPLATE


def dispatch(
    op: "CallOp", run: Run, strand: Strand, frame: GraphFrame, *, delay_us: int = 0, progress: bytes | None = None
) -> Outcome:
    """Put the next attempt of a step into the queue, and let the strand wait for its report."""
    activation, now = frame.activation(op.id), run.now_us()
    since = strand.since_us or now
    queue = op.queue or "default"
    identity = f"{run.activation(activation)}\n{strand.attempt}\n{run.record.revision}"
    task_id = f"{run.record.workflow_id.hex}.{blake2b(identity.encode(), digest_size=10).hexdigest()}"
    order = _order(op, run, strand, frame, since, progress)
    run.out.tasks.append(
        TaskRecord(
            task_id,
            run.record.workflow_id,
            TaskKind.STEP,
            activation,
            queue,
            available_us=now + delay_us,
            priority=run.record.priority,
            payload=order.encode(),
            attempt=strand.attempt,
            concurrency_key=_key_text(op.key(run.env(strand))) if op.key is not None else None,
        )
    )
    limits = [now + delay_us + op.queue_timeout_us] if op.queue_timeout_us is not None else []
    limits += [since + op.deadline_us] if op.deadline_us is not None else []
    strand.wait = WaitState(
        WaitKind.TASK,
        activation,
        op.id,
        min(limits, default=None),
        name=queue,
        key=task_id,
        attempt=strand.attempt,
        since_us=since,
        unknown=strand.unknown,
    )
    return WAITS


def key_expr(call: CallAction) -> Expr | None:
    """The expression of a concurrency key: the argument, field or state that its path begins with, and what is in it."""
    if call.concurrency_key is None or call.queue is None:
        return None
    first, *rest = call.concurrency_key.split(".")
    found = call.args.get(first, call.config.get(first, Name(_STATE) if first == _STATE else None))
    for name in rest:
        found = _inside(found, name) if found is not None else None
    return found


def _inside(expr: Expr, name: str) -> Expr | None:
    """A part of a value: of a written dictionary its entry, else the attribute."""
    if isinstance(expr, Dict):
        return next((item.value for item in expr.items if item.key == Const(name)), None)
    return Attribute(expr, name)


def _key_text(value: object) -> str | None:
    """The text that a store keeps of a key: a long one, or one that is no clean text, by its digest."""
    if value is None:
        return None
    text = str(value)
    if len(text) <= _LONGEST_KEY and text.isprintable():
        return text
    return blake2b(text.encode(errors="surrogatepass"), digest_size=20).hexdigest()


def _order(op: "CallOp", run: Run, strand: Strand, frame: GraphFrame, since_us: int, progress: bytes | None) -> Order:
    activation, scope = frame.activation(op.id), strand.scope
    order = Order(
        workflow_type=run.record.workflow_type,
        digest=run.record.digest,
        node=op.id,
        path=frame.path,
        visit=frame.visit,
        epoch=run.epoch,
        since_us=since_us,
        unknown=strand.unknown,
        variables=op.needs.variables(strand),
        is_bare=is_bare_branch(strand),
        scheduled_for_us=run.record.scheduled_for_us,
        progress=progress,
        trace=_trace(run),
    )
    if op.takes_state or op.merges or op.needs.state or op.needs.everything:
        order.state = scope.fields
    for hidden in (f"@input/{activation}", error_name(activation)):
        data = scope.bytes_of(hidden)
        if data is not None:
            order.variables[hidden] = data
    if op.takes_context:
        order.previous = run.previous.get(frame.previous)
        loop = loop_of(strand)
        if loop is not None:
            order.loop = loop[0], run.program.types.dynamic.encode(loop[1], "the item of the loop")
    return order


def _trace(run: Run) -> dict[str, str]:
    found = {name: run.record.metadata.get(name) for name in _TRAVELS}
    found["actor_id"] = found["actor_id"] or run.record.owner_id
    return {name: str(value) for name, value in found.items() if value is not None}


def take_report(op: "CallOp", run: Run, strand: Strand, frame: GraphFrame, arrival: Arrival) -> Outcome:
    """Record what a worker says of the task that the strand waits for."""
    wait = strand.wait
    if wait is None or not isinstance(arrival, Message) or arrival.name != wait.key:
        return WAITS
    value = arrival.value
    report = value if isinstance(value, Report) else Report.decode(arrival.payload, run.program.types)
    run.queued.discard(arrival.name)
    strand.wait = None
    strand.attempt, strand.since_us, strand.unknown = wait.attempt, wait.since_us, wait.unknown
    verdict = report.verdict
    if verdict is None:
        return _undone(op, run, strand, frame, report.crashes)
    if isinstance(verdict, Unfit):
        return Exit(ExitKind.FAIL, error=verdict.record)
    if isinstance(verdict, Repeated):
        note_repeated(run, op, strand, frame, verdict)
        strand.attempt += 1
        strand.unknown = verdict.unknown
        return dispatch(op, run, strand, frame, delay_us=verdict.delay_us, progress=report.progress)
    record_verdict(run, op, strand, frame, verdict, published=report.published, duration_us=report.duration_us)
    return ENTERED


def _undone(op: "CallOp", run: Run, strand: Strand, frame: GraphFrame, crashes: int) -> Outcome:
    """No worker took the task in time, or every one that did died over it."""
    activation = frame.activation(op.id)
    if not crashes:
        error = fail(run, strand, frame, op.id, TimedOut(f"{op.title}, waiting for a worker of the queue {op.queue}"))
        run.log("error", op.id, activation, attempt=strand.attempt, error=_encoded(error))
        return error
    saga = op.unknown_outcome(run, strand)
    record = run.record_of(WorkerCrashError(op.title, crashes), strand, op.id, activation)
    run.log("error", op.id, activation, attempt=strand.attempt, error=record.encode(), saga=saga)
    run.fatal, run.fatal_strand = Exit(ExitKind.FAIL, error=record), strand
    return ENTERED


def _encoded(leaving: Exit) -> bytes:
    return leaving.error.encode() if leaving.error is not None else orjson.dumps(None)
