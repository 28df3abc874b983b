"""START: another workflow, awaited or not."""

from typing import final

from ruvon.engine import (
    WAITS,
    Arrival,
    Compiler,
    EffectOp,
    GraphFrame,
    Outcome,
    Run,
    Strand,
    fail,
    merge_result,
    next_attempt_us,
    record_step,
    saga_bytes,
)
from ruvon.engine._effects import Message
from ruvon.engine._frames import Exit, ExitKind, WaitKind, WaitState
from ruvon.engine._values import validate
from ruvon.ir._nodes import Merge, Node, Start, StartMode
from ruvon.models import TimedOut

__all__ = ["StartOp"]


@final
class StartOp(EffectOp):
    """START of an awaited or a detached child."""

    __slots__ = (
        "action",
        "compensator",
        "data",
        "data_region",
        "key",
        "merges",
        "output",
        "result_type",
        "strict",
    )

    def __init__(self, node: Node, action: Start, compiler: Compiler) -> None:
        super().__init__(node)
        self.action = action
        self.compensator = None
        self.data = compiler.maybe(action.data)
        self.key = compiler.maybe(action.key)
        self.data_region = compiler.maybe(action.data_region)
        self.output = compiler.target(action.output)
        self.result_type = compiler.annotation(action.result) if action.result is not None else object
        self.strict = compiler.definition.strict_results
        self.merges = action.merge != Merge()

    def enter(self, run: Run, strand: Strand, frame: GraphFrame) -> Outcome:
        """Create the child in the transition under way; wait for it, or go on."""
        env = run.env(strand)
        action = self.action
        activation = frame.activation(self.id)
        key = self.key(env) if self.key is not None else None
        wait = run.services.children.begin(
            run,
            activation if strand.attempt == 1 else f"{activation}~{strand.attempt}",
            self.id,
            action.child,
            self.data(env) if self.data is not None else {},
            version=action.version,
            data_region=self.data_region(env) if self.data_region is not None else None,
            awaited=action.mode is StartMode.AWAIT,
            key=str(key) if key is not None else None,
        )
        if action.mode is StartMode.AWAIT:
            wait.activation = activation
            wait.due_us = run.now_us() + action.timeout_us if action.timeout_us is not None else None
            wait.attempt = strand.attempt
            strand.wait = wait
            run.log("start", self.id, activation, note=action.child)
            return WAITS
        return self._complete(run, strand, frame, wait.key, None)

    def arrive(self, run: Run, strand: Strand, frame: GraphFrame, arrival: Arrival) -> Outcome:
        """The child has ended, or it took too long."""
        wait = strand.wait
        strand.wait = None
        if not isinstance(arrival, Message):
            if wait is not None and wait.key is not None:
                run.services.children.cancel(run, wait.key, f"`{self.id}` took too long")
            return fail(run, strand, frame, self.id, TimedOut(self.title))
        ended = run.services.children.outcome(run, self.id, self.action.child, arrival)
        if isinstance(ended, Exit):
            return self._child_failed(run, strand, frame, ended)
        value = validate(self.result_type, ended.value, f"the result of {self.title}") if self.output else ended.value
        return self._complete(run, strand, frame, value, arrival.name)

    def _child_failed(self, run: Run, strand: Strand, frame: GraphFrame, leaving: Exit) -> Outcome:
        error = leaving.error
        activation = frame.activation(self.id)
        if error is None or leaving.kind is not ExitKind.FAIL:
            return leaving
        delay = next_attempt_us(self.action.retry, error, strand.attempt, run.services.ids)
        if delay is not None:
            run.log("retry", self.id, activation, attempt=strand.attempt, error=error.encode())
            strand.wait = WaitState(
                WaitKind.RETRY, activation, self.id, run.now_us() + delay, attempt=strand.attempt + 1
            )
            return WAITS
        run.log("error", self.id, activation, attempt=strand.attempt, error=error.encode())
        return leaving

    def _complete(self, run: Run, strand: Strand, frame: GraphFrame, value: object, child: str | None) -> Outcome:
        encoded = run.program.types.dynamic.encode(value, f"the result of {self.title}")
        saga = saga_bytes({}, child=child) if child else None
        record_step(run, strand, frame, self.id, encoded, saga=saga)
        if child:
            run.services.children.keep_result(run, strand, self.action.child, encoded)
        if self.output is not None:
            self.output(run, strand, value)
        elif self.merges and child and value is not None:
            strand.scope.write_state(merge_result(run, strand.scope, value, self.action.merge, self.id, strict=False))
        return self.next
