"""RESTART: go on under the same id with a new state, the newest definition and a fresh history."""

from typing import final

from ruvon.engine import Compiler, EffectOp, GraphFrame, Outcome, Run, Strand
from ruvon.engine._effects import Effect
from ruvon.ir._nodes import Call, Node

__all__ = ["RestartOp"]


@final
class RestartOp(EffectOp):
    """`workflow.restart(state)`: the field `state` of its config is the new initial data."""

    __slots__ = ("data",)

    def __init__(self, node: Node, call: Call, compiler: Compiler) -> None:
        super().__init__(node)
        found = call.config.get("state") or call.args.get("state") or next(iter(call.config.values()), None)
        self.data = compiler.maybe(found)

    def enter(self, run: Run, strand: Strand, frame: GraphFrame) -> Outcome:
        """Evaluate the new state."""
        return Restart(strand, self.data(run.env(strand)) if self.data is not None else {})


@final
class Restart(Effect):
    """Replaces the run by a new one of the same instance."""

    __slots__ = ("data",)

    def __init__(self, strand: Strand, data: object) -> None:
        super().__init__(strand)
        self.data = data

    async def perform(self, run: Run) -> None:
        """Ask the engine for the restart; the drive ends with it."""
        await run.services.children.restart(run, self.data)
