"""What a definition may still run from where an instance stands, and which variables that reads before it sets them.

The edges are those of the graph, with nested graphs joined to what is around them: the end of a LOOP's body leads to the
LOOP, that of a TRY's part to its `finally` or behind it, that of a branch nowhere. A handler may be reached from the
beginning of its TRY, so what the body sets is not counted on there.
"""

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, cast, final

from ruvon.engine._standing import Standing
from ruvon.ir._diff import Place, inner_graphs
from ruvon.ir._nodes import (
    BREAK,
    CONTINUE,
    END,
    RESERVED_TARGETS,
    Assign,
    AssignOperation,
    Graph,
    HumanSource,
    Loop,
    Node,
    Parallel,
    Start,
    Target,
    Try,
    Wait,
)
from ruvon.ir._verify import targets_of
from ruvon.ir.expr import Expr, Name, Tuple, names

__all__ = ["Ahead"]

_TARGETS: Final = frozenset({"output", "target", "item"})
_NAMES: Final = frozenset({"index", "name"})
_TURN: Final = "\n"
"""Behind the id of a LOOP: its next turn, which does not evaluate `over` again."""


@final
class Ahead:
    """A definition, seen from a position in it."""

    def __init__(self, places: Mapping[str, Place], stands: Sequence[Standing]) -> None:
        self._places = places
        self._stands = [stand for stand in stands if stand.node in places]
        self._around = {
            node: (place.node, part)
            for place in places.values()
            for part, graph in inner_graphs(place.node)
            for node in graph.nodes
        }

    def nodes(self) -> frozenset[str]:
        """Every node that may begin to run."""
        found: set[str] = set()
        waiting = [node for node, _ in self._first()]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += [after for after, _ in self._after(self._node(name))]
        return frozenset(name.removesuffix(_TURN) for name in found)

    def unset(self, bound: Collection[str]) -> list[tuple[str, str]]:
        """The nodes that may read a variable that has no value, each with the variable."""
        variables = {name for place in self._places.values() for name in _uses(place.node)[1]}
        return sorted({(node, name) for name in variables - set(bound) for node in self._readers(name)})

    def _readers(self, name: str) -> Iterator[str]:
        """Where a variable may be read on a way that has not set it."""
        for node in self._innermost():
            if name in _reads_at_the_end(node):
                yield node.id
        seen: set[str] = set()
        waiting = [place for place, sets in self._first() if name not in sets]
        while waiting:
            place = waiting.pop()
            if place in seen:
                continue
            seen.add(place)
            node = self._node(place)
            if name in (_read_by_a_turn(node) if place.endswith(_TURN) else _uses(node)[0]):
                yield node.id
            waiting += [after for after, sets in self._after(node) if name not in sets]

    def _node(self, place: str) -> Node:
        return self._places[place.removesuffix(_TURN)].node

    # Edges

    def _first(self) -> Iterator[tuple[str, frozenset[str]]]:
        """What comes first: a node, and what is set on the way to it."""
        for node in self._innermost():
            if isinstance(node.action, Wait | Start):  # it has begun
                yield from self._after(node)
            else:
                yield node.id, frozenset()
        for stand in self._stands:
            if stand.leads_to in self._places:
                yield cast("str", stand.leads_to), frozenset()
            if stand.unbegun is not None:
                node = self._places[stand.node].node
                begun = {graph.entry for part, graph in inner_graphs(node) if part not in stand.unbegun}
                yield from ((after, sets) for after, sets in self._after(node) if after not in begun)

    def _innermost(self) -> Iterator[Node]:
        """The nodes that are run or waited at, without those that it is inside of."""
        outer = {level.partition(":")[0] for stand in self._stands for level in stand.within.split("/")}
        for stand in self._stands:
            if stand.node not in outer and stand.unbegun is None:
                yield self._places[stand.node].node

    def _after(self, node: Node) -> Iterator[tuple[str, frozenset[str]]]:
        """Where a node leads, inward too, and what is set on each way."""
        for target, sets in self._edges(node):
            found = self._resolved(node, target)
            if found is not None:
                yield found, sets

    def _edges(self, node: Node) -> Iterator[tuple[Target, frozenset[str]]]:
        none = frozenset[str]()
        match node.action:
            case Loop(body=body, item=item, index=index, output=output, on_break=on_break):
                own = _plain_names(item) | ({index} if index is not None else none)
                yield from _inward(body, own)
                sets = _plain_names(output)
                yield from ((target, sets) for target in (node.next, on_break) if target is not None)
            case Parallel(item=item, index=index) as action:
                own = _plain_names(item) | ({index} if index is not None else none)
                for _, graph in inner_graphs(node):
                    yield from _inward(graph, own)
                outputs = [action.output, *(branch.output for branch in action.branches)]
                sets = frozenset(name for item in outputs for name in _plain_names(item))
                if node.next is not None:
                    yield node.next, sets
            case Try(handlers=handlers):
                graphs = list(inner_graphs(node))
                for number, (_, graph) in enumerate(graphs):
                    handler = handlers[number - 1] if 0 < number <= len(handlers) else None
                    yield from _inward(graph, {handler.name} if handler is not None and handler.name else none)
                if all(graph.entry in RESERVED_TARGETS for part, graph in graphs if part == "body") and node.next:
                    yield node.next, none
            case _:
                sets = frozenset(_uses(node)[1])
                yield from ((target, sets) for target in targets_of(node))

    def _resolved(self, node: Node, target: Target) -> str | None:
        """The node that a target means, as seen from a node or from the beginning of a graph inside it."""
        if target not in RESERVED_TARGETS:
            return target if target in self._places else None
        around = self._around.get(node.id)
        while around is not None:
            outer, part = around
            action = outer.action
            if isinstance(action, Parallel):
                return None
            if isinstance(action, Loop):
                return self._out_of_loop(outer, action, target)
            if target == END and isinstance(action, Try):
                return self._out_of_try(outer, action, part)
            around = self._around.get(outer.id)
        return None

    def _out_of_loop(self, outer: Node, action: Loop, target: Target) -> str | None:
        if target in (END, CONTINUE):
            return outer.id + _TURN
        leads = action.on_break if action.on_break is not None else outer.next
        return self._resolved(outer, leads) if target == BREAK and leads is not None else None

    def _out_of_try(self, outer: Node, action: Try, part: str) -> str | None:
        if part != "finally" and action.final is not None and action.final.entry not in RESERVED_TARGETS:
            return action.final.entry
        return self._resolved(outer, outer.next) if outer.next is not None else None


