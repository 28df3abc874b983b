"""A reading order for the nodes of a graph, which itself has none.

Depth first from the entry with the later successors placed first in reverse, so that every node stands after the nodes
that lead to it (back edges aside) and a DECISION's arms stand in the order of its routes. Printers, drawings and golden
files all use this one order. Nodes that only a jump can reach come last, by id.
"""

from ruvon.ir._canonical import graphs_of
from ruvon.ir._nodes import Graph, Node, Target, Try
from ruvon.ir._verify import targets_of

__all__ = ["ordered", "successors"]


def successors(node: Node, graph: Graph) -> tuple[str, ...]:
    """The nodes of `graph` that an edge of the node, or of a TRY nested in it, leads to; in order, without repeats."""
    found = [*targets_of(node), *_leaving(node)]
    return tuple(dict.fromkeys(target for target in found if target in graph.nodes))


def ordered(graph: Graph) -> list[Node]:
    """The nodes in reading order."""
    finished: list[str] = []
    visited: set[str] = set()
    roots: list[Target] = [graph.entry, *sorted(graph.nodes)]
    late: list[list[str]] = []
    for root in roots:
        if root in graph.nodes and root not in visited:
            finished = []
            _visit(root, graph, visited, finished)
            late.append(finished[::-1])
    return [graph.nodes[name] for group in late for name in group]


def _visit(root: str, graph: Graph, visited: set[str], finished: list[str]) -> None:
    stack: list[tuple[str, list[str]]] = [(root, _pending(root, graph))]
    visited.add(root)
    while stack:
        name, pending = stack[-1]
        while pending and pending[-1] in visited:
            pending.pop()
        if pending:
            following = pending.pop()
            visited.add(following)
            stack.append((following, _pending(following, graph)))
        else:
            finished.append(name)
            stack.pop()


def _pending(name: str, graph: Graph) -> list[str]:
    # The last successor is visited first, so that after the reversal the first one stands nearest; popped from the end.
    return list(successors(graph.nodes[name], graph))


def _leaving(node: Node) -> list[Target]:
    """Targets of edges that leave the TRYs nested in the node for the graph around it."""
    if not isinstance(node.action, Try):
        return []
    found: list[Target] = []
    for _, graph in graphs_of(node):
        found.append(graph.entry)
        for inner in graph.nodes.values():
            found.extend(targets_of(inner))
            found.extend(_leaving(inner))
    return found
