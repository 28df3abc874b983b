"""A definition made runnable: operations instead of nodes, closures instead of expressions, functions instead of paths.

A `Program` is made once per digest and shared by all instances of the definition. What each action does when it is
reached is written in `ruvon.steps`, one module per action, as subclasses of the operations declared here. The engine
knows the operations' shape (which graphs they hold, what ends them), never their meaning.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias, final

from ruvon.engine._inputs import InputSpec, merge_input
from ruvon.engine._titles import title_of
from ruvon.engine._values import Types
from ruvon.ir._nodes import END, RESERVED_TARGETS, Decision, Definition, Graph, Loop, Node, Start, Target, Try, Wait

if TYPE_CHECKING:
    from ruvon.engine._effects import Arrival, Effect
    from ruvon.engine._frames import Exit, ForkFrame, GraphFrame, LoopFrame, Strand
    from ruvon.engine._run import Run
    from ruvon.engine._targets import TargetWriter

__all__ = [
    "EffectOp",
    "ForkBranch",
    "ForkOp",
    "GraphProgram",
    "LoopOp",
    "Op",
    "Outcome",
    "Program",
    "Still",
    "TryHandler",
    "TryOp",
    "edges_of",
]


@final
class Still:
    """Outcomes without data."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


WAITS: Final = Still("WAITS")
"""The strand waits; `strand.wait` says for what."""
ENTERED: Final = Still("ENTERED")
"""The operation pushed a frame, or moved the strand by itself."""

Outcome: TypeAlias = "Target | Effect | Exit | Still"
"""What an operation answers when it is reached: go on at a target, perform an effect, leave, or stand still."""


class Op(ABC):
    """One node, compiled."""

    __slots__ = ("automate", "back", "id", "input", "next", "node", "route_id", "title")

    is_effect = False
    """Whether the operation reaches outside: CALL, WAIT, START."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.id = node.id
        self.title = title_of(node)
        """What the node is called in errors that a body can see."""
        self.route_id = f"{node.id}.route"
        self.next: Target = node.next if node.next is not None else END
        self.automate = node.automate_next
        self.back: frozenset[Target] = frozenset()
        """Targets that lie before this node in its graph, so that going there begins a new visit."""
        self.input: InputSpec | None = None
        """What input the node waits for, if any."""

    @abstractmethod
    def enter(self, run: "Run", strand: "Strand", frame: "GraphFrame") -> Outcome:
        """What happens when the strand reaches the node; an error raised here is the node's own."""

    def arrive(self, run: "Run", strand: "Strand", frame: "GraphFrame", arrival: "Arrival") -> Outcome:
        """What happens when that arrives for which the strand waits here; by default input merges into the state."""
        merge_input(run, strand, arrival)
        strand.wait = None
        return ENTERED

    def unknown_outcome(self, run: "Run", strand: "Strand") -> bytes | None:
        """What is kept for a compensation when the node is left and a lost process may have performed its effect."""
        del run, strand
        return None

    def graphs(self) -> "Iterator[GraphProgram]":
        """The graphs that the operation holds."""
        return iter(())


class EffectOp(Op):
    """CALL, WAIT or START."""

    __slots__ = ()
    is_effect = True

    @property
    def patience_us(self) -> int | None:
        """How long a task of it may wait for a worker, where that is limited."""
        return None


class LoopOp(Op):
    """LOOP."""

    __slots__ = ("body",)
    body: "GraphProgram"

    @abstractmethod
    def turn(self, run: "Run", strand: "Strand", frame: "LoopFrame") -> None:
        """End the turn: begin the next one, or leave the loop because it is exhausted."""

    @abstractmethod
    def leave(self, run: "Run", strand: "Strand", frame: "LoopFrame", *, broken: bool) -> None:
        """Pop the frame and go on behind the loop."""

    def collect(self, run: "Run", strand: "Strand", frame: "LoopFrame", value: bytes) -> None:
        """Keep the result of a turn of a collecting loop."""
        raise TypeError(f"the loop `{self.id}` collects nothing")

    @property
    def collects(self) -> bool:
        """Whether a RETURN inside ends the turn with a value."""
        return False

    def graphs(self) -> "Iterator[GraphProgram]":
        """The body."""
        yield self.body


@final
@dataclass(frozen=True, slots=True)
class TryHandler:
    """A handler, compiled."""

    classes: tuple[str, ...]
    name: str | None
    graph: "GraphProgram"


class TryOp(Op):
    """TRY."""

    __slots__ = ("body", "final", "handlers", "saga")
    body: "GraphProgram"
    handlers: tuple[TryHandler, ...]
    final: "GraphProgram | None"
    saga: bool

    def part(self, number: int) -> "GraphProgram":
        """The graph of a part: the body (-1), `finally` (-2), or a handler."""
        if number == -1:
            return self.body
        if number >= 0:
            return self.handlers[number].graph
        if self.final is None:
            raise TypeError(f"`{self.id}` has no `finally`")
        return self.final

    def graphs(self) -> "Iterator[GraphProgram]":
        """Body, handlers, `finally`."""
        yield self.body
        for handler in self.handlers:
            yield handler.graph
        if self.final is not None:
            yield self.final


@final
@dataclass(frozen=True, slots=True)
class ForkBranch:
    """A static branch, compiled."""

    label: str
    graph: "GraphProgram"
    after: tuple[int, ...]
    """Indices of the branches that must end first."""
    output: "TargetWriter | None"
    """Binds the branch's result outside."""
    won: bool


