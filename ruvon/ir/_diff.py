"""What differs between two definitions, in the terms of the graph: nodes, edges, expressions, options, fields, types.

Comments, order and spelling are no part of a definition, so they are no difference. A node that was removed and one that
was added in the same graph with the same content are one node with another name; edges that only follow such a name are
not reported. Durations are in the unit of the graph's own fields, microseconds.
"""

import dataclasses
import json
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any, Final, cast, final

from ruvon.ir._labels import label
from ruvon.ir._nodes import Contract, Definition, Graph, Handler, Loop, Node, Parallel, Route, Try
from ruvon.ir.expr import Expr, print_expr
from ruvon.ir.types._entries import TypeEntry

__all__ = ["Change", "ChangeArea", "ChangeKind", "Place", "diff", "inner_graphs", "places"]


class ChangeKind(StrEnum):
    """What happened to something."""

    ADDED = "added"
    REMOVED = "removed"
    RENAMED = "renamed"
    MOVED = "moved"
    CHANGED = "changed"


class ChangeArea(StrEnum):
    """What kind of thing it happened to."""

    DEFINITION = "definition"
    NODE = "node"
    EDGE = "edge"
    EXPRESSION = "expression"
    OPTION = "option"
    VARIABLE = "variable"
    STATE = "state"
    TYPE = "type"
    FUNCTION = "function"


@final
@dataclass(frozen=True, slots=True)
class Change:
    """One difference."""

    area: ChangeArea
    kind: ChangeKind
    subject: str
    """The node, class, variable or function; for a field of it `subject.field`."""
    field: str = ""
    """What of a node changed."""
    before: str | None = None
    after: str | None = None

    def __str__(self) -> str:
        name = f"{self.area.value} `{self.subject}`"
        match self.kind:
            case ChangeKind.ADDED:
                return f"+ {name}" + (f": {self.after}" if self.after else "")
            case ChangeKind.REMOVED:
                return f"- {name}" + (f": {self.before}" if self.before else "")
            case ChangeKind.RENAMED:
                return f"~ {name} is now `{self.after}`"
            case ChangeKind.MOVED:
                return f"~ {name} moved from {self.before} to {self.after}"
            case ChangeKind.CHANGED:
                where = f"`{self.subject}`" if self.field else name
                return f"~ {where} {self.field}".rstrip() + f": {_shown(self.before)} -> {_shown(self.after)}"


def _shown(text: str | None) -> str:
    return "nothing" if text is None else text


# Places


@final
@dataclass(frozen=True, slots=True)
class Place:
    """A node and the graph that it stands in."""

    node: Node
    within: str
    """The nested graphs around it, outermost first, such as `for:body/try:handler 1`; "" in the outermost graph."""

    @property
    def where(self) -> str:
        """The same for people."""
        return f"`{self.within}`" if self.within else "the outermost graph"


def inner_graphs(node: Node) -> Iterator[tuple[str, Graph]]:
    """The graphs that a node holds, each with its name in the node."""
    match node.action:
        case Loop(body=body):
            yield "body", body
        case Parallel(branches=branches, body=body):
            yield from ((f"branch {branch.label}", branch.graph) for branch in branches)
            if body is not None:
                yield "body", body
        case Try(body=body, handlers=handlers, final=final_):
            yield "body", body
            yield from ((f"handler {number}", item.graph) for number, item in enumerate(handlers, 1))
            if final_ is not None:
                yield "finally", final_
        case _:
            return


def places(definition: Definition) -> dict[str, Place]:
    """Every node of a definition by its id, with where it stands."""
    found: dict[str, Place] = {}
    pending: list[tuple[str, Graph]] = [("", definition.graph)]
    while pending:
        within, graph = pending.pop()
        for node in graph.nodes.values():
            found[node.id] = Place(node, within)
            pending += [(f"{within}/{node.id}:{name}".lstrip("/"), inner) for name, inner in inner_graphs(node)]
    return found


# Comparing


def diff(old: Definition, new: Definition) -> tuple[Change, ...]:
    """The differences, most general first; empty where the two mean the same and name functions of the same contract."""
    return (
        *_header(old, new),
        *_tables(ChangeArea.VARIABLE, old.variables, new.variables),
        *_types(old, new),
        *_functions(old, new),
        *_graphs(old, new),
    )


