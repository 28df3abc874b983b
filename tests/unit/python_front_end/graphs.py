"""Walks over lowered graphs."""

from collections.abc import Iterator

from ruvon.ir._canonical import graphs_of
from ruvon.ir._nodes import Graph, Node

__all__ = ["nodes_of"]


def nodes_of(graph: Graph) -> Iterator[Node]:
    """All nodes, those of nested graphs included."""
    for node in graph.nodes.values():
        yield node
        for _, inner in graphs_of(node):
            yield from nodes_of(inner)
