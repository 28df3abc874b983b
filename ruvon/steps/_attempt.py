"""One attempt of a step: the body runs between two commits, and what came of it becomes one log entry.

Whatever has a body shares this: CALL in all its types, and the functions of human steps. The body works on its own copy
of the state. When it returns, its changes are validated and merged; when it raises, nothing is, and the retry policy
decides whether the failure is an attempt or the end.
"""

import asyncio
import inspect
from abc import abstractmethod
from collections.abc import Awaitable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar, final

import orjson

from ruvon.engine import (
    EffectOp,
    ErrorRecord,
    Function,
    GraphFrame,
    Run,
    RunContext,
    StepCall,
    Strand,
    TargetWriter,
    finish_node,
    next_attempt_us,
    saga_bytes,
    step_writes,
    validate,
)
from ruvon.engine._arguments import encode_argument
from ruvon.engine._effects import Effect
from ruvon.engine._shared import Statements
from ruvon.engine._undo import Compensator, undone_by_hand
from ruvon.ir._nodes import Merge, Node, RetryPolicy
from ruvon.models import (
    BodyCancelledError,
    JumpTargetError,
    SagaWorkflowException,
    StartSubWorkflowDirective,
    StepContext,
    TimedOut,
    WorkflowDirective,
    WorkflowFailedException,
    WorkflowJumpDirective,
    WorkflowPauseDirective,
    WorkflowStep,
)
from ruvon.models._hints import is_outcome_unknown
from ruvon.providers import PersistenceError, StatementError, UnsupportedError
from ruvon.steps._record import error_name, is_bare_branch, record_verdict
from ruvon.steps._verdicts import Done, Ended, Failed, Repeated, Started, Stopped, Verdict

__all__ = ["Around", "Attempt", "BodyOp", "Work", "await_with_timeout", "loop_of"]

T = TypeVar("T")


@final
@dataclass(frozen=True, slots=True)
class Around:
    """What a body may know of the frames around its step, where it runs without them."""

    loop: tuple[int, object] | None
    """Turn and item of the innermost loop."""
    is_bare: bool
    """It is the function of a PARALLEL task, which cannot steer the workflow."""


@final
class Work:
    """What a body is given."""

    __slots__ = (
        "activation",
        "arguments",
        "around",
        "context",
        "fields",
        "given",
        "services",
        "step",
        "threaded",
        "view",
    )

    def __init__(self, activation: str, arguments: dict[str, Any]) -> None:
        self.activation = activation
        self.arguments = arguments
        """Its arguments, each its own copy."""
        self.fields: dict[str, Any] = {}
        """The evaluated fields of the step type, where it is one with fields."""
        self.step: WorkflowStep | None = None
        """The instance of a custom step type that was executed."""
        self.view: Any = None
        """The state, its own copy, where it takes it."""
        self.context: StepContext | None = None
        self.services: RunContext | None = None
        self.given: object = None
        """The validated input."""
        self.around: Around | None = None
        """Given where the strand has not the frames that it has at its holder."""
        self.threaded = False
        """A body that is not async runs in a thread, so that it holds up nobody else."""


class BodyOp(EffectOp):
    """An operation with a body."""

    __slots__ = (
        "compensator",
        "deadline_us",
        "merge",
        "merges",
        "output",
        "path",
        "plain_result",
        "plain_state",
        "result_type",
        "retry",
        "shares_commit",
        "strict",
        "takes_context",
        "takes_state",
        "timeout_us",
        "undoes",
    )

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self.retry: RetryPolicy | None = None
        self.timeout_us: int | None = None
        self.deadline_us: int | None = None
        self.shares_commit = False
        """The body's SQL runs in the transaction that commits the step."""
        self.compensator: Compensator | None = None
        self.merge = Merge()
        self.merges = False
        """A returned mapping merges into the state."""
        self.output: TargetWriter | None = None
        self.strict = True
        self.takes_state = False
        self.takes_context = False
        self.plain_state = False
        self.result_type: object = object
        self.undoes: frozenset[str] = frozenset()
        """Nodes whose compensation this function is: calling it in the body undoes the newest of them by hand."""
        self.path: str | None = None
        """The path of the function, where the body is one."""
        self.plain_result: type | None = None
        """A result of exactly this type needs no validation."""

    @abstractmethod
    def call(self, run: Run, work: Work) -> Any:
        """Run the body; a value or an awaitable of it."""

    def instead(self, work: Work, error: Exception) -> tuple[object] | None:
        """What is taken in place of a failure that is not repeated; None: the failure stands."""
        return None

    def repeats_after(self, run: Run, work: Work, error: Exception, record: ErrorRecord, attempt: int) -> int | None:
        """Microseconds until the attempt after a failed one; None: there is none."""
        return next_attempt_us(self.retry, record, attempt, run.services.ids)

    def uses(self, function: Function) -> None:
        """Take over what a function wants to be given."""
        self.path = function.path
        self.takes_state = function.takes_state
        self.takes_context = function.takes_context
        self.plain_state = function.plain_state
        self.result_type = function.result
        self.plain_result = _plain_result(function.result)

    def attempt(self, run: Run, strand: Strand, frame: GraphFrame, arguments: dict[str, Any]) -> Effect:
        """The effect of running the body once."""
        work = Work(frame.activation(self.id), arguments)
        work.threaded = run.services.threads_bodies
        if self.takes_state:
            work.view = run.scope_view(strand, plain=self.plain_state)
        return Attempt(self, strand, frame, work)

    def completed(self, run: Run, strand: Strand, frame: GraphFrame, result: object) -> None:
        """Where the strand goes when the body has returned and everything is recorded."""
        finish_node(run, frame, self, self.next)


