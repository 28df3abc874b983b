"""CALL: run a function, or an entry of the registry of step types."""

from collections.abc import Mapping
from typing import Any, cast, final

from ruvon.engine import (
    ENTERED,
    WAITS,
    Arrival,
    Compiler,
    Function,
    Given,
    GraphFrame,
    InputSpec,
    Outcome,
    Run,
    Strand,
    WaitKind,
    WaitState,
    fields_of,
    saga_bytes,
)
from ruvon.engine._arguments import copy_argument, encode_argument
from ruvon.engine._effects import Message
from ruvon.ir._nodes import Call, Node
from ruvon.ir.expr import Compiled, Name
from ruvon.steps._attempt import Attempt, BodyOp, Work
from ruvon.steps._queued import Needs, dispatch, key_expr, take_report

__all__ = ["CallOp", "FunctionOp", "PassOp", "arguments_of", "configure"]

_STATE = Name("state")
_NOTHING = Needs(())


def configure(op: "CallOp", node: Node, call: Call, compiler: Compiler) -> None:
    """Take over the options that every CALL has."""
    op.retry = call.retry
    op.timeout_us = call.timeout_us
    op.deadline_us = call.deadline_us
    op.shares_commit = call.transaction
    op.queue = call.queue
    op.queue_timeout_us = call.queue_timeout_us
    op.merge = call.merge
    op.output = compiler.target(call.output)
    op.compensator = compiler.compensator(call.compensation)
    op.strict = compiler.definition.strict_results
    if call.into is not None:
        op.result_type = compiler.annotation(call.into)
    if call.input_model is not None or call.required_input:
        model = compiler.annotation(call.input_model) if call.input_model is not None else None
        op.input = InputSpec(model, call.required_input)


def arguments_of(run: Run, strand: Strand, args: tuple[tuple[str, Compiled], ...]) -> dict[str, Any]:
    """The values of a call's arguments, each a copy of its own."""
    env, types = run.env(strand), run.program.types
    return {name: copy_argument(types, value(env)) for name, value in args}


class CallOp(BodyOp):
    """What all CALLs share: input, waiting for it, and coming back from a retry or a child."""

    __slots__ = ("args", "key", "needs", "queue", "queue_timeout_us", "takes_input")

    def __init__(self, node: Node, call: Call, compiler: Compiler) -> None:
        super().__init__(node)
        self.queue: str | None = None
        self.queue_timeout_us: int | None = None
        self.needs = Needs([*call.args.values(), *call.config.values()]) if call.queue is not None else _NOTHING
        self.args = compiler.exprs({n: e for n, e in call.args.items() if not (n == "state" and e == _STATE)})
        key = key_expr(call)
        self.key: Compiled | None = compiler.exprs({"key": key})[0][1] if key is not None else None
        self.takes_input = False

    @property
    def patience_us(self) -> int | None:
        """`queue_timeout`, else `deadline`."""
        return self.queue_timeout_us if self.queue_timeout_us is not None else self.deadline_us

    def enter(self, run: Run, strand: Strand, frame: GraphFrame) -> Outcome:
        """Evaluate the arguments and run the body, once the input is there."""
        given = strand.input
        if given is not None or self.input is not None:
            given = self._input(run, strand, frame, given)
            if self.input is not None and given is None:
                activation = frame.activation(self.id)
                strand.wait = WaitState(WaitKind.INPUT, activation, self.id, revision=run.record.revision)
                return WAITS
        if self.queue is not None and not run.detached and run.services.execution.runs_queued(self.queue):
            return dispatch(self, run, strand, frame)
        attempt = self.attempt(run, strand, frame, arguments_of(run, strand, self.args) if self.args else {})
        if given is not None:
            self.give(cast("Attempt", attempt).work, given)
        return attempt

    def unknown_outcome(self, run: Run, strand: Strand) -> bytes | None:
        """The arguments, where the step is undone also when its outcome is unknown."""
        if self.compensator is None or not self.compensator.attempted:
            return None
        types = run.program.types
        values = arguments_of(run, strand, self.args)
        arguments = {name: encode_argument(types, value, name) for name, value in values.items()}
        return saga_bytes(arguments, attempted=True)

    def _input(self, run: Run, strand: Strand, frame: GraphFrame, given: object) -> object:
        name = f"@input/{frame.activation(self.id)}"
        strand.input = None
        if given is not None:
            if self.input is not None and not strand.answered:
                given = self.input.check(self.id, given)
            strand.scope.bind(name, run.program.types.dynamic.encode(given, "input"))
            return given
        stored = strand.scope.bytes_of(name)
        return run.program.types.dynamic.decode(stored) if stored is not None else None

    def give(self, work: Work, given: object) -> None:
        """Hand the input to the body."""
        work.given = given

    def arrive(self, run: Run, strand: Strand, frame: GraphFrame, arrival: Arrival) -> Outcome:
        """Input came, a worker has done the work, or the child that a directive started has ended."""
        if strand.wait is not None and strand.wait.kind is WaitKind.TASK:
            return take_report(self, run, strand, frame, arrival)
        if isinstance(arrival, Given):
            strand.wait = None
            strand.input = arrival.value
            strand.answered = True
            if run.notices is not None:
                run.notices.resumed(self.id, arrival.value)
            return ENTERED
        if isinstance(arrival, Message):
            return run.services.children.finish_directive(run, strand, frame, self, arrival)
        return WAITS


