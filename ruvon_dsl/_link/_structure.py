"""Findings about the shape of the graph alone: nodes that nothing leads to, handlers that never run, falling through."""

from collections.abc import Collection, Iterator

from ruvon.ir._canonical import graphs_of, walk_nodes
from ruvon.ir._diagnostics import Diagnostic, Related, Severity
from ruvon.ir._nodes import Decision, Definition, Graph, Node, Try
from ruvon.ir._order import successors
from ruvon.ir._verify import targets_of
from ruvon_dsl._link._codes import FALLS_THROUGH, NEVER_RUNS, NOT_AN_EXCEPTION, UNREACHABLE
from ruvon_dsl._link._resolve import Resolver

__all__ = ["falls_through", "handler_findings", "unreachable_nodes"]


def unreachable_nodes(definition: Definition) -> list[Diagnostic]:
    """Warnings for nodes that no edge leads to; in YAML a jump directive still may, so it is no error."""
    return list(_unreachable(definition.graph))


def _unreachable(graph: Graph) -> Iterator[Diagnostic]:
    reached: set[str] = set()
    pending = [graph.entry]
    while pending:
        name = pending.pop()
        if name in graph.nodes and name not in reached:
            reached.add(name)
            pending.extend(successors(graph.nodes[name], graph))
    for node in graph.nodes.values():
        if node.id in reached:
            for _, inner in graphs_of(node):
                yield from _unreachable(inner)
        elif not _only_from_unreached(node, graph, reached):
            yield Diagnostic(
                code=UNREACHABLE,
                message=f"nothing leads to `{node.id}`",
                span=node.display.source,
                severity=Severity.WARNING,
                help="remove it, or lead a route or `next` to it; only a step that jumps can reach it as it is",
            )


def _only_from_unreached(node: Node, graph: Graph, reached: Collection[str]) -> bool:
    """Whether another unreachable node leads here, which then is the one to name."""
    return any(
        node.id in successors(other, graph)
        for other in graph.nodes.values()
        if other.id != node.id and other.id not in reached
    )


def handler_findings(definition: Definition, resolver: Resolver) -> list[Diagnostic]:
    """Handlers of classes that are no exceptions, and handlers that an earlier one leaves nothing to."""
    found: list[Diagnostic] = []
    for node in walk_nodes(definition.graph):
        if isinstance(node.action, Try):
            found.extend(_handlers(node, node.action, resolver))
    return found


def _handlers(node: Node, attempt: Try, resolver: Resolver) -> Iterator[Diagnostic]:
    earlier: list[type] = []
    for handler in attempt.handlers:
        entry = handler.graph.nodes.get(handler.graph.entry)
        span = node.display.source if entry is None else entry.display.source
        classes = resolver.classes(handler.classes, span)
        for cls in classes:
            if not issubclass(cls, BaseException):
                yield Diagnostic(
                    code=NOT_AN_EXCEPTION,
                    message=f"`{cls.__qualname__}` is handled as an error, but is no exception class",
                    span=span,
                    help="name a class that derives from Exception",
                )
        if classes and all(any(issubclass(cls, known) for known in earlier) for cls in classes):
            names = " and ".join(f"`{cls.__qualname__}`" for cls in classes)
            yield Diagnostic(
                code=NEVER_RUNS,
                message=f"this handler of {names} never runs, because an earlier one takes the same errors",
                span=span,
                severity=Severity.WARNING,
                help="put the handler of the narrower class first",
            )
        earlier.extend(classes)


def falls_through(definition: Definition, implicit: Collection[str]) -> list[Diagnostic]:
    """Warnings for a route's steps that go on, by list order alone, into the target of another route.

    Args:
        definition: What is looked at.
        implicit: The nodes whose `next` is nothing but the list order of the YAML file.
    """
    found: list[Diagnostic] = []
    if implicit:
        for graph in _graphs(definition.graph):
            for node in graph.nodes.values():
                if isinstance(node.action, Decision):
                    found.extend(_fallen(node, graph, implicit))
    return found


def _graphs(graph: Graph) -> Iterator[Graph]:
    yield graph
    for node in graph.nodes.values():
        for _, inner in graphs_of(node):
            yield from _graphs(inner)


def _fallen(decision: Node, graph: Graph, implicit: Collection[str]) -> Iterator[Diagnostic]:
    targets = [target for target in dict.fromkeys(targets_of(decision)) if target in graph.nodes]
    for target in targets:
        last = graph.nodes[target]
        seen = {last.id}
        following = last.next
        while following is not None and following in graph.nodes and following not in {*targets, *seen}:
            last = graph.nodes[following]
            seen.add(last.id)
            following = last.next
        if following is not None and last.id in implicit and following in targets and following not in seen:
            other = graph.nodes[following]
            related = () if other.display.source is None else (Related(other.display.source, "the other target"),)
            yield Diagnostic(
                code=FALLS_THROUGH,
                message=f"after `{last.id}` the workflow goes on into `{other.id}`, another target of `{decision.id}`",
                span=last.display.source,
                severity=Severity.WARNING,
                related=related,
                help=f"write `next: {other.id}` if that is meant, or `next: END` or another step",
            )
