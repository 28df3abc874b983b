"""The concurrent stretches of a list with `dependencies`: one PARALLEL each, one branch per step.

A stretch is a node of the graph, its steps are not: edges into it and jumps inside it have no meaning and are reported.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from ruvon.ir._nodes import END, Branch, Call, Graph, Merge, Parallel, Start, Target, Wait
from ruvon.ir._verify import single_effect
from ruvon.ir.expr._nodes import Expr
from ruvon_dsl.yaml import _codes as codes
from ruvon_dsl.yaml._dependencies import Plan, Unit
from ruvon_dsl.yaml._graphs import Lowerer, Place, Scope, joined_lists, own_items
from ruvon_dsl.yaml._tree import Block, Item, Jump

__all__ = ["close_stretches", "hoist_output", "lower_stretch"]


class _ItemLowerer(Lowerer, Protocol):
    def item(self, item: Item, following: Target, place: Place, follower: Item | None) -> Target: ...

    def entry(self, item: Item, place: Place) -> Target: ...

    def close(self, scope: Scope, blocks: Iterable[Block]) -> None: ...


def close_stretches(scope: Scope, block: Block, planned: Plan) -> None:
    """Take the steps of a list's stretches out of the names of its graph."""
    for section in planned.sections:
        if len(section) < 2:
            continue
        names = " and ".join(f"`{unit.item.id}`" for unit in section[:3])
        for unit in section:
            for item in own_items(Block(unit.items, block.span)):
                if scope.names.pop(item.id, None) is not None:
                    scope.closed[item.id] = f"no edge can lead to `{item.id}`, which runs beside other steps ({names})"


def lower_stretch(low: _ItemLowerer, section: list[Unit], node_id: str, following: Target, place: Place) -> Target:
    """A stretch as a PARALLEL node; gives its id."""
    scope = place.scope
    labels = {unit.index: unit.item.id for unit in section}
    branches: list[Branch] = []
    for unit in section:
        graph, output = hoist_output(_unit_graph(low, unit, scope))
        after = tuple(labels[index] for index in sorted(unit.after) if index in labels)
        branches.append(Branch(label=labels[unit.index], graph=graph, after=after, output=output))
    automate = all(scope.automate(unit.item) for unit in section)
    first = section[0].item
    plain = replace_display(first)
    return scope.add(node_id, Parallel(branches=tuple(branches), merge=Merge()), following, plain, automate)


def replace_display(item: Item) -> Item:
    """An item that only lends its place."""
    return Item("PARALLEL", replace(item.fields, entries={}), item.span)


def _unit_graph(low: _ItemLowerer, unit: Unit, parent: Scope) -> Graph:
    scope = Scope("branch", low.context, parent)
    scope.take(own_items(Block(unit.items, unit.item.span)))
    low.close(scope, [inner for item in unit.items for outer in item.flat_blocks() for inner in joined_lists(outer)])
    place = Place(scope, END)
    for item in unit.items:
        _check_edges(low, item, {target.id for target in unit.targets})
    for target in unit.targets:
        low.item(target, END, place, None)
    return scope.graph(low.item(unit.item, END, place, None))


def _check_edges(low: _ItemLowerer, item: Item, targets: set[str]) -> None:
    jumps = [exit_ for exit_ in item.exits() if isinstance(exit_, Jump) and exit_.target not in targets]
    jumps += [jump for jump in (item.next, item.on_error) if jump is not None]
    for jump in jumps:
        if jump.target != END:  # reported once here; the edge then leads to the end of the branch
            low.context.found.error(
                codes.EDGE_IN_STRETCH,
                f"`{item.id}` runs beside other steps, so it cannot go to `{jump.target}`",
                jump.span,
                f"let `{jump.target}` depend on `{item.id}` alone, or put the steps under `steps:` of the route",
            )
            jump.target = END


def hoist_output(graph: Graph) -> tuple[Graph, Expr | None]:
    """Of a branch that is one effect: its output as the branch's, so that it is bound outside."""
    node = single_effect(graph)
    if node is None or not isinstance(node.action, Call | Wait | Start) or node.action.output is None:
        return graph, None
    bare = replace(node, action=replace(node.action, output=None))
    return Graph(entry=graph.entry, nodes={node.id: bare}), node.action.output
