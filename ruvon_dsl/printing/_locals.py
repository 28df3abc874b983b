"""Facts of a definition that both printers ask for: its names, its usual `automate_next`, names that declarations give."""

from collections.abc import Iterator

from ruvon.ir._canonical import walk_nodes
from ruvon.ir._nodes import Assign, Call, Definition, Loop, Node, Parallel, Start, Try, Wait
from ruvon.ir.expr import Comprehension, DictComprehension, Expr, Name, Tuple, bound_names, walk
from ruvon_dsl.printing._declare import expressions_of
from ruvon_dsl.printing._targets import Declarations

__all__ = ["local_names", "most_automatic", "named_by_declaration"]


def most_automatic(definition: Definition) -> bool:
    """The workflow's `automate_next`: what more nodes of the outermost graph have."""
    values = [node.automate_next for node in definition.graph.nodes.values() if node.automate_next is not None]
    return values.count(True) >= values.count(False)


def named_by_declaration(definition: Definition, declarations: Declarations) -> set[str]:
    """Nodes whose function is declared with a name of its own, which they would get instead of a derived one."""
    return {
        node.id
        for node in walk_nodes(definition.graph)
        if isinstance(node.action, Call) and node.action.function is not None and declarations.named(node.action.function)
    }


def local_names(definition: Definition) -> set[str]:
    """Every name that the body binds or reads as a variable."""
    found = set(definition.variables)
    for node in walk_nodes(definition.graph):
        found.update(_bound(node))
        for expr in expressions_of(node):
            for part in walk(expr):
                if isinstance(part, Comprehension | DictComprehension):
                    found.update(name for clause in part.clauses for name in bound_names(clause.target))
    return found


def _bound(node: Node) -> Iterator[str]:
    match node.action:
        case Call(output=output) | Wait(output=output) | Start(output=output) | Assign(target=output):
            yield from _targets(output)
        case Loop(item=item, index=index, output=output):
            yield from _targets(item, output)
            yield from [index] if index else []
        case Parallel(item=item, index=index, output=output, branches=branches):
            yield from _targets(item, output, *(branch.output for branch in branches))
            yield from [index] if index else []
        case Try(handlers=handlers):
            yield from (handler.name for handler in handlers if handler.name)
        case _:
            return


def _targets(*targets: Expr | None) -> Iterator[str]:
    for target in targets:
        match target:
            case Name(id=name):
                yield name
            case Tuple(items=items):
                yield from _targets(*items)
            case _:
                pass
