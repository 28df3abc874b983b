"""Facts of a definition that both printers ask for: its names, its usual `automate_next`, names that declarations give."""

from collections.abc import Callable, Iterator, Mapping

from ruvon.ir._canonical import graphs_of, walk_nodes
from ruvon.ir._nodes import Call, Decision, Definition, Graph, Loop, Node, Parallel, Return, Start, Wait
from ruvon.ir.expr import Comprehension, DictComprehension, bound_names, walk
from ruvon_dsl.printing._declare import bound_by, expressions_of
from ruvon_dsl.printing._targets import Declarations

__all__ = ["introduced_nodes", "local_names", "most_automatic", "named_by_declaration"]


def most_automatic(definition: Definition) -> bool:
    """The workflow's `automate_next`: what more nodes of the outermost graph have."""
    values = [node.automate_next for node in definition.graph.nodes.values() if node.automate_next is not None]
    return values.count(True) >= values.count(False)


def named_by_declaration(definition: Definition, declarations: Declarations) -> set[str]:
    """Nodes whose function is declared with a name of its own, which they would get instead of a derived one."""
    return {
        node.id
        for node in walk_nodes(definition.graph)
        if isinstance(node.action, Call)
        and node.action.function is not None
        and declarations.named(node.action.function)
    }


def local_names(definition: Definition) -> set[str]:
    """Every name that the body binds or reads as a variable."""
    found = set(definition.variables)
    for node in walk_nodes(definition.graph):
        found.update(bound_by(node))
        for expr in expressions_of(node):
            for part in walk(expr):
                if isinstance(part, Comprehension | DictComprehension):
                    found.update(name for clause in part.clauses for name in bound_names(clause.target))
    return found


def introduced_nodes(definition: Definition, usual: Callable[[Node], bool], routes: Mapping[str, Node]) -> set[str]:
    """The nodes that Python introduces by `node("Name", ...)` whatever their name, because something else is said there.

    Args:
        definition: The definition.
        usual: The `automate_next` that a node has without saying so.
        routes: The effects that DECISIONs directly follow, by the id of the DECISION, which has their `automate_next`.
    """
    found: set[str] = set()
    for node in walk_nodes(definition.graph):
        match node.action:
            case Loop(max_iterations=int()) | Decision(injected=True):
                found.add(node.id)
            case Call() | Start() | Wait():
                pass
            case Decision() if node.id in routes:
                if node.automate_next != routes[node.id].automate_next:
                    found.add(node.id)
            case _ if node.automate_next is not None and node.automate_next != usual(node):
                found.add(node.id)
            case _:
                pass
    for graph in _outermost(definition.graph):
        implied = len(graph.nodes) == 2 and graph is not definition.graph
        found.update(node.id for node in graph.nodes.values() if node.action == Return() and not implied)
    return found


def _outermost(graph: Graph) -> Iterator[Graph]:
    """The graphs of the workflow and of all branches, in which a bare `return` is an edge."""
    yield graph
    for node in walk_nodes(graph):
        if isinstance(node.action, Parallel):
            yield from (inner for _, inner in graphs_of(node))