@final
class Attempt(Effect):
    """Runs a body once and records what came of it."""

    __slots__ = ("begun_us", "frame", "op", "recorded", "statements", "work")

    def __init__(self, op: BodyOp, strand: Strand, frame: GraphFrame, work: Work) -> None:
        super().__init__(strand)
        self.op = op
        self.frame = frame
        self.work = work
        self.begun_us = 0
        self.recorded = False
        """The step is recorded as done."""
        self.statements: Statements | None = None

    def perform(self, run: Run) -> Coroutine[Any, Any, None]:
        """Run the body; merge and record its result, its failure, or the directive that it raised."""
        op = self.op
        return self._perform_with_services(run) if op.shares_commit or op.takes_context else self._perform(run)

    async def _perform_with_services(self, run: Run) -> None:
        """Run a body that may have a transaction, and may write to the execution log."""
        if self.op.shares_commit:
            await self._share(run)
        else:
            await self._perform(run)
        services = self.work.services
        if services is not None and services.lines:
            await run.services.write_lines(run.record.workflow_id, self.op.id, services.lines)

    async def _share(self, run: Run) -> None:
        """Run the body in a transaction, and commit what came of it there; a failure is recorded when that is gone."""
        try:
            async with run.share() as shared:
                self.statements = shared.statements
                await self._perform(run)
                if self.recorded:
                    if self.strand.wait is not None:
                        run.waiting[self.strand.wait.activation] = self.strand
                    await shared.commit()
        except UnsupportedError as exc:
            record_verdict(run, self.op, self.strand, self.frame, self._failed(run, exc, retries=False))
        if self.recorded and not stands_at_effect(self.strand):
            run.moved = True  # what follows without effect is not in that commit

    async def _perform(self, run: Run) -> None:
        verdict = await self.judged(run)
        services = self.work.services
        self.recorded = record_verdict(
            run,
            self.op,
            self.strand,
            self.frame,
            verdict,
            published=services.published if services is not None else (),
            duration_us=run.services.clock.monotonic_us() - self.begun_us if run.notices is not None else None,
        )

    async def judged(self, run: Run) -> Verdict:
        """Run the body and say what came of it; nothing of the run is changed."""
        op, strand, work = self.op, self.strand, self.work
        if op.takes_context:
            self._give_context(run)
        self.begun_us = run.services.clock.monotonic_us() if run.notices is not None else 0
        strand.in_body = True
        try:
            if strand.fork is not None:
                await run.services.clock.sleep_us(0)  # every branch's step begins before any of them ends
            intercept = run.services.intercept
            made = op.call(run, work) if intercept is None else intercept(self._call(run), lambda: op.call(run, work))
            if op.timeout_us is not None:
                made = await self._in_time(run, made)
            elif type(made) not in _NOT_AWAITABLE and inspect.isawaitable(made):
                made = await made
        except asyncio.CancelledError:
            strand.in_body = False
            return self._cancelled(run)
        except WorkflowDirective as directive:
            strand.in_body = False
            return self._directed(run, directive)
        except Exception as exc:  # the author's body may raise anything
            strand.in_body = False
            if self._lost_its_transaction(exc):
                raise
            return self._failed(run, exc, retries=True)
        strand.in_body = False
        undone = await undone_by_hand(run, op.undoes) if op.undoes else None
        return self._done(run, made, undone=undone)

    def _lost_its_transaction(self, exc: Exception) -> bool:
        """The store failed, not the step: nothing of it was written, and whoever drives next performs it again."""
        return self.statements is not None and isinstance(exc, PersistenceError) and not isinstance(exc, StatementError)

    def _call(self, run: Run) -> StepCall:
        op, work = self.op, self.work
        return StepCall(
            workflow_id=run.id,
            workflow_type=run.record.workflow_type,
            step=op.id,
            activation=run.activation(work.activation),
            attempt=self.strand.attempt,
            function=op.path,
            arguments=work.arguments,
            state=work.view,
            context=work.context,
            metadata=run.record.metadata,
        )

    def _give_context(self, run: Run) -> None:
        work = self.work
        work.services = RunContext(run, work.activation, self.frame)
        work.services.sql = self.statements
        if self.strand.attempt > 1:
            known = self.strand.scope.bytes_of(error_name(work.activation))
            work.services.error = orjson.loads(known) if known is not None else None
        loop = loop_of(self.strand) if work.around is None else work.around.loop
        work.context = StepContext(
            run.id,
            self.op.id,
            work.services,
            attempt=self.strand.attempt,
            loop_index=loop[0] if loop is not None else None,
            loop_item=loop[1] if loop is not None else None,
            validated_input=work.given,
            scheduled_for=run.scheduled_for(),
        )

    async def _in_time(self, run: Run, made: Any) -> Any:
        limit = self.op.timeout_us or 0
        error = TimedOut(self.op.title, timedelta(microseconds=limit))
        if not inspect.isawaitable(made):
            return made
        return await await_with_timeout(run, made, limit, error)

    # What came of it

    def _done(
        self,
        run: Run,
        result: Any,
        *,
        declared: bool = True,
        undone: bytes | None = None,
        note: str = "",
        pauses: bool = False,
        jump: str | None = None,
    ) -> Verdict:
        """A result with its write set; a failure where it does not fit, and the body is not run again for it."""
        op, strand, work = self.op, self.strand, self.work
        try:
            if declared and self._needs_validation(result):
                result = validate(op.result_type, result, f"the result of {op.title}")
            writes = (
                step_writes(
                    run, strand.scope, work.view, result, op.merge, op.title, merges=op.merges, strict=op.strict
                )
                if work.view is not None or (op.merges and result is not None)
                else {}
            )
            encoded = (
                b"null" if result is None else run.program.types.dynamic.encode(result, f"the result of {op.title}")
            )
            saga = self._saga(run) if op.compensator is not None else undone
        except Exception as exc:
            return self._failed(run, exc, retries=False)
        return Done(result, encoded, writes, saga, note, pauses, jump)

    def _needs_validation(self, result: object) -> bool:
        op = self.op
        if op.result_type is object or type(result) is op.plain_result:
            return False
        return result is None or result is not self.work.view

    def _saga(self, run: Run, *, attempted: bool = False) -> bytes:
        types = run.program.types
        arguments = {name: encode_argument(types, value, name) for name, value in self.work.arguments.items()}
        return saga_bytes(arguments, attempted=attempted)

    def _failed(self, run: Run, error: Exception, *, retries: bool) -> Verdict:
        op, strand, work = self.op, self.strand, self.work
        record = run.record_of(error, strand, op.id, work.activation)
        unknown = strand.unknown or is_outcome_unknown(error)
        if retries:
            try:
                verdict = self._repeated(run, error, record, unknown) or self._fallen_back(run, error, record)
            except Exception as exc:  # a step type gave up with an error of its own
                verdict, record = None, run.record_of(exc, strand, op.id, work.activation)
            if verdict is not None:
                return verdict
        compensator = op.compensator
        saga = (
            self._saga(run, attempted=True) if unknown and compensator is not None and compensator.attempted else None
        )
        return Failed(record, error, saga)

    def _repeated(self, run: Run, error: Exception, record: ErrorRecord, unknown: bool) -> Verdict | None:
        """A failed attempt that is to be repeated; None where there is no other."""
        op, strand = self.op, self.strand
        delay = op.repeats_after(run, self.work, error, record, strand.attempt)
        now = run.now_us()
        since = strand.since_us or now
        if delay is None or (op.deadline_us is not None and now + delay - since > op.deadline_us):
            return None
        return Repeated(record, error, delay, unknown)

    def _fallen_back(self, run: Run, error: Exception, record: ErrorRecord) -> Verdict | None:
        """What the step has in place of a failure; None where it has nothing."""
        taken = self.op.instead(self.work, error) if not record.uncatchable else None
        if taken is None:
            return None
        verdict = self._done(run, taken[0], declared=False, note=f"fallback: {record.kind}: {record.message}")
        if isinstance(verdict, Done):
            verdict.instead_of = error
        return verdict

    def _cancelled(self, run: Run) -> Verdict:
        """The body was cancelled: by the engine, from outside the drive, or by nobody but itself."""
        strand, op = self.strand, self.op
        task = asyncio.current_task()
        if not strand.interrupted:
            if task is None or task.cancelling():
                raise asyncio.CancelledError
            return self._failed(run, BodyCancelledError(op.title), retries=True)
        strand.interrupted = False
        if task is not None:
            task.uncancel()
        compensator = op.compensator
        return Stopped(self._saga(run, attempted=True) if compensator is not None and compensator.attempted else None)

    # Directives

    def _directed(self, run: Run, directive: WorkflowDirective) -> Verdict:
        op, strand, work = self.op, self.strand, self.work
        bare = is_bare_branch(strand) if work.around is None else work.around.is_bare
        if bare and not isinstance(directive, SagaWorkflowException | WorkflowFailedException):
            reason = "the function of a PARALLEL task cannot steer the workflow"
            return self._failed(run, JumpTargetError(op.title, type(directive).__name__, reason), retries=False)
        match directive:
            case WorkflowJumpDirective():
                return self._done(run, directive.result, declared=False, jump=directive.target_step_name)
            case WorkflowPauseDirective():
                return self._done(run, directive.result, declared=False, pauses=True)
            case StartSubWorkflowDirective():
                return self._starts(run, directive)
            case SagaWorkflowException() | WorkflowFailedException():
                record = run.record_of(directive, strand, op.id, work.activation)
                return Ended(record, isinstance(directive, SagaWorkflowException))
            case _:
                error = TypeError(f"{type(directive).__name__} is no directive of Ruvon")
                return self._failed(run, error, retries=False)

    def _starts(self, run: Run, directive: StartSubWorkflowDirective) -> Verdict:
        try:
            writes = step_writes(
                run, self.strand.scope, self.work.view, None, Merge(), self.op.id, merges=False, strict=False
            )
        except Exception as exc:
            return self._failed(run, exc, retries=False)
        return Started(directive.workflow_type, directive.initial_data, directive.data_region, writes)


