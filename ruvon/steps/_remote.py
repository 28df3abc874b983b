"""Running the body of a queued step in a worker, which holds no instance.

What a body may see of its run (state, arguments, context, the frames around it) is made of the order that the task
carries. The body then runs through the same code as at a holder, up to its verdict; recording that is the holder's.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast, final

import orjson

from ruvon.engine import BodyFrame, Engine, Exit, Program, Run
from ruvon.models import WorkflowStatus
from ruvon.providers import InstanceRecord, TaskRecord
from ruvon.steps._attempt import Around, Attempt
from ruvon.steps._call import CallOp
from ruvon.steps._verdicts import Done, Stopped
from ruvon.steps._wire import Order, Report, Unfit

__all__ = ["RemoteStep"]


@final
class RemoteStep:
    """One attempt of a step, made of a task.

    Args:
        engine: whose services the body gets.
        task: a claimed task of the kind `step`.
        order: what it carries.
        program: the program of the order's digest.
        threaded: run bodies that are not async in threads.
    """

    def __init__(self, engine: Engine, task: TaskRecord, order: Order, program: Program, *, threaded: bool) -> None:
        self.order = order
        self._engine = engine
        self._threaded = threaded
        self._types = program.types
        self._run = run = Run(engine, _record(task, order), program, detached=True)
        run.epoch = order.epoch
        self._frame = frame = BodyFrame(program.body, order.path)
        frame.pc, frame.visit = order.node, order.visit
        strand = run.root
        strand.frames[0] = frame
        strand.attempt, strand.since_us, strand.unknown = task.attempt, order.since_us, order.unknown
        order.fill(strand.scope)
        if order.previous is not None:
            frame.previous = 1
            run.previous[1] = order.previous
        told = task.progress or order.progress
        if told is not None:
            run.progress[task.activation] = cast("dict[str, Any]", orjson.loads(told))
        self.is_done = False
        """The body has ended well: no further attempt will have this task's id."""
        self._activation = task.activation
        self._op = program.ops[order.node]
        given = order.variables.get(f"@input/{frame.activation(order.node)}")
        if given is not None:
            strand.input, strand.answered = program.types.dynamic.decode(given), True

    @property
    def progress(self) -> Mapping[str, Any] | None:
        """What the body, or an attempt before it, told last with `heartbeat`."""
        return self._run.progress.get(self._activation)

    def stop(self, cancel: Callable[[], object]) -> None:
        """Cancel the body: nobody waits for it any more."""
        strand = self._run.root
        if strand.in_body and not strand.interrupted:
            strand.interrupted = True
            cancel()

    def payload_of(self, report: Report) -> bytes:
        """A report of this attempt as the store carries it."""
        return report.encode(self._types)

    async def perform(self) -> Report | None:
        """Run the body; what is to be reported, or None where it was stopped."""
        run, strand = self._run, self._run.root
        op = cast("CallOp", self._op)
        try:
            outcome = op.enter(run, strand, self._frame)
        except Exception as exc:  # as at a holder: what an expression raises is the node's error
            record = run.record_of(exc, strand, op.id, self._activation)
            return Report(Unfit(record))
        if isinstance(outcome, Exit) and outcome.error is not None:
            return Report(Unfit(outcome.error))
        attempt = cast("Attempt", outcome)
        attempt.work.threaded = self._threaded
        attempt.work.around = Around(self._loop(), self.order.is_bare)
        begun = self._engine.clock.monotonic_us()
        verdict = await attempt.judged(run)
        duration = self._engine.clock.monotonic_us() - begun
        self.is_done = isinstance(verdict, Done)
        services = attempt.work.services
        if services is not None and services.lines:
            await run.services.write_lines(run.record.workflow_id, op.id, services.lines)
        if isinstance(verdict, Stopped):
            return None
        told = self.progress
        return Report(
            verdict,
            services.published if services is not None else (),
            duration,
            orjson.dumps(told, default=str) if told else None,
        )

    def let_go(self) -> None:
        """Cut what refers to itself, so that nothing of the attempt waits for the garbage collector."""
        self._run.let_go()

    def _loop(self) -> tuple[int, object] | None:
        loop = self.order.loop
        return (loop[0], self._types.dynamic.decode(loop[1])) if loop is not None else None


def _record(task: TaskRecord, order: Order) -> InstanceRecord:
    return InstanceRecord(
        task.workflow_id,
        order.workflow_type,
        "",
        order.digest,
        WorkflowStatus.ACTIVE.value,
        b"",
        b"",
        scheduled_for_us=order.scheduled_for_us,
    )
