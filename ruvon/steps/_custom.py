"""CALL of a custom step type: a `WorkflowStep` subclass with fields of its own and an `execute`."""

from functools import partial
from typing import Any, cast, final

from ruvon.engine import Compiler, ErrorRecord, Function, GraphFrame, Outcome, Run, Strand
from ruvon.engine._values import copy_value
from ruvon.ir._nodes import Call, Node
from ruvon.ir.values import validate
from ruvon.models import StepContext, WorkflowStep
from ruvon.providers import duration_us
from ruvon.steps._attempt import Attempt, Work
from ruvon.steps._call import CallOp, configure

__all__ = ["CustomOp"]


@final
class CustomOp(CallOp):
    """Makes an instance of the step type from the evaluated fields, and executes it."""

    __slots__ = ("called", "cls", "config", "function_path", "rules_itself", "type_name")

    def __init__(self, node: Node, call: Call, compiler: Compiler, cls: type[WorkflowStep]) -> None:
        super().__init__(node, call, compiler)
        configure(self, node, call, compiler)
        self.cls = cls
        self.type_name = call.type
        self.config = compiler.exprs(call.config)
        self.function_path = call.function
        self.takes_state = True
        self.takes_context = True
        self.merges = True
        if not cls.is_retryable:
            self.retry = None
        self.called = compiler.function(call.function) if call.function is not None else None
        self.plain_state = self.called is not None and self.called.plain_state
        self.rules_itself = cls.retry_after is not WorkflowStep.retry_after

    def enter(self, run: Run, strand: Strand, frame: GraphFrame) -> Outcome:
        """Evaluate the fields as well as the arguments."""
        outcome = super().enter(run, strand, frame)
        if isinstance(outcome, Attempt):
            env = run.env(strand)
            fields = {name: copy_value(value(env)) for name, value in self.config}
            outcome.work.arguments = {**outcome.work.arguments, "#fields": fields}
        return outcome

    def call(self, run: Run, work: Work) -> Any:
        """Execute the step type."""
        fields = cast("dict[str, Any]", work.arguments.pop("#fields"))
        own = {"name": self.id, "type": self.type_name}
        step = cast(
            "WorkflowStep", validate(self.cls, {**own, **self._function(), **fields, **work.arguments}, self.id)
        )
        work.step = step
        if self.called is not None:
            step._called = partial(self._call_function, run, self.called)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        return step.execute(work.view, cast("Any", work.context))

    def _call_function(self, run: Run, function: Function, state: Any, context: StepContext) -> Any:
        """Call the function that the step names, as a plain step would."""
        arguments: dict[str, Any] = {}
        if function.takes_state:
            arguments["state"] = state
        if function.takes_context:
            arguments["context"] = context
        if function.is_blocking or (run.services.threads_bodies and not function.is_async):
            return run.services.execution.call_blocking(
                lambda: function.returned(function.call(**arguments), self.title)
            )
        return function.returned(function.call(**arguments), self.title)

    def repeats_after(self, run: Run, work: Work, error: Exception, record: ErrorRecord, attempt: int) -> int | None:
        """What the type's own rule says, where it has one."""
        if not self.rules_itself or work.step is None or work.context is None or record.uncatchable:
            return super().repeats_after(run, work, error, record, attempt)
        delay = work.step.retry_after(error, work.context)
        return duration_us(delay) if delay is not None else None

    def _function(self) -> dict[str, Any]:
        return {"function": self.function_path} if self.function_path is not None else {}