class ForkOp(Op):
    """PARALLEL."""

    __slots__ = ("body", "branches")
    branches: tuple[ForkBranch, ...]
    body: "GraphProgram | None"

    @abstractmethod
    def begin(self, run: "Run", owner: "Strand", fork: "ForkFrame") -> None:
        """Start the branches that may run; also after a reload."""

    @abstractmethod
    def first_to_start(self, fork: "ForkFrame") -> int | None:
        """The first branch that `begin` would start of a PARALLEL as it was loaded; None where it would start none."""

    @abstractmethod
    def branch_scope(self, run: "Run", owner: "Strand", fork: "ForkFrame", index: int) -> "Strand":
        """A strand at the beginning of a branch, in its own scope."""

    @abstractmethod
    def ended(self, run: "Run", owner: "Strand", fork: "ForkFrame", strand: "Strand") -> None:
        """A branch has ended: keep its result, start others, or join."""

    def absorbs(self, fork: "ForkFrame") -> bool:
        """Whether the failure of a branch is kept as a result instead of being raised."""
        return False

    @abstractmethod
    def expired(self, run: "Run", owner: "Strand", fork: "ForkFrame") -> None:
        """The timeout has passed."""

    def label(self, index: int) -> str:
        """The label of a branch: its name, or its index where the branches are mapped."""
        return self.branches[index].label if self.branches else str(index)

    def graph_of(self, index: int) -> "GraphProgram":
        """The graph of a branch."""
        if self.branches:
            return self.branches[index].graph
        if self.body is None:
            raise TypeError(f"`{self.id}` has no branches")
        return self.body

    def graphs(self) -> "Iterator[GraphProgram]":
        """The branches' graphs, or the body."""
        if self.body is not None:
            yield self.body
        for branch in self.branches:
            yield branch.graph


@final
class GraphProgram:
    """A graph, compiled."""

    __slots__ = ("entry", "ops", "single")

    def __init__(self, graph: Graph, ops: Mapping[str, Op]) -> None:
        self.entry = graph.entry
        self.ops: dict[str, Op] = dict(ops)
        only = next(iter(self.ops.values())) if len(self.ops) == 1 else None
        self.single = only if only is not None and only.is_effect and only.next == END else None
        """The one effect that the graph consists of; its result is the graph's."""
        for node_id, targets in _back_edges(graph).items():
            self.ops[node_id].back = frozenset(targets)


def edges_of(node: Node) -> tuple[Target, ...]:
    """Where control can go from a node within its own graph, in a fixed order."""
    match node.action:
        case Decision(routes=routes, default=default):
            found = (*(route.target for route in routes), default)
        case Loop(on_break=on_break) if on_break is not None:
            found = (node.next or END, on_break)
        case _:
            found = (node.next,) if node.next is not None else ()
    return tuple(target for target in found if target not in RESERVED_TARGETS)


def _back_edges(graph: Graph) -> dict[str, set[Target]]:
    """Edges to nodes that stand no later in depth-first order; every cycle has one, so a visit number tells turns apart."""
    order: dict[str, int] = {}
    pending = [graph.entry]
    while pending:
        node_id = pending.pop()
        if node_id in order or node_id not in graph.nodes:
            continue
        order[node_id] = len(order)
        pending.extend(reversed(_all_edges(graph, node_id)))
    for node_id in sorted(graph.nodes):
        order.setdefault(node_id, len(order))
    found: dict[str, set[Target]] = {}
    for node_id in graph.nodes:
        back = {to for to in _all_edges(graph, node_id) if to in order and order[to] <= order[node_id]}
        if back:
            found[node_id] = back
    return found


def _all_edges(graph: Graph, node_id: str) -> list[Target]:
    """The edges of a node and those out of the TRYs inside it that lead to this graph."""
    node = graph.nodes[node_id]
    found = list(edges_of(node))
    pending = list(_inner_graphs(node))
    while pending:
        inner = pending.pop()
        found += [inner.entry] if inner.entry in graph.nodes else []
        for item in inner.nodes.values():
            found += [target for target in edges_of(item) if target in graph.nodes]
            pending.extend(_inner_graphs(item))
    return found


def _inner_graphs(node: Node) -> Iterator[Graph]:

    if isinstance(node.action, Try):
        yield node.action.body
        for handler in node.action.handlers:
            yield handler.graph
        if node.action.final is not None:
            yield node.action.final


@final
class Program:
    """A definition that can run in this process; immutable after it is made."""

    __slots__ = ("body", "definition", "digest", "ops", "receives", "shares_commits", "starts", "types")

    def __init__(self, definition: Definition, digest: bytes, types: Types, body: GraphProgram) -> None:
        self.definition = definition
        self.digest = digest
        self.types = types
        self.body = body
        self.ops: dict[str, Op] = {}
        self._index(body)
        self.receives = any(isinstance(op.node.action, Wait) for op in self.ops.values())
        """It waits for messages."""
        self.starts = any(isinstance(op.node.action, Start) for op in self.ops.values())
        """It starts other workflows."""
        self.shares_commits = any(getattr(op.node.action, "transaction", False) for op in self.ops.values())
        """SQL of one of its steps runs in the transaction that commits the step."""

    def _index(self, graph: GraphProgram) -> None:
        for op in graph.ops.values():
            self.ops[op.id] = op
            for inner in op.graphs():
                self._index(inner)
