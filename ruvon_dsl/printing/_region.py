"""Edges and regions of one graph: what the structuring pass asks before it nests anything.

An edge here is an edge of a node itself or one that leaves a TRY nested in it, because both decide where the node may
stand. A region is the set of nodes between an entry and the target where it ends.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import final

from ruvon.ir._canonical import graphs_of
from ruvon.ir._nodes import BREAK, END, Call, Graph, Loop, Node, Target, Try
from ruvon.ir._verify import targets_of
from ruvon.ir.expr import Const

__all__ = ["Edges", "Scope", "completes", "ends_run", "escaping", "graph_exits", "live", "own_targets"]


@final
@dataclass(frozen=True, slots=True)
class Scope:
    """One graph and what may leave it."""

    graph: Graph
    free: frozenset[Target]
    """Reserved targets that a statement can leave by from anywhere: `return` for END, `break`, `continue`."""
    tail: Target = END
    """Where falling off the end of the graph's text leads."""
    beyond: Target | None = None
    """In a TRY: the node behind the TRY around this graph, which is where a handler with an else part falls to."""
    jumps: bool = False
    """The form has jumps by name (YAML): END may be named in the list of the graph itself, but not in lists inside it."""


def ends_run(node: Node) -> bool:
    """Whether nothing follows the node: RESTART, whose edge END is never taken."""
    return isinstance(node.action, Call) and node.action.type == "RESTART" and node.next == END


def own_targets(node: Node) -> tuple[Target, ...]:
    """Where the node's own edges lead that a printer has to write."""
    return () if ends_run(node) else targets_of(node)


def escaping(node: Node) -> tuple[Target, ...]:
    """The targets outside a TRY's own graphs that edges inside them lead to, END left out; in order, with repeats."""
    if not isinstance(node.action, Try):
        return ()
    found: list[Target] = []
    for _, graph in graphs_of(node):
        found.extend(graph_exits(graph))
    return tuple(found)


def graph_exits(graph: Graph) -> list[Target]:
    """The targets other than END that edges of the graph, nested TRYs included, lead to outside it."""
    found = [
        graph.entry,
        *(target for node in graph.nodes.values() for target in (*own_targets(node), *escaping(node))),
    ]
    return [target for target in found if target not in graph.nodes and target != END]


def completes(node: Node) -> bool:
    """Whether the node itself may come to its end; a statement may stand behind it in Python only if it does."""
    match node.action:
        case Loop(condition=condition, body=body):
            return condition != Const(True) or BREAK in graph_exits(body)
        case Try(body=body, handlers=handlers, final=final):
            parts = (body, *(handler.graph for handler in handlers))
            return any(_ended(part) for part in parts) and (final is None or _ended(final))
        case _:
            return not ends_run(node)


def live(graph: Graph) -> set[str]:
    """The nodes that are reached by edges which nodes that come to their end take."""
    return _reached(graph)[0]


def _ended(graph: Graph) -> bool:
    return END in _reached(graph)[1]


def _reached(graph: Graph) -> tuple[set[str], set[Target]]:
    found: set[str] = set()
    left: set[Target] = set()
    pending = [graph.entry]
    while pending:
        name = pending.pop()
        if name not in graph.nodes:
            left.add(name)
        elif name not in found:
            found.add(name)
            node = graph.nodes[name]
            pending.extend((*(targets_of(node) if completes(node) else ()), *escaping(node)))
    return found, left


@final
@dataclass(frozen=True, slots=True)
class Edges:
    """The edges of one graph, both ways."""

    graph: Graph
    after: dict[str, tuple[Target, ...]] = field(init=False, default_factory=dict[str, tuple[Target, ...]])
    before: dict[str, list[str]] = field(init=False, default_factory=dict[str, list[str]])

    def __post_init__(self) -> None:
        """Collect the edges, one entry for each of them."""
        for name, node in self.graph.nodes.items():
            targets = (*own_targets(node), *escaping(node))
            self.after[name] = targets
            for target in targets:
                self.before.setdefault(target, []).append(name)

    def sources(self, name: str) -> list[str]:
        """The nodes with an edge to `name`, one entry for each edge."""
        return self.before.get(name, [])

    def reach(self, start: Target, stop: Collection[Target]) -> set[str]:
        """The nodes that can be reached from `start` without passing a target in `stop`, `start` included."""
        return self.reach_all((start,), stop)

    def reach_all(self, starts: Iterable[Target], stop: Collection[Target]) -> set[str]:
        """The same from several starts."""
        found: set[str] = set()
        pending = list(starts)
        while pending:
            name = pending.pop()
            if name in found or name in stop or name not in self.graph.nodes:
                continue
            found.add(name)
            pending.extend(self.after[name])
        return found