@final
class FunctionOp(CallOp):
    """CALL of a function: STANDARD, or ASYNC where a queue is set."""

    __slots__ = ("function", "is_async", "is_blocking", "names", "target", "wants_rest")

    def __init__(self, node: Node, call: Call, compiler: Compiler, path: str) -> None:
        super().__init__(node, call, compiler)
        function = compiler.function(path)
        self.function: Function = function
        self.target = function.call
        self.undoes = compiler.undone_by(path)
        self.uses(function)
        configure(self, node, call, compiler)
        if function.strict is not None:
            self.strict = function.strict
        self.merges = function.takes_state or call.args.get("state") == _STATE
        self.names = frozenset(function.names)
        self.wants_rest = function.takes_rest
        self.is_async = function.is_async
        self.is_blocking = function.is_blocking
        self.takes_input = function.accepts_input

    def call(self, run: Run, work: Work) -> Any:
        """Call the function."""
        arguments = work.arguments
        if self.takes_state:
            arguments = {"state": work.view, **arguments} if arguments else {"state": work.view}
        if self.takes_context:
            arguments = {**arguments, "context": work.context}  # never into `work.arguments`: those are recorded
        if work.given is not None:
            arguments = {**self._fitting(work.given, work.arguments), **arguments}
        if self.is_blocking or (work.threaded and not self.is_async):
            return run.services.execution.call_blocking(lambda: self._plain(self.target(**arguments)))
        made = self.target(**arguments)
        return made if self.is_async else self._plain(made)

    def _plain(self, made: Any) -> Any:
        return self.function.returned(made, self.title)

    def _fitting(self, given: object, taken: Mapping[str, Any]) -> dict[str, Any]:
        """The parts of the input that the function has parameters for."""
        items = fields_of(given)
        return {
            name: value
            for name, value in items.items()
            if (name in self.names or self.wants_rest) and name not in taken
        }


@final
class PassOp(CallOp):
    """A step without a function: its input, if any, merges into the state."""

    __slots__ = ()

    def __init__(self, node: Node, call: Call, compiler: Compiler) -> None:
        super().__init__(node, call, compiler)
        configure(self, node, call, compiler)
        self.merges = True
        self.strict = False

    def call(self, run: Run, work: Work) -> Any:
        """Nothing to run: the input is the result."""
        return fields_of(work.given) if work.given is not None else None
