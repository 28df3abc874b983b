"""One attempt of a step: the body runs between two commits, and what came of it becomes one log entry.

Whatever has a body shares this: CALL in all its types, and the functions of human steps. The body works on its own copy
of the state. When it returns, its changes are validated and merged; when it raises, nothing is, and the retry policy
decides whether the failure is an attempt or the end.
"""

import asyncio
import inspect
from abc import abstractmethod
from collections.abc import Awaitable, Coroutine
from datetime import timedelta
from typing import Any, Final, TypeVar, final

import orjson

from ruvon.engine import (
    EffectOp,
    ErrorRecord,
    Exit,
    ExitKind,
    Function,
    GraphFrame,
    Run,
    RunContext,
    StepCall,
    Strand,
    TargetWriter,
    WaitKind,
    WaitState,
    fail,
    finish_node,
    next_attempt_us,
    record_step,
    saga_bytes,
    step_writes,
    unwind,
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

__all__ = ["Attempt", "BodyOp", "Work", "await_with_timeout"]

T = TypeVar("T")


@final
class Work:
    """What a body is given."""

    __slots__ = ("activation", "arguments", "context", "fields", "given", "services", "step", "view")

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
        if self.takes_state:
            work.view = run.scope_view(strand, plain=self.plain_state)
        return Attempt(self, strand, frame, work)

    def completed(self, run: Run, strand: Strand, frame: GraphFrame, result: object) -> None:
        """Where the strand goes when the body has returned and everything is recorded."""
        finish_node(run, frame, self, self.next)


@final
class Attempt(Effect):
    """Runs a body once and records what came of it."""

    __slots__ = ("begun_us", "frame", "op", "recorded", "statements", "tried", "work")

    def __init__(self, op: BodyOp, strand: Strand, frame: GraphFrame, work: Work) -> None:
        super().__init__(strand)
        self.op = op
        self.frame = frame
        self.work = work
        self.begun_us = 0
        self.tried = 1
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
            self._failed(run, exc, retries=False)
        if self.recorded and not stands_at_effect(self.strand):
            run.moved = True  # what follows without effect is not in that commit

    async def _perform(self, run: Run) -> None:
        op, strand, work = self.op, self.strand, self.work
        if op.takes_context:
            self._give_context(run)
        self.begun_us = run.services.clock.monotonic_us() if run.notices is not None else 0
        self.tried = strand.attempt
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
            self._cancelled(run)
            return
        except WorkflowDirective as directive:
            strand.in_body = False
            self._directed(run, directive)
            return
        except Exception as exc:  # the author's body may raise anything
            strand.in_body = False
            if self._lost_its_transaction(exc):
                raise
            self._failed(run, exc, retries=True)
            return
        strand.in_body = False
        undone = await undone_by_hand(run, op.undoes) if op.undoes else None
        if self._complete(run, made, undone=undone):
            self._executed(run, made)

    def _lost_its_transaction(self, exc: Exception) -> bool:
        """The store failed, not the step: nothing of it was written, and whoever drives next performs it again."""
        return self.statements is not None and isinstance(exc, PersistenceError) and not isinstance(exc, StatementError)

    def _executed(self, run: Run, result: Any) -> None:
        if run.notices is not None:
            run.notices.step_executed(self.op.id, result, run.services.clock.monotonic_us() - self.begun_us, self.tried)
        self.op.completed(run, self.strand, self.frame, result)

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
            known = self.strand.scope.bytes_of(_error_name(work.activation))
            work.services.error = orjson.loads(known) if known is not None else None
        loop = loop_of(self.strand)
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

    def _complete(
        self, run: Run, result: Any, *, declared: bool = True, undone: bytes | None = None, note: str = ""
    ) -> bool:
        """Merge and record a result; False where it does not fit, which fails the step."""
        op, strand, work = self.op, self.strand, self.work
        try:
            if declared and self._needs_validation(result):
                result = validate(op.result_type, result, f"the result of {op.title}")
            writes = (
                step_writes(
                    run, strand.scope, work.view, result, op.merge, op.title, merges=op.merges, strict=op.strict
                )
                if work.view is not None or (op.merges and result is not None)
                else None
            )
            encoded = (
                b"null" if result is None else run.program.types.dynamic.encode(result, f"the result of {op.title}")
            )
            saga = self._saga(run) if op.compensator is not None else undone
        except Exception as exc:  # a result that does not fit fails the step; the body is not run again for it
            self._failed(run, exc, retries=False)
            return False
        self._record(run, encoded, saga, note)
        if writes:
            strand.scope.write_state(writes)
        return self._bind(run, result)

    def _needs_validation(self, result: object) -> bool:
        op = self.op
        if op.result_type is object or type(result) is op.plain_result:
            return False
        return result is None or result is not self.work.view

    def _record(self, run: Run, encoded: bytes, saga: bytes | None, note: str) -> None:
        strand, work = self.strand, self.work
        repeated = strand.attempt > 1
        record_step(run, strand, self.frame, self.op.id, encoded, saga=saga, note=note)
        if repeated:
            strand.scope.unbind(_error_name(work.activation))
        self.recorded = True
        if work.given is not None:
            strand.scope.unbind(f"@input/{work.activation}")
        if work.services is not None and work.services.published:
            run.out.outbox.extend(work.services.published)

    def _bind(self, run: Run, result: object) -> bool:
        """Bind the output; an error of that comes after the success of the step, never instead of it."""
        if self.op.output is None:
            return True
        try:
            self.op.output(run, self.strand, result)
        except Exception as exc:
            unwind(run, self.strand, fail(run, self.strand, self.frame, self.op.id, exc))
            return False
        return True

    def _saga(self, run: Run, *, attempted: bool = False) -> bytes:
        types = run.program.types
        arguments = {name: encode_argument(types, value, name) for name, value in self.work.arguments.items()}
        return saga_bytes(arguments, attempted=attempted)

    def _failed(self, run: Run, error: Exception, *, retries: bool) -> None:
        op, strand, work = self.op, self.strand, self.work
        record = run.record_of(error, strand, op.id, work.activation)
        if run.notices is not None:
            run.notices.step_failed(op.id, error, strand.attempt)
        unknown = strand.unknown or is_outcome_unknown(error)
        try:
            if retries and (self._retries(run, error, record, unknown) or self._falls_back(run, error, record)):
                return
        except Exception as exc:  # a step type gave up with an error of its own
            record = run.record_of(exc, strand, op.id, work.activation)
        compensator = op.compensator
        saga = (
            self._saga(run, attempted=True) if unknown and compensator is not None and compensator.attempted else None
        )
        run.log("error", op.id, work.activation, attempt=strand.attempt, error=record.encode(), saga=saga)
        strand.scope.unbind(_error_name(work.activation))
        _reset(strand)
        unwind(run, strand, Exit(ExitKind.FAIL, error=record))

    def _retries(self, run: Run, error: Exception, record: ErrorRecord, unknown: bool) -> bool:
        """Record a failed attempt that is to be repeated; False where there is no other."""
        op, strand, work = self.op, self.strand, self.work
        delay = op.repeats_after(run, work, error, record, strand.attempt)
        now = run.now_us()
        since = strand.since_us or now
        if delay is None or (op.deadline_us is not None and now + delay - since > op.deadline_us):
            return False
        run.log("retry", op.id, work.activation, attempt=strand.attempt, error=record.encode())
        strand.scope.bind(_error_name(work.activation), orjson.dumps(f"{record.kind}: {record.message}"))
        strand.wait = WaitState(
            WaitKind.RETRY,
            work.activation,
            op.id,
            now + delay,
            attempt=strand.attempt + 1,
            since_us=since,
            unknown=unknown,
        )
        return True

    def _falls_back(self, run: Run, error: Exception, record: ErrorRecord) -> bool:
        """Take what the step has in place of a failure; False where it has nothing."""
        taken = self.op.instead(self.work, error) if not record.uncatchable else None
        if taken is None:
            return False
        note = f"fallback: {record.kind}: {record.message}"
        if self._complete(run, taken[0], declared=False, note=note):
            self._executed(run, taken[0])
        return True

    def _cancelled(self, run: Run) -> None:
        """The body was cancelled: by the engine, from outside the drive, or by nobody but itself."""
        strand, op = self.strand, self.op
        task = asyncio.current_task()
        if not strand.interrupted:
            if task is None or task.cancelling():
                raise asyncio.CancelledError
            self._failed(run, BodyCancelledError(op.title), retries=True)
            return
        strand.interrupted = False
        if task is not None:
            task.uncancel()
        strand.stopped = True
        compensator = op.compensator
        saga = self._saga(run, attempted=True) if compensator is not None and compensator.attempted else None
        run.log("cancelled", op.id, self.work.activation, attempt=strand.attempt, saga=saga)

    # Directives

    def _directed(self, run: Run, directive: WorkflowDirective) -> None:
        op, strand, frame = self.op, self.strand, self.frame
        if _is_bare_branch(strand) and not isinstance(directive, SagaWorkflowException | WorkflowFailedException):
            reason = "the function of a PARALLEL task cannot steer the workflow"
            self._failed(run, JumpTargetError(op.title, type(directive).__name__, reason), retries=False)
            return
        match directive:
            case WorkflowJumpDirective():
                self._jump(run, directive)
            case WorkflowPauseDirective():
                if self._complete(run, directive.result, declared=False):
                    op.completed(run, strand, frame, directive.result)
                    if strand.ended is None and run.fatal is None:
                        wait_behind(run, strand)
            case StartSubWorkflowDirective():
                self._start_child(run, directive)
            case SagaWorkflowException() | WorkflowFailedException():
                record = run.record_of(directive, strand, op.id, self.work.activation)
                run.log("error", op.id, self.work.activation, attempt=strand.attempt, error=record.encode())
                rollback = isinstance(directive, SagaWorkflowException)
                unwind(run, strand, Exit(ExitKind.FAIL, error=record, rollback=rollback))
            case _:
                self._failed(run, TypeError(f"{type(directive).__name__} is no directive of Ruvon"), retries=False)

    def _jump(self, run: Run, directive: WorkflowJumpDirective) -> None:
        target = directive.target_step_name
        frames = self.strand.frames
        if not any(isinstance(frame, GraphFrame) and target in frame.graph.ops for frame in frames):
            self._failed(run, JumpTargetError(self.op.title, target, _why_not(run, target)), retries=False)
            return
        if self._complete(run, directive.result, declared=False):
            finish_node(run, self.frame, self.op, self.op.next)
            unwind(run, self.strand, Exit(ExitKind.GOTO, target=target, is_jump=True))

    def _start_child(self, run: Run, directive: StartSubWorkflowDirective) -> None:
        strand, work = self.strand, self.work
        try:
            wait = run.services.children.begin(
                run,
                work.activation,
                self.op.id,
                directive.workflow_type,
                directive.initial_data,
                data_region=directive.data_region,
            )
        except Exception as exc:
            self._failed(run, exc, retries=False)
            return
        writes = step_writes(run, strand.scope, work.view, None, Merge(), self.op.id, merges=False, strict=False)
        run.log("start", self.op.id, work.activation, note=directive.workflow_type)
        self.recorded = True
        strand.scope.write_state(writes)
        strand.wait = wait


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


def wait_behind(run: Run, strand: Strand) -> None:
    """Wait for an answer, which goes to the node that the strand has come to."""
    frame = strand.frames[-1]
    if not isinstance(frame, GraphFrame):
        return
    activation = frame.activation(frame.pc)
    revision = run.record.revision
    strand.wait = WaitState(WaitKind.INPUT, f"{activation}:input", frame.pc, asked=True, revision=revision)


def _error_name(activation: str) -> str:
    """The hidden variable that keeps why the last attempt of an activation failed."""
    return f"@error/{activation}"


def stands_at_effect(strand: Strand) -> bool:
    """Whether the next thing that the strand does is an effect."""
    frame = strand.frames[-1] if strand.frames and strand.ended is None else None
    op = frame.graph.ops.get(frame.pc) if isinstance(frame, GraphFrame) else None
    return op is not None and op.is_effect


def _reset(strand: Strand) -> None:
    strand.attempt = 1
    strand.since_us = 0
    strand.unknown = False
    strand.answered = False


def _is_bare_branch(strand: Strand) -> bool:
    frame = strand.frames[0]
    return strand.fork is not None and isinstance(frame, GraphFrame) and frame.graph.single is not None


def _why_not(run: Run, target: str) -> str:
    if target not in run.program.ops:
        return "there is no such step"
    return "it lies inside a LOOP, PARALLEL or TRY that the step is not in"


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
