"""CALL of a custom step type: a `WorkflowStep` subclass with fields of its own and an `execute`."""

from typing import Any, cast, final

from ruvon.engine import Compiler, GraphFrame, Outcome, Run, Strand
from ruvon.engine._values import copy_value
from ruvon.ir._nodes import Call, Node
from ruvon.ir.values import validate
from ruvon.models import WorkflowStep
from ruvon.steps._attempt import Attempt, Work
from ruvon.steps._call import CallOp, configure

__all__ = ["CustomOp"]


@final
class CustomOp(CallOp):
    """Makes an instance of the step type from the evaluated fields, and executes it."""

    __slots__ = ("cls", "config", "function_path", "type_name")

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
        return step.execute(work.view, cast("Any", work.context))

    def _function(self) -> dict[str, Any]:
        return {"function": self.function_path} if self.function_path is not None else {}