_HEADER: Final = (
    "workflow_type",
    "workflow_version",
    "state",
    "result",
    "saga",
    "strict_results",
    "history",
    "timeout_us",
    "ir_version",
)


def _header(old: Definition, new: Definition) -> Iterator[Change]:
    pairs = [(name, getattr(old, name), getattr(new, name)) for name in _HEADER]
    pairs += [("commit", old.commit.value, new.commit.value), ("entry", old.graph.entry, new.graph.entry)]
    for name, before, after in pairs:
        if before != after and not (name == "entry" and _is_rename(old, new, before, after)):
            area = ChangeArea.EDGE if name == "entry" else ChangeArea.DEFINITION
            yield Change(area, ChangeKind.CHANGED, name, "", _text(before), _text(after))


def _tables(area: ChangeArea, old: Mapping[str, str], new: Mapping[str, str], prefix: str = "") -> Iterator[Change]:
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        kind = ChangeKind.ADDED if before is None else ChangeKind.REMOVED if after is None else ChangeKind.CHANGED
        yield Change(area, kind, prefix + name, "", before, after)


def _types(old: Definition, new: Definition) -> Iterator[Change]:
    for path in sorted(old.types.keys() | new.types.keys()):
        before, after = old.types.get(path), new.types.get(path)
        area = ChangeArea.STATE if path in (old.state, new.state) else ChangeArea.TYPE
        if before is None or after is None:
            kind = ChangeKind.ADDED if before is None else ChangeKind.REMOVED
            yield Change(area, kind, path)
            continue
        yield from _tables(area, _fields(before), _fields(after), f"{path}.")
        if before.kind != after.kind or before.bases != after.bases:
            yield Change(area, ChangeKind.CHANGED, path, "", _class(before), _class(after))


def _fields(entry: TypeEntry) -> dict[str, str]:
    return {item.name: item.type if item.required else f"{item.type}, optional" for item in entry.fields}


def _class(entry: TypeEntry) -> str:
    return f"{entry.kind}({', '.join(entry.bases)})" if entry.bases else entry.kind


def _functions(old: Definition, new: Definition) -> Iterator[Change]:
    before = {path: _signature(item) for path, item in old.contracts.items()}
    after = {path: _signature(item) for path, item in new.contracts.items()}
    yield from _tables(ChangeArea.FUNCTION, before, after)


def _signature(contract: Contract) -> str:
    given = [f"{name}: {text}" + ("" if required else " = ...") for name, text, required in contract.parameters]
    return f"{'async ' if contract.is_async else ''}({', '.join(given)}) -> {contract.result}"


# Graphs


def _graphs(old: Definition, new: Definition) -> Iterator[Change]:
    before, after = places(old), places(new)
    renamed = _renames(before, after)
    for name in sorted(before.keys() - after.keys() - renamed.keys()):
        yield Change(
            ChangeArea.NODE, ChangeKind.REMOVED, name, "", f"{label(before[name].node)} in {before[name].where}"
        )
    for name in sorted(after.keys() - before.keys() - set(renamed.values())):
        yield Change(
            ChangeArea.NODE, ChangeKind.ADDED, name, "", None, f"{label(after[name].node)} in {after[name].where}"
        )
    for name, other in sorted(renamed.items()):
        yield Change(ChangeArea.NODE, ChangeKind.RENAMED, name, "", name, other)
    pairs = {name: name for name in before.keys() & after.keys()} | renamed
    for name, other in sorted(pairs.items()):
        yield from _nodes(before[name], after[other], renamed)


def _nodes(old: Place, new: Place, renamed: Mapping[str, str]) -> Iterator[Change]:
    name = new.node.id
    if _after_renaming(old.within, renamed) != new.within:
        yield Change(ChangeArea.NODE, ChangeKind.MOVED, name, "", old.where, new.where)
    before, after = dict(_parts(old.node)), dict(_parts(new.node))
    for field in sorted(before.keys() | after.keys()):
        area = (after.get(field) or before[field])[0]
        one = before[field][1] if field in before else None
        two = after[field][1] if field in after else None
        if one is not None and area is ChangeArea.EDGE:
            one = _edge_after_renaming(one, renamed)
        if one != two:
            yield Change(area, ChangeKind.CHANGED, name, field, one, two)


