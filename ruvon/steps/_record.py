"""Recording a verdict: the one place where what came of a body becomes log entries, writes and the strand's next place."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, assert_never

import orjson

from ruvon.engine import (
    ErrorRecord,
    Exit,
    ExitKind,
    GraphFrame,
    Run,
    Strand,
    WaitKind,
    WaitState,
    fail,
    finish_node,
    rebuild,
    record_step,
    unwind,
)
from ruvon.models import JumpTargetError
from ruvon.providers import OutboxRecord
from ruvon.steps._verdicts import Done, Ended, Failed, Repeated, Started, Stopped, Verdict

if TYPE_CHECKING:
    from ruvon.steps._attempt import BodyOp

__all__ = ["error_name", "is_bare_branch", "note_repeated", "record_verdict", "wait_behind"]

_ERROR: Final = "@error/"
_INPUT: Final = "@input/"


def error_name(activation: str) -> str:
    """The hidden variable that keeps why the last attempt of an activation failed."""
    return f"{_ERROR}{activation}"


def record_verdict(
    run: Run,
    op: "BodyOp",
    strand: Strand,
    frame: GraphFrame,
    verdict: Verdict,
    *,
    published: Sequence[OutboxRecord] = (),
    duration_us: int | None = None,
) -> bool:
    """Record what came of a body and move the strand on.

    Args:
        run: the run.
        op: the step.
        strand: it stands at the step.
        frame: the strand's innermost frame.
        verdict: what came of the body.
        published: events for the outbox; they count only when the step has completed.
        duration_us: how long the body took, for observers.

    Returns:
        Whether the step is recorded as done.
    """
    match verdict:
        case Done():
            return _record_done(run, op, strand, frame, verdict, published, duration_us)
        case Repeated():
            now = run.now_us()
            note_repeated(run, op, strand, frame, verdict)
            since = strand.since_us or now
            activation = frame.activation(op.id)
            strand.wait = WaitState(
                WaitKind.RETRY,
                activation,
                op.id,
                now + verdict.delay_us,
                attempt=strand.attempt + 1,
                since_us=since,
                unknown=verdict.unknown,
            )
        case Failed():
            _record_failed(run, op, strand, frame, verdict)
        case Ended():
            error = verdict.record
            run.log("error", op.id, frame.activation(op.id), attempt=strand.attempt, error=error.encode())
            unwind(run, strand, Exit(ExitKind.FAIL, error=error, rollback=verdict.rollback))
        case Started():
            return _start_child(run, op, strand, frame, verdict)
        case Stopped():
            strand.stopped = True
            activation = frame.activation(op.id)
            run.log("cancelled", op.id, activation, attempt=strand.attempt, saga=verdict.saga)
        case _:
            assert_never(verdict)
    return False


def note_repeated(run: Run, op: "BodyOp", strand: Strand, frame: GraphFrame, verdict: Repeated) -> None:
    """Log a failed attempt that is to be repeated, and keep why it failed for the next one."""
    activation = frame.activation(op.id)
    _tell_failed(run, op, strand, verdict.error, verdict.record)
    run.log("retry", op.id, activation, attempt=strand.attempt, error=verdict.record.encode())
    why = f"{verdict.record.kind}: {verdict.record.message}"
    strand.scope.bind(error_name(activation), orjson.dumps(why))


def _record_done(
    run: Run,
    op: "BodyOp",
    strand: Strand,
    frame: GraphFrame,
    done: Done,
    published: Sequence[OutboxRecord],
    duration_us: int | None,
) -> bool:
    if done.jump is not None and not _reaches(strand, done.jump):
        _fail_here(run, op, strand, frame, JumpTargetError(op.title, done.jump, _why_not(run, done.jump)))
        return False
    activation = frame.activation(op.id)
    if done.instead_of is not None and run.notices is not None:
        run.notices.step_failed(op.id, done.instead_of, strand.attempt)
    attempt = strand.attempt
    record_step(run, strand, frame, op.id, done.encoded, saga=done.saga, note=done.note)
    if attempt > 1:
        strand.scope.unbind(error_name(activation))
    if strand.scope.variables:
        strand.scope.unbind(f"{_INPUT}{activation}")
    if published:
        run.out.outbox.extend(published)
    if done.writes:
        strand.scope.write_state(done.writes)
    if not _bind(run, op, strand, frame, done.result):
        return True
    if done.jump is not None:
        finish_node(run, frame, op, op.next)
        unwind(run, strand, Exit(ExitKind.GOTO, target=done.jump, is_jump=True))
        return True
    if run.notices is not None and not done.pauses:
        run.notices.step_executed(op.id, done.result, duration_us, attempt)
    op.completed(run, strand, frame, done.result)
    if done.pauses and strand.ended is None and run.fatal is None:
        wait_behind(run, strand)
    return True


def _bind(run: Run, op: "BodyOp", strand: Strand, frame: GraphFrame, result: Any) -> bool:
    """Bind the output; an error of that comes after the success of the step, never instead of it."""
    if op.output is None:
        return True
    try:
        op.output(run, strand, result)
    except Exception as exc:
        unwind(run, strand, fail(run, strand, frame, op.id, exc))
        return False
    return True


def _record_failed(run: Run, op: "BodyOp", strand: Strand, frame: GraphFrame, failed: Failed) -> None:
    activation = frame.activation(op.id)
    _tell_failed(run, op, strand, failed.error, failed.record)
    run.log("error", op.id, activation, attempt=strand.attempt, error=failed.record.encode(), saga=failed.saga)
    strand.scope.unbind(error_name(activation))
    strand.attempt = 1
    strand.since_us = 0
    strand.unknown = False
    strand.answered = False
    unwind(run, strand, Exit(ExitKind.FAIL, error=failed.record))


def _fail_here(run: Run, op: "BodyOp", strand: Strand, frame: GraphFrame, error: Exception) -> None:
    """The body has returned, but what it wants cannot be."""
    record = run.record_of(error, strand, op.id, frame.activation(op.id))
    saga = op.unknown_outcome(run, strand) if strand.unknown else None
    _record_failed(run, op, strand, frame, Failed(record, error, saga))


def _start_child(run: Run, op: "BodyOp", strand: Strand, frame: GraphFrame, started: Started) -> bool:
    activation = frame.activation(op.id)
    try:
        wait = run.services.children.begin(
            run, activation, op.id, started.workflow_type, started.data, data_region=started.data_region
        )
    except Exception as exc:
        _fail_here(run, op, strand, frame, exc)
        return False
    run.log("start", op.id, activation, note=started.workflow_type)
    strand.scope.write_state(started.writes)
    strand.wait = wait
    return True


def _tell_failed(run: Run, op: "BodyOp", strand: Strand, error: Exception | None, record: ErrorRecord) -> None:
    if run.notices is not None:
        types = run.program.types
        run.notices.step_failed(op.id, error or rebuild(record, types.dynamic, types.find_class), strand.attempt)


def wait_behind(run: Run, strand: Strand) -> None:
    """Wait for an answer, which goes to the node that the strand has come to."""
    frame = strand.frames[-1]
    if not isinstance(frame, GraphFrame):
        return
    activation = frame.activation(frame.pc)
    revision = run.record.revision
    strand.wait = WaitState(WaitKind.INPUT, f"{activation}:input", frame.pc, asked=True, revision=revision)


def is_bare_branch(strand: Strand) -> bool:
    """Whether the strand is the function of a PARALLEL task, with no graph of its own."""
    frame = strand.frames[0]
    return strand.fork is not None and isinstance(frame, GraphFrame) and frame.graph.single is not None


def _reaches(strand: Strand, target: str) -> bool:
    return any(isinstance(frame, GraphFrame) and target in frame.graph.ops for frame in strand.frames)


def _why_not(run: Run, target: str) -> str:
    if target not in run.program.ops:
        return "there is no such step"
    return "it lies inside a LOOP, PARALLEL or TRY that the step is not in"