def _inward(graph: Graph, sets: Collection[str]) -> Iterator[tuple[Target, frozenset[str]]]:
    if graph.entry not in RESERVED_TARGETS:
        yield graph.entry, frozenset(sets)


# What nodes read and set


def _read_by_a_turn(node: Node) -> set[str]:
    """What a LOOP reads between two turns."""
    read: set[str] = set()
    _collect_in(getattr(node.action, "condition", None), read, set())
    return read - {"state"}


def _reads_at_the_end(node: Node) -> set[str]:
    """What a wait that has begun reads when it ends."""
    read: set[str] = set()
    match node.action:
        case Wait(output=output, on_timeout=on_timeout, source=source):
            _add_target(output, read, set())
            _collect_in(on_timeout, read, set())
            if isinstance(source, HumanSource):
                _collect_in(source.answer_args, read, set())
        case Start(output=output):
            _add_target(output, read, set())
        case _:
            pass
    return read - {"state"}


def _uses(node: Node) -> tuple[set[str], set[str]]:
    """The names that a node itself reads, and those that it binds."""
    read: set[str] = set()
    bound: set[str] = set()
    _collect(node.action, read, bound)
    if isinstance(node.action, Assign) and node.action.operation is not AssignOperation.SET:
        read |= bound
    return read - {"state"}, bound - {"state"}


def _collect(value: object, read: set[str], bound: set[str]) -> None:
    for field in dataclasses.fields(cast("Any", value)):
        item: Any = getattr(value, field.name)
        if isinstance(item, Graph):
            continue
        if field.name in _NAMES and isinstance(item, str) and not isinstance(value, Wait | Start):
            bound.add(item)
        elif field.name in _TARGETS and not isinstance(item, str):  # a route's is a node
            _add_target(cast("Expr | None", item), read, bound)
        else:
            _collect_in(item, read, bound)


def _add_target(target: Expr | None, read: set[str], bound: set[str]) -> None:
    """A plain name, or a tuple of them, is bound; what a path leads through is read."""
    if target is None:
        return
    plain = _plain_names(target)
    bound |= plain
    read |= names(target) - plain


def _plain_names(target: Expr | None) -> frozenset[str]:
    match target:
        case Name(id=name):
            return frozenset({name})
        case Tuple(items=items):
            return frozenset[str]().union(*(_plain_names(item) for item in items))
        case _:
            return frozenset()


def _collect_in(item: object, read: set[str], bound: set[str]) -> None:
    if isinstance(item, Expr):
        read |= names(item)
    elif isinstance(item, Mapping):
        for inner in cast("Mapping[str, object]", item).values():
            _collect_in(inner, read, bound)
    elif isinstance(item, tuple):
        for inner in cast("tuple[object, ...]", item):
            _collect_in(inner, read, bound)
    elif dataclasses.is_dataclass(item) and not isinstance(item, type):
        _collect(item, read, bound)
