"""LOOP: turns over a frozen list, or while a condition holds."""

from typing import Any, cast, final

from ruvon.engine import (
    ENTERED,
    Chunks,
    Compiler,
    GraphFrame,
    LoopFrame,
    LoopOp,
    Outcome,
    Run,
    Strand,
    bind_variable,
    fail,
    finish_node,
    forget_frame,
    unwind,
)
from ruvon.engine._values import copy_value
from ruvon.ir._nodes import Loop, Node
from ruvon.models import LoopLimitError

__all__ = ["LoopStep", "freeze_items", "frozen_items"]


def freeze_items(run: Run, strand: Strand, name: str, over: Any) -> "list[object] | range":
    """Store the items of a loop under a hidden name, encoded once; a range as its three numbers."""
    items = over if isinstance(over, range) else list(over)
    tree: object = {"range": [items.start, items.stop, items.step]} if isinstance(items, range) else items
    strand.scope.bind(name, run.program.types.dynamic.encode(tree, "the items"))
    return items


def frozen_items(run: Run, strand: Strand, name: str) -> "list[object] | range":
    """The items that were frozen."""
    data = strand.scope.bytes_of(name)
    found = cast("Any", run.program.types.dynamic.decode(data) if data is not None else [])
    if isinstance(found, dict):
        start, stop, step = cast("dict[str, list[int]]", found)["range"]
        return range(start, stop, step)
    return cast("list[object]", found)


@final
class LoopStep(LoopOp):
    """LOOP of both kinds."""

    __slots__ = ("_collects", "condition", "index", "item", "limit", "on_break", "output", "over")

    def __init__(self, node: Node, action: Loop, compiler: Compiler) -> None:
        super().__init__(node)
        self.over = compiler.maybe(action.over)
        self.item = compiler.target(action.item)
        self.index = action.index
        self.condition = compiler.maybe(action.condition)
        self.limit = action.max_iterations
        self.on_break = action.on_break if action.on_break is not None else self.next
        self._collects = action.collect
        self.output = compiler.target(action.output)
        self.body = compiler.graph(action.body)

    @property
    def collects(self) -> bool:
        """Whether the turns' results are collected."""
        return self._collects

    def enter(self, run: Run, strand: Strand, frame: GraphFrame) -> Outcome:
        """Freeze the items and begin the first turn."""
        base = frame.activation(self.id)
        loop = LoopFrame(self, base)
        if self.over is not None:
            over = self.over(run.env(strand))
            loop.items = freeze_items(run, strand, f"@items/{base}", over)
        if self._collects:
            strand.scope.bind(f"@collect/{base}", b"[]")
        strand.frames.append(loop)
        self._begin(run, strand, loop, 0)
        return ENTERED

    def turn(self, run: Run, strand: Strand, frame: LoopFrame) -> None:
        """The next turn, or the end."""
        self._begin(run, strand, frame, frame.index + 1)

    def _begin(self, run: Run, strand: Strand, frame: LoopFrame, index: int) -> None:
        if not run.commit_each and frame is run.outermost_loop() and (index or run.pending):
            run.turn_ended = True  # or, at the first turn, what came before the loop
        try:
            more = self._prepare(run, strand, frame, index)
        except Exception as exc:  # the condition's, or the target's, own error: raised at the loop, around it
            forget_frame(run, strand, strand.frames.pop())
            around = cast("GraphFrame", strand.frames[-1])
            unwind(run, strand, fail(run, strand, around, self.id, exc))
            return
        if not more:
            self.leave(run, strand, frame, broken=False)

    def _prepare(self, run: Run, strand: Strand, frame: LoopFrame, index: int) -> bool:
        """Put the frame at the beginning of a turn; False when there is none."""
        item: object = None
        if self.over is not None:
            if frame.items is None:
                frame.items = frozen_items(run, strand, f"@items/{frame.base}")
            if index >= len(frame.items):
                return False
            item = frame.items[index]
        elif self.condition is not None and not self.condition(run.env(strand)):
            return False
        if self.limit is not None and index >= self.limit:
            raise LoopLimitError(self.id, self.limit)
        run.previous.pop(frame.previous, None)
        frame.turn(index)
        if self.item is not None:
            self.item(run, strand, copy_value(item))
        if self.index is not None:
            bind_variable(run, strand, self.index, index)
        return True

    def leave(self, run: Run, strand: Strand, frame: LoopFrame, *, broken: bool) -> None:
        """Pop the frame, bind the collected results, and go on behind the loop."""
        collected = strand.scope.bytes_of(f"@collect/{frame.base}") if self._collects else None
        forget_frame(run, strand, strand.frames.pop())
        around = cast("GraphFrame", strand.frames[-1])
        if collected is not None and self.output is not None:
            try:
                self.output(run, strand, run.program.types.dynamic.decode(collected))
            except Exception as exc:
                unwind(run, strand, fail(run, strand, around, self.id, exc))
                return
        finish_node(run, around, self, self.on_break if broken else self.next)

    def collect(self, run: Run, strand: Strand, frame: LoopFrame, value: bytes) -> None:
        """Append the result of a turn."""
        name = f"@collect/{frame.base}"
        if isinstance(strand.scope.variables.get(name), Chunks | bytes):
            strand.scope.append(name, [value])
