"""What WASM and AI_INFERENCE share: evaluated fields, the class of the answer, and what is taken when they fail."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from ruvon.engine import Compiler, GraphFrame, Outcome, ProgramError, Run, Strand
from ruvon.engine._values import copy_value
from ruvon.ir._nodes import Call, Node
from ruvon.ir.expr import Const
from ruvon.ir.values import validate
from ruvon.providers import MissingExtraError
from ruvon.steps._attempt import Attempt, Work
from ruvon.steps._call import CallOp, configure

__all__ = ["ServiceOp", "constant"]


class ServiceOp(CallOp):
    """Asks something outside; the answer is a mapping that is validated as the class that the step wants."""

    __slots__ = ("config", "into")

    recorded: ClassVar[tuple[str, ...]] = ()
    """Fields that a compensation is given."""

    def __init__(self, node: Node, call: Call, compiler: Compiler) -> None:
        super().__init__(node, call, compiler)
        configure(self, node, call, compiler)
        self.into: Any = self.result_type if call.into is not None else dict[str, object]
        self.result_type = object  # validated in the attempt, so that a wrong answer is repeated and has its fallback
        self.config = compiler.exprs(call.config)

    @abstractmethod
    async def ask(self, run: Run, work: Work) -> Mapping[str, object]:
        """The answer."""

    def enter(self, run: Run, strand: Strand, frame: GraphFrame) -> Outcome:
        """Evaluate the fields."""
        outcome = super().enter(run, strand, frame)
        if isinstance(outcome, Attempt):
            env = run.env(strand)
            fields = {name: copy_value(value(env)) for name, value in self.config}
            outcome.work.fields = fields
            outcome.work.arguments = {name: fields.get(name) for name in self.recorded}
        return outcome

    def call(self, run: Run, work: Work) -> Any:
        """Ask, and validate the answer."""
        return self._answer(run, work)

    async def _answer(self, run: Run, work: Work) -> object:
        return validate(self.into, await self.ask(run, work), f"the result of {self.title}")

    def instead(self, work: Work, error: Exception) -> tuple[object] | None:
        """None where failures are skipped, the default where there is one; never for a package that is missing."""
        how, default = work.fields.get("fallback_on_error"), work.fields.get("default")
        if isinstance(error, MissingExtraError):
            return None
        if how == "skip":
            return (None,)
        return (default,) if how != "fail" and default is not None else None

    def refuse(self, compiler: Compiler, problem: str) -> ProgramError:
        """The error of a definition that cannot run."""
        return ProgramError(compiler.definition.workflow_type, [f"the step `{self.id}` {problem}"])


def constant(call: Call, name: str) -> object:
    """The value of a field that is written as a constant; None where it is not, or is not given."""
    found = call.config.get(name)
    return found.value if isinstance(found, Const) else None
