"""What YAML says in one word and a body of Python in another: the graph of a file, so that either form can be printed.

Assumes the whole graph. Guarantees two things that Python's front end has by how it reads a body:

* a variable grows in place (APPEND, EXTEND, UPDATE) only where every value it gets in its scope is a list or a dict made
  right there; any other grows by a new value, `xs = [*xs, x]`, because in Python another name might share the old one;
* the item of a LOOP that collects is a name of its own in its scope, as the name in a comprehension is; where the scope
  has that name for something else too, the item is `<id>_<name>`;
* the cause of a FAIL is None or an expression of an error; `raise ... from None` has none.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from types import MappingProxyType
from typing import Any, Final, cast, final, get_args

from ruvon.ir._canonical import graphs_of
from ruvon.ir._nodes import Assign, AssignOperation, Fail, Graph, Loop, Node, Parallel, Try
from ruvon.ir._reads import expressions_of, outputs_of
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr import bound_names, free_names, substitute
from ruvon.ir.expr._nodes import Expr

__all__ = ["settle"]

_EXPRESSIONS: Final[tuple[type, ...]] = get_args(Expr)


def settle(graph: Graph, around: Collection[str] = ()) -> Graph:
    """The graph of a workflow or branch with everything in it settled; `around` are the variables of the scopes around."""
    return _Scope(graph, frozenset(around)).settled(graph)


@final
class _Scope:
    """The graph of one scope, with its LOOPs and TRYs and without its branches."""

    def __init__(self, graph: Graph, around: frozenset[str]) -> None:
        self._graph = graph
        kinds: dict[str, set[str]] = {}
        for node in _nodes(graph):
            for name, kind in _bound_by(node):
                kinds.setdefault(name, set()).add(kind)
        self._kinds = kinds
        grown = (_plain(node.action.target) for node in _nodes(graph) if isinstance(node.action, Assign))
        self._bound = around.union(kinds, *grown)

    def settled(self, graph: Graph) -> Graph:
        """A graph of the scope."""
        nodes = {name: replace(node, action=self._action(node)) for name, node in graph.nodes.items()}
        return Graph(entry=graph.entry, nodes=MappingProxyType(nodes))

    def _action(self, node: Node) -> Any:
        match node.action:
            case Assign(target=e.Name(id=name)) as assign:
                return self._grown(assign, name)
            case Loop(collect=True) as loop:
                return self._collecting(node, loop)
            case Loop() as loop:
                return replace(loop, body=self.settled(loop.body))
            case Try() as attempt:
                handlers = tuple(replace(item, graph=self.settled(item.graph)) for item in attempt.handlers)
                final_ = None if attempt.final is None else self.settled(attempt.final)
                return replace(attempt, body=self.settled(attempt.body), handlers=handlers, final=final_)
            case Fail(cause=e.Const(value=None)) as fail:
                return replace(fail, cause=None)
            case Parallel() as parallel:
                branches = tuple(replace(item, graph=settle(item.graph, self._bound)) for item in parallel.branches)
                body = None if parallel.body is None else settle(parallel.body, self._bound)
                return replace(parallel, branches=branches, body=body)
            case _:
                return node.action

    def _grown(self, assign: Assign, name: str) -> Assign:
        wanted = "dict" if assign.operation is AssignOperation.UPDATE else "list"
        if assign.operation is AssignOperation.SET or self._kinds.get(name) == {wanted}:
            return assign
        return replace(assign, operation=AssignOperation.SET, value=_spread(assign))

    def _collecting(self, node: Node, loop: Loop) -> Loop:
        own = _turn_names(loop)
        elsewhere = self._bound.union(_read(self._graph, beside=node.id))
        renamed = {name: e.Name(_own(node.id, name)) for name in sorted(own & elsewhere)}
        if not renamed:
            return loop
        body = replace(loop.body, nodes={key: _renamed(item, renamed) for key, item in loop.body.nodes.items()})
        index = renamed[loop.index].id if loop.index in renamed else loop.index
        item = None if loop.item is None else substitute(loop.item, renamed)
        return replace(loop, item=item, index=index, body=body)


def _nodes(graph: Graph) -> Iterator[Node]:
    for node in graph.nodes.values():
        yield node
        if not isinstance(node.action, Parallel):
            for _, inner in graphs_of(node):
                yield from _nodes(inner)


def _bound_by(node: Node) -> Iterator[tuple[str, str]]:
    """The variables that a node gives a value, with the kind of a value that is made right there."""
    match node.action:
        case Assign(operation=AssignOperation.SET, target=e.Name(id=name), value=value):
            yield name, _made(value)
        case Assign(operation=AssignOperation.APPEND | AssignOperation.EXTEND | AssignOperation.UPDATE):
            return
        case Loop(collect=True, output=e.Name(id=name)):
            yield name, "list"
        case Loop(collect=False) as loop:
            yield from ((name, "") for name in sorted(_turn_names(loop)))
        case _:
            yield from ((name, "") for target in outputs_of(node) for name in _plain(target))


def _plain(target: Expr) -> Iterator[str]:
    match target:
        case e.Name(id=name):
            yield name
        case e.Tuple(items=items):
            for item in items:
                yield from _plain(item)
        case _:
            return


def _made(value: Expr) -> str:
    match value:
        case e.List() | e.Comprehension(kind="list") | e.Call(function=e.Name(id="list" | "sorted")):
            return "list"
        case e.Dict() | e.DictComprehension() | e.Call(function=e.Name(id="dict")):
            return "dict"
        case _:
            return ""


def _spread(assign: Assign) -> Expr:
    """The grown value as a new one."""
    old, value, span = assign.target, assign.value, assign.value.span
    match assign.operation:
        case AssignOperation.APPEND:
            return e.List((e.Starred(old, span), value), span)
        case AssignOperation.UPDATE:
            return e.Dict((e.DictItem(None, old), e.DictItem(None, value)), span)
        case _:
            return e.List((e.Starred(old, span), e.Starred(value, span)), span)


def _turn_names(loop: Loop) -> frozenset[str]:
    names = frozenset[str]() if loop.item is None else bound_names(loop.item)
    return names if loop.index is None else names | {loop.index}


def _read(graph: Graph, *, beside: str) -> Iterator[str]:
    """The names that a graph uses, without the node `beside` and without what collecting loops have for themselves."""
    for node in graph.nodes.values():
        if node.id == beside:
            continue
        own = _turn_names(node.action) if isinstance(node.action, Loop) and node.action.collect else frozenset[str]()
        used = (name.id for expr in expressions_of(node) for name in free_names(expr))
        inner = (name for _, part in graphs_of(node) for name in _read(part, beside=beside))
        yield from (name for name in (*used, *inner) if name not in own)


def _own(node: str, name: str) -> str:
    cleaned = re.sub(r"\W", "_", f"{node}_{name}")
    return cleaned if cleaned.isidentifier() else f"_{cleaned}"


def _renamed(value: object, names: Mapping[str, Expr]) -> Any:
    """A part of a node with other names in all its expressions."""
    if isinstance(value, _EXPRESSIONS):
        return substitute(cast("Expr", value), names)
    if isinstance(value, Mapping):
        return _renamed_items(cast("Mapping[str, object]", value), names)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _renamed(getattr(value, field.name), names) for field in fields(value)})
    return value


def _renamed_items(items: Mapping[str, object], names: Mapping[str, Expr]) -> Mapping[str, object]:
    return MappingProxyType({key: _renamed(item, names) for key, item in items.items()})