def _after_renaming(within: str, renamed: Mapping[str, str]) -> str:
    parts = [part.split(":", 1) for part in within.split("/") if part]
    return "/".join(f"{renamed.get(name, name)}:{rest}" for name, rest in parts)


def _edge_after_renaming(edge: str, renamed: Mapping[str, str]) -> str:
    condition, arrow, target = edge.rpartition(" -> ")
    return f"{condition}{arrow}{renamed.get(target, target)}"


def _renames(before: Mapping[str, Place], after: Mapping[str, Place]) -> dict[str, str]:
    """Nodes that went and came with the same content in the same graph, where there is one candidate only."""
    gone = {name: item for name, item in before.items() if name not in after}
    come = {name: item for name, item in after.items() if name not in before}
    found: dict[str, str] = {}
    for _ in range(len(gone)):  # what lies in a renamed node is found in the next round
        left = [name for name in gone if name not in found]
        free = [name for name in come if name not in found.values()]
        ways = {name: _alike(gone[name], {other: come[other] for other in free}, found) for name in left}
        fresh = {name: other[0] for name, other in ways.items() if len(other) == 1}
        fresh = {name: other for name, other in fresh.items() if list(fresh.values()).count(other) == 1}
        if not fresh:
            break
        found.update(fresh)
    return found


def _alike(place: Place, candidates: Mapping[str, Place], renamed: Mapping[str, str]) -> list[str]:
    content = _content(place.node)
    within = _after_renaming(place.within, renamed)
    return [name for name, other in candidates.items() if other.within == within and _content(other.node) == content]


def _content(node: Node) -> dict[str, str]:
    """What a node does, without where it leads to, and without a variable that is called after it."""
    return {
        name: text.replace(f"{node.id}_result", "_result")
        for name, (area, text) in _parts(node)
        if area is not ChangeArea.EDGE
    }


def _is_rename(old: Definition, new: Definition, before: str, after: str) -> bool:
    return _renames(places(old), places(new)).get(before) == after


# The parts of a node


def _parts(node: Node) -> Iterator[tuple[str, tuple[ChangeArea, str]]]:
    """Everything that a node says, by name, nested graphs left out."""
    yield "kind", (ChangeArea.OPTION, type(node.action).__name__.lower())
    if node.next is not None:
        yield "next", (ChangeArea.EDGE, node.next)
    if node.automate_next is not None:
        yield "automate_next", (ChangeArea.OPTION, _text(node.automate_next))
    yield from _of(node.action, "")


def _of(value: object, name: str) -> Iterator[tuple[str, tuple[ChangeArea, str]]]:
    match value:
        case None | ():
            return
        case Graph(entry=entry):
            yield f"{name}.entry", (ChangeArea.EDGE, entry)
        case Route(condition=condition, target=target):
            yield name, (ChangeArea.EDGE, f"if {print_expr(condition)} -> {target}")
        case Handler():
            yield from _fields_of(value, name)
        case Enum():
            yield name, (ChangeArea.OPTION, str(value.value))
        case str() if name in ("default", "on_break"):
            yield name, (ChangeArea.EDGE, value)
        case Mapping():
            for key, item in cast("Mapping[str, object]", value).items():
                yield from _of(item, f"{name}.{key}")
        case tuple():
            items = cast("tuple[object, ...]", value)
            if all(isinstance(item, str | int) for item in items):
                yield name, (ChangeArea.OPTION, ", ".join(str(item) for item in items))
                return
            for number, item in enumerate(items, 1):
                yield from _of(item, f"{name}.{getattr(item, 'label', number)}")
        case _ if isinstance(value, _EXPRESSIONS):
            yield name, (ChangeArea.EXPRESSION, print_expr(cast("Expr", value)))
        case _ if dataclasses.is_dataclass(value):
            yield from _fields_of(value, name)
        case _:
            yield name, (ChangeArea.OPTION, _text(value))


def _fields_of(value: Any, name: str) -> Iterator[tuple[str, tuple[ChangeArea, str]]]:
    for field in dataclasses.fields(value):
        yield from _of(getattr(value, field.name), f"{name}.{field.name}".lstrip("."))


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


_EXPRESSIONS: Final[tuple[type, ...]] = typing.get_args(Expr)
