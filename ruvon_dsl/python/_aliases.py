"""In-place changes that another name would see: where Python's shared objects and stored values would part.

Assumes a lowered graph whose nodes carry their places. An ASSIGN that changes something below a path is compared with
every name that may hold an object on that path. The analysis is textual in time (an alias made before the change, or
anywhere in a common loop, and read after it or in that loop) and errs towards reporting: a definition that passes means
the same under CPython and in the engine, which stores every value by itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias, final

from ruvon.ir._canonical import graphs_of
from ruvon.ir._diagnostics import Related
from ruvon.ir._nodes import (
    Assign,
    AssignOperation,
    Call,
    Decision,
    Fail,
    Graph,
    Loop,
    Node,
    Parallel,
    Return,
    Start,
    Try,
    Wait,
)
from ruvon.ir._spans import Position, Span
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr import print_expr, walk
from ruvon.ir.expr._nodes import Expr
from ruvon_dsl.python import _codes as codes
from ruvon_dsl.python._findings import Findings

__all__ = ["check_aliases"]

Path: TypeAlias = tuple[str | None, ...]
"""A root name and the steps below it; None is any item."""

_COPIES: Final = frozenset(
    {"list", "sorted", "tuple", "set", "frozenset", "dict", "reversed", "min", "max", "enumerate", "zip"}
)
_LAZY: Final = frozenset({"enumerate", "zip", "reversed"})
_PART_METHODS: Final = frozenset({"get", "items", "values", "copy"})
_MAX_ALIASES: Final = 400
_MAX_DEPTH: Final = 8


@final
@dataclass(frozen=True, slots=True)
class _Region:
    """The stretch of source that a loop covers."""

    start: Position
    end: Position

    def has(self, place: Position) -> bool:
        return self.start <= place <= self.end


@final
@dataclass(frozen=True, slots=True)
class _Alias:
    """`holder` may hold the object at `path`."""

    holder: str
    path: Path
    span: Span
    region: _Region | None = None
    """Where an iteration holds it."""


@final
@dataclass(frozen=True, slots=True)
class _Change:
    """Something at `path` is changed in place."""

    path: Path
    span: Span
    loops: tuple[_Region, ...]
    text: str


@final
@dataclass(slots=True)
class _Facts:
    aliases: list[_Alias] = field(default_factory=list[_Alias])
    changes: list[_Change] = field(default_factory=list[_Change])
    reads: dict[str, list[Position]] = field(default_factory=dict[str, list[Position]])
    bindings: dict[str, int] = field(default_factory=dict[str, int])
    """How many places give each name a value."""


def check_aliases(graph: Graph, findings: Findings) -> None:
    """Report in-place changes below names that share their value with another name."""
    facts = _Facts()
    _collect(graph, (), facts)
    if not facts.changes:
        return
    aliases: dict[tuple[str | None, int], list[_Alias]] = {}
    for alias in _closure(facts.aliases):
        aliases.setdefault((alias.path[0], len(alias.path)), []).append(alias)
    for change in facts.changes:
        above = (aliases.get((change.path[0], length), ()) for length in range(1, len(change.path) + 1))
        found = next((alias for group in above for alias in group if _conflict(alias, change, facts)), None)
        if found is not None:
            _report(found, change, findings)


def _report(alias: _Alias, change: _Change, findings: Findings) -> None:
    holder = alias.holder
    if holder == "<loop>":
        seen, label = "the loop around it goes over", "the loop goes over the values as they were here"
        advice = "loop over indices, or build a new list and assign it behind the loop"
    elif holder == "<gather>":
        seen, label = "branches were given", "given to a branch here"
        advice = "build a new value instead, such as `xs = [*xs, value]`"
    else:
        seen, label = f"`{holder}` also holds", f"`{holder}` holds it since here"
        advice = f"change it before `{holder}` is bound, or build a new value instead of changing this one"
    findings.error(
        codes.IN_PLACE,
        f"`{change.text}` changes a value in place that {seen}",
        change.span,
        related=(Related(alias.span, label),),
        reason="under Python both are one object; stored values are apart, so the two would differ",
        help=advice,
    )


# --- facts ------------------------------------------------------------------------------------------------------------


def _collect(graph: Graph, loops: tuple[_Region, ...], facts: _Facts) -> None:
    for node in graph.nodes.values():
        span = node.display.source
        if span is None:
            continue
        for expr in _expressions(node):
            for part in walk(expr):
                if isinstance(part, e.Name) and part.span is not None:
                    facts.reads.setdefault(part.id, []).append(part.span.start)
        for target in _targets(node):
            for name in _names(target):
                facts.bindings[name] = facts.bindings.get(name, 0) + 1
        inner = loops
        if isinstance(node.action, Loop):
            region = _region(node, span)
            inner = (*loops, region)
            _loop(node.action, span, region, facts)
        _node(node, span, loops, facts)
        for _, below in graphs_of(node):
            _collect(below, inner, facts)


def _region(node: Node, span: Span) -> _Region:
    ends = [span.end]
    pending = [below for _, below in graphs_of(node)]
    while pending:
        for inner in pending.pop().nodes.values():
            if inner.display.source is not None:
                ends.append(inner.display.source.end)
            pending.extend(below for _, below in graphs_of(inner))
    return _Region(span.start, max(ends))


def _loop(loop: Loop, span: Span, region: _Region, facts: _Facts) -> None:
    if loop.over is None or loop.item is None:
        return
    facts.aliases.extend(_Alias("<loop>", path, span, region) for path in _iterated(loop.over))
    for path in _shares(loop.over, {}):
        below = path if _is_copied(loop.over) else (*path, None)
        facts.aliases.extend(_Alias(name, below, span) for name in _names(loop.item))


def _node(node: Node, span: Span, loops: tuple[_Region, ...], facts: _Facts) -> None:
    match node.action:
        case Assign(target=target, value=value, operation=operation):
            _assign(target, value, operation, span, loops, facts)
        case Call(args=args) if args.get("state") == e.Name("state"):
            facts.changes.append(_Change(("state",), span, loops, node.id))
        case Parallel(branches=branches):
            for branch in branches:
                _passed(branch.graph, span, facts)
        case _:
            return


def _passed(graph: Graph, span: Span, facts: _Facts) -> None:
    """Whole variables given to the steps of a branch."""
    for node in graph.nodes.values():
        if isinstance(node.action, Call):
            whole = [value.id for value in node.action.args.values() if isinstance(value, e.Name)]
            facts.aliases.extend(_Alias("<gather>", (name,), span) for name in whole if name != "state")


def _assign(
    target: Expr, value: Expr, operation: AssignOperation, span: Span, loops: tuple[_Region, ...], facts: _Facts
) -> None:
    if operation is AssignOperation.SET and isinstance(target, e.Tuple):
        parts = value.items if isinstance(value, e.Tuple) and len(value.items) == len(target.items) else None
        for index, item in enumerate(target.items):
            one = parts[index] if parts is not None else e.Subscript(value, e.Const(index))
            _assign(item, one, operation, span, loops, facts)
        return
    path = _path(target)
    if path is None:
        return
    shares = [shared for shared in _shares(value, {}) if shared[: len(path)] != path]  # a new value of the path itself
    facts.aliases.extend(_Alias(str(path[0]), shared, span) for shared in shares)
    if operation is not AssignOperation.SET:
        facts.changes.append(_Change(path, span, loops, f"{print_expr(target)}.{operation.value}(...)"))
    elif len(path) > 1:
        facts.changes.append(_Change(path[:-1], span, loops, f"{print_expr(target)} = ..."))


def _path(expr: Expr) -> Path | None:
    match expr:
        case e.Name(id=name):
            return (name,)
        case e.Attribute(value=value, name=name):
            head = _path(value)
            return None if head is None else (*head, name)
        case e.Subscript(value=value, index=index):
            head = _path(value)
            return None if head is None else (*head, _step(index))
        case _:
            return None


def _step(index: Expr) -> str | None:
    """One item of a collection: a key that is known, or any."""
    match index:
        case e.Const(value=str() as key):
            return f"[{key!r}]"
        case e.Const(value=int() as place) if place >= 0:
            return f"[{place}]"
        case _:
            return None


def _names(target: Expr) -> Iterator[str]:
    match target:
        case e.Name(id=name):
            yield name
        case e.Tuple(items=items):
            for item in items:
                yield from _names(item)
        case _:
            return


# --- what a value shares ----------------------------------------------------------------------------------------------


def _shares(expr: Expr, env: Mapping[str, tuple[Path, ...]]) -> list[Path]:
    """The paths whose objects a value may be or hold."""
    match expr:
        case e.Name(id=name):
            return list(env[name]) if name in env else [(name,)]
        case e.Attribute(value=value, name=name):
            return [(*path, name) for path in _shares(value, env)]
        case e.Subscript(value=value, index=index):
            return [(*path, _step(index)) for path in _shares(value, env)]
        case e.Conditional(body=body, otherwise=otherwise):
            return [*_shares(body, env), *_shares(otherwise, env)]
        case e.Boolean(values=items) | e.List(items=items) | e.Tuple(items=items) | e.Set(items=items):
            return [path for item in items for path in _shares(item, env)]
        case e.Starred(value=value):
            return [(*path, None) for path in _shares(value, env)]
        case e.Dict(items=pairs):
            return [path for pair in pairs for path in _shares(pair.value, env)]
        case e.Binary(op="+" | "|" | "*", left=left, right=right):
            return [(*path, None) for part in (left, right) for path in _shares(part, env)]
        case e.Comprehension(element=element, clauses=clauses):
            return _shares(element, _bound(clauses, env))
        case e.DictComprehension(value=value, clauses=clauses):
            return _shares(value, _bound(clauses, env))
        case e.Call():
            return _shared_by_call(expr, env)
        case _:
            return []


def _shared_by_call(call: e.Call, env: Mapping[str, tuple[Path, ...]]) -> list[Path]:
    args = [*call.args, *(word.value for word in call.keywords)]
    match call.function:
        case e.Name(id=name) if name in _COPIES:
            return [(*path, None) for arg in args for path in _shares(arg, env)]
        case e.Ref():
            return [path for arg in args for path in _shares(arg, env)]
        case e.Attribute(value=owner, name=name) if name in _PART_METHODS:
            return [(*path, None) for path in _shares(owner, env)]
        case _:
            return []


def _bound(clauses: tuple[e.Clause, ...], env: Mapping[str, tuple[Path, ...]]) -> dict[str, tuple[Path, ...]]:
    known = dict(env)
    for clause in clauses:
        below = tuple((*path, None) for path in _shares(clause.over, known))
        known.update(dict.fromkeys(_names(clause.target), below))
    return known


def _is_copied(over: Expr) -> bool:
    """Whether the items of a value are named by its own paths already (`list(xs)`, `[*xs]`, a comprehension)."""
    return not isinstance(over, e.Name | e.Attribute | e.Subscript)


def _iterated(over: Expr) -> list[Path]:
    """The paths of the lists that an iteration goes over while its body runs."""
    match over:
        case e.Name() | e.Attribute() | e.Subscript():
            path = _path(over)
            return [] if path is None else [path]
        case e.Call(function=e.Name(id=name), args=args) if name in _LAZY:
            return [path for arg in args for path in _iterated(arg)]
        case e.Call(function=e.Attribute(value=owner, name="items" | "values" | "keys")):
            return _iterated(owner)
        case _:
            return []


# --- conflicts --------------------------------------------------------------------------------------------------------


def _closure(aliases: list[_Alias]) -> list[_Alias]:
    """Aliases of aliases included."""
    known = {(alias.holder, alias.path) for alias in aliases}
    found = list(aliases)
    for alias in found:
        if len(found) > _MAX_ALIASES:
            break
        for other in aliases:
            if (
                other.holder == alias.path[0]
                and other.holder != "state"
                and len(other.path) + len(alias.path) <= _MAX_DEPTH
            ):
                path = (*other.path, *alias.path[1:])
                if (alias.holder, path) not in known:
                    known.add((alias.holder, path))
                    found.append(_Alias(alias.holder, path, alias.span, alias.region))
    return found


def _conflict(alias: _Alias, change: _Change, facts: _Facts) -> bool:
    if alias.span == change.span or len(alias.path) > len(change.path):
        return False
    if any(None not in (one, two) and one != two for one, two in zip(alias.path, change.path, strict=False)):
        return False
    if alias.region is not None:
        return any(region == alias.region for region in change.loops)
    if alias.holder == change.path[0] and len(alias.path) == 1:
        return False
    common = any(region.has(alias.span.start) for region in change.loops)
    if alias.span.start > change.span.start and not common:
        return False
    if alias.holder in {"state", "<gather>"}:
        return alias.path[0] != "state" or len(alias.path) > 1
    return _is_read(alias, change, facts)


def _is_read(alias: _Alias, change: _Change, facts: _Facts) -> bool:
    """Whether the holder is read after the change, before it is bound again.

    Where the holder is bound at one place only, a turn of a loop around both binds it afresh before any read.
    """
    reads = facts.reads.get(alias.holder, [])
    made, place = alias.span.start, change.span.start
    if facts.bindings.get(alias.holder, 0) > 1:
        outer = change.loops[0] if change.loops else None
        return any(at > place or (outer is not None and outer.has(at)) for at in reads)
    if made > place:
        return False
    inner = [region for region in change.loops if not region.has(made)]
    return any(at > place or any(region.has(at) for region in inner) for at in reads)


def _targets(node: Node) -> Iterator[Expr]:
    """The targets that a node binds."""
    action = node.action
    match action:
        case Assign(target=target, operation=AssignOperation.SET):
            yield target
        case Loop(item=item, output=output):
            yield from (found for found in (item, output) if found is not None)
        case Parallel(branches=branches, output=output, item=item):
            outputs = [branch.output for branch in branches]
            yield from (found for found in (item, output, *outputs) if found is not None)
        case Call(output=output) | Wait(output=output) | Start(output=output):
            if output is not None:
                yield output
        case Try(handlers=handlers):
            yield from (e.Name(handler.name) for handler in handlers if handler.name is not None)
        case _:
            return


def _expressions(node: Node) -> Iterator[Expr]:
    """What a node reads, assignment targets left out."""
    match node.action:
        case Call(args=args, config=config):
            yield from (*args.values(), *config.values())
        case Wait() as wait:
            yield from (item for item in (wait.timeout, wait.on_timeout) if item is not None)
            for name in ("duration", "until", "key", "task", "show", "role", "assignee"):
                value: Expr | None = getattr(wait.source, name, None)
                if value is not None:
                    yield value
        case Start(data=data, key=key):
            yield from (item for item in (data, key) if item is not None)
        case Assign(value=value):
            yield value
        case Decision(routes=routes):
            yield from (route.condition for route in routes)
        case Loop(over=over, condition=condition):
            yield from (item for item in (over, condition) if item is not None)
        case Parallel(over=over, limit=limit):
            yield from (item for item in (over, limit) if item is not None)
        case Return(value=value):
            yield from () if value is None else (value,)
        case Fail(error=error, cause=cause):
            yield from (item for item in (error, cause) if item is not None)
        case Try():
            return
