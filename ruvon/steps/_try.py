"""TRY: a body with handlers, `finally`, or the scope of a saga. What happens on the way out is the machine's."""

from typing import final

from ruvon.engine import (
    ENTERED,
    Compiler,
    GraphFrame,
    Outcome,
    Run,
    Strand,
    TryFrame,
    TryHandler,
    TryOp,
    path_of_try,
)
from ruvon.ir._nodes import Node, Try

__all__ = ["TryStep"]


@final
class TryStep(TryOp):
    """TRY."""

    __slots__ = ()

    def __init__(self, node: Node, action: Try, compiler: Compiler) -> None:
        super().__init__(node)
        self.body = compiler.graph(action.body)
        self.handlers = tuple(
            TryHandler(handler.classes, handler.name, compiler.graph(handler.graph)) for handler in action.handlers
        )
        self.final = compiler.graph(action.final) if action.final is not None else None
        self.saga = action.saga

    def enter(self, run: Run, strand: Strand, frame: GraphFrame) -> Outcome:
        """Begin the body."""
        strand.frames.append(TryFrame(self, path_of_try(frame, self), run.last_seq))
        return ENTERED