_NOT_AWAITABLE: Final = frozenset({type(None), bool, int, float, str, bytes, list, dict, tuple})
"""What bodies mostly return when they are not awaited; anything else is asked."""
_EXACT: Final[dict[Any, type]] = {
    None: type(None),
    type(None): type(None),
    dict: dict,
    dict[str, object]: dict,
    dict[str, Any]: dict,
    **{kind: kind for kind in (int, str, bool, float, bytes)},
}


def _plain_result(annotation: object) -> type | None:
    """The exact type whose values fit the annotation without being looked at."""
    try:
        return _EXACT.get(annotation)
    except TypeError:  # an annotation without a hash
        return None


def stands_at_effect(strand: Strand) -> bool:
    """Whether the next thing that the strand does is an effect."""
    frame = strand.frames[-1] if strand.frames and strand.ended is None else None
    op = frame.graph.ops.get(frame.pc) if isinstance(frame, GraphFrame) else None
    return op is not None and op.is_effect


def loop_of(strand: Strand) -> tuple[int, object] | None:
    """Turn and item of the innermost loop around a strand's current node."""
    from ruvon.engine import LoopFrame  # noqa: PLC0415 - the packages stand on each other

    here: Strand | None = strand
    while here is not None:
        for frame in reversed(here.frames):
            if isinstance(frame, LoopFrame):
                items = frame.items
                return frame.index, items[frame.index] if items is not None and frame.index < len(items) else None
        here = here.owner
    return None


async def await_with_timeout(run: Run, made: Awaitable[T], limit_us: int, error: Exception) -> T:
    """Await something for at most so long on the run's clock; what is late is cancelled and its result discarded."""
    body = asyncio.ensure_future(made)
    timer = asyncio.ensure_future(run.services.clock.sleep_us(limit_us))
    try:
        await asyncio.wait((body, timer), return_when=asyncio.FIRST_COMPLETED)
        if body.done():
            return body.result()
        body.cancel()
        await asyncio.gather(body, return_exceptions=True)
        raise error
    finally:
        timer.cancel()
        if not body.done():
            body.cancel()
            await asyncio.gather(body, return_exceptions=True)
