"""Random flat graphs: backward and crossing edges, irreducible ones, jumps out of TRYs, names that are no identifiers."""

from dataclasses import replace

from hypothesis import strategies as st

from ruvon.ir import (
    BREAK,
    CONTINUE,
    END,
    Assign,
    Branch,
    Call,
    Decision,
    Definition,
    Fail,
    Graph,
    Handler,
    HumanSource,
    Join,
    Loop,
    Merge,
    MergeConflict,
    Node,
    OnFailure,
    Parallel,
    Return,
    Route,
    SignalSource,
    Start,
    TimerSource,
    Try,
    Wait,
)
from ruvon.ir._verify import single_effect, targets_of
from ruvon.ir.expr import Expr, Name, parse
from ruvon_dsl.printing._region import graph_exits

__all__ = ["flat_definitions", "graph_shapes"]

ODD_NAMES = (
    "Charge card", "a.b", "1e3", "yes", "null", "class", "Prüfung", "it's", 'say "hi"', "if", "END_", "=x", "{{ y }}",
    "a: b", "# c", "- d", "x_2", "if_2", "set_3", "for", "~", "0x1F", "Route?", "multi\nline", "tab\there", "true",
)  # fmt: skip
CONDITIONS = (
    "state.amount > 1",
    "state.flag",
    "state.name == 'a'",
    "not state.flag and state.name in ('b', 'c')",
    "state.amount % 2 == 0",
)
VALUES = (
    "state.amount + 1",
    "1",
    "'text'",
    "'=text'",
    "f'{state.name} and {state.amount}'",
    "[1, 2]",
    "{'k': state.name}",
    "Decimal('1.5')",
    "None",
)
NUMBERS = ("state.amount + 1", "1", "-3", "state.amount * 2")


class _Names:
    """Hands out unique ids."""

    def __init__(self, draw: st.DrawFn, odd: tuple[str, ...], *, escapes: bool) -> None:
        self._draw = draw
        self._odd = odd
        self.escapes = escapes
        self.variable = "x"
        """What nodes bind; a branch has a name of its own."""
        self._used: set[str] = set()
        self._count = 0

    def count(self) -> int:
        """A new number."""
        self._count += 1
        return self._count

    def new(self, base: str) -> str:
        wanted = self._draw(st.sampled_from([base, base, base, *self._odd]))
        name, number = wanted, 1
        while name in self._used:
            number += 1
            name = f"{wanted}_{number}"
        self._used.add(name)
        return name


@st.composite
def flat_definitions(
    draw: st.DrawFn, *, max_nodes: int = 9, odd: tuple[str, ...] = ODD_NAMES, escapes: bool = True
) -> Definition:
    """Whole definitions whose outermost graph is flat and arbitrary; nested graphs are arbitrary too.

    Args:
        draw: Given by hypothesis.
        max_nodes: Nodes of the outermost graph.
        odd: Names that are no identifiers.
        escapes: Whether edges lead out of TRYs to nodes around them.
    """
    graph = _graph(
        draw,
        _Names(draw, odd, escapes=escapes),
        size=draw(st.integers(1, max_nodes)),
        depth=0,
        around=(),
        in_loop=False,
    )
    return Definition(
        workflow_type=draw(st.sampled_from(["Orders", "my flow", "Ünïcode", "A.b-c", "class"])),
        workflow_version=draw(st.sampled_from(["1.0.0", "2", "1e3"])),
        state="tests.support.shop:Order",
        saga=draw(st.booleans()),
        strict_results=draw(st.booleans()),
        graph=_automatic(draw, graph),
    )


def graph_shapes(*, max_nodes: int = 9) -> st.SearchStrategy[Graph]:
    """Only the graphs."""
    return flat_definitions(max_nodes=max_nodes).map(lambda definition: definition.graph)


def _automatic(draw: st.DrawFn, graph: Graph) -> Graph:
    mixed = draw(st.booleans())
    usual = draw(st.booleans())
    nodes = {
        name: node
        if isinstance(node.action, Return | Fail)
        else replace(node, automate_next=draw(st.booleans()) if mixed else usual)
        for name, node in graph.nodes.items()
    }
    return Graph(entry=graph.entry, nodes=nodes)


def _graph(
    draw: st.DrawFn,
    names: _Names,
    *,
    size: int,
    depth: int,
    around: tuple[str, ...],
    in_loop: bool,
    final: bool = False,
) -> Graph:
    kinds = ["call", "call", "set", "decision", "decision", "decision", "return", "fail", "wait", "start"]
    if depth < 2:
        kinds += ["loop", "try", "try", "parallel"]
    if final:
        kinds = [kind for kind in kinds if kind != "return"]
    chosen = [draw(st.sampled_from(kinds)) for _ in range(size)]
    ids = [names.new(_BASES[kind]) for kind in chosen]
    exits = [END, *([BREAK, CONTINUE] if in_loop else [])]
    forward = draw(st.booleans())
    nodes: dict[str, Node] = {}

    def target(index: int) -> str:
        near = ids[index + 1 :] if forward else ids
        usual = ids[index + 1 : index + 2] or [END]
        return draw(st.sampled_from([*usual * 4, *near, *exits, *around]))

    for index, (kind, name) in enumerate(zip(chosen, ids, strict=True)):
        nodes[name] = _node(draw, names, kind, name, lambda i=index: target(i), depth, (*around, *ids), in_loop, final)
    entry = (
        draw(st.sampled_from([ids[0]] * 6 + ids + (exits if depth else [])))
        if ids
        else draw(st.sampled_from([*exits, *around]))
    )
    whole = entry in nodes and depth == 0 and draw(st.integers(0, 9)) == 0
    return Graph(entry=entry, nodes=nodes) if whole else _pruned(Graph(entry=entry, nodes=nodes))


def _pruned(graph: Graph) -> Graph:
    """Without the nodes that nothing leads to."""
    from ruvon.ir._order import successors

    seen: set[str] = set()
    pending = [graph.entry]
    while pending:
        name = pending.pop()
        if name in graph.nodes and name not in seen:
            seen.add(name)
            pending.extend(successors(graph.nodes[name], graph))
    return Graph(entry=graph.entry, nodes={name: node for name, node in graph.nodes.items() if name in seen})


_BASES = {
    "call": "touch", "set": "set", "decision": "if", "return": "return", "fail": "raise", "wait": "receive", "start": "Kyc",
    "loop": "for", "try": "try", "parallel": "gather",
}  # fmt: skip


def _node(draw, names, kind, name, target, depth, visible, in_loop, final) -> Node:  # type: ignore[no-untyped-def]
    match kind:
        case "call":
            return Node(id=name, action=_call(draw, names.variable), next=target())
        case "set":
            path = draw(st.booleans())
            both = f"({names.variable}, {names.variable}_2)"
            places, values = (("state.amount",), NUMBERS) if path else ((names.variable, both), VALUES)
            action = Assign(target=_expr(draw, places), value=_expr(draw, values))
            return Node(id=name, action=action, next=target())
        case "decision":
            routes = tuple(
                Route(condition=_expr(draw, CONDITIONS), target=target())
                for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3])))
            )
            return Node(id=name, action=Decision(routes=routes, default=target()))
        case "return":
            return Node(
                id=name, action=Return(value=draw(st.sampled_from([None, parse("state.name"), parse("state.amount")])))
            )
        case "fail":
            return Node(id=name, action=Fail(error=parse("ref('tests.support.shop:Rejected')('no')")))
        case "wait":
            return Node(id=name, action=_wait(draw, names.variable), next=target())
        case "start":
            return Node(id=name, action=_start(draw, names.variable), next=target())
        case "loop":
            return _loop(draw, names, name, target, depth)
        case "try":
            return _try(draw, names, name, target, depth, visible, in_loop, final)
        case _:
            return _parallel(draw, names, name, target, depth)


def _expr(draw: st.DrawFn, texts: tuple[str, ...]) -> Expr:
    return parse(draw(st.sampled_from(texts)))


def _call(draw: st.DrawFn, variable: str) -> Call:
    output = draw(st.sampled_from([None, Name(variable), parse("state.amount")]))
    if draw(st.booleans()):
        return Call(function="tests.support.shop:touch", args={"state": Name("state")}, output=output)
    return Call(function="tests.support.shop:anything", args={"value": _expr(draw, VALUES)}, output=output)


def _wait(draw: st.DrawFn, variable: str) -> Wait:
    source = draw(
        st.sampled_from(
            [
                TimerSource(duration=parse("timedelta(seconds=5)")),
                SignalSource(model="tests.support.shop:Note", key=parse("state.name")),
                HumanSource(task=parse("'review'"), form="tests.support.shop:Note"),
            ]
        )
    )
    timeout = None if isinstance(source, TimerSource) else draw(st.sampled_from([None, parse("timedelta(days=1)")]))
    return Wait(source=source, timeout=timeout, output=draw(st.sampled_from([None, Name(variable)])))


def _start(draw: st.DrawFn, variable: str) -> Start:
    return Start(
        child="Kyc",
        result="tests.support.shop:Done",
        data=parse("ref('tests.support.shop:Job')(amount=1)"),
        output=draw(st.sampled_from([None, Name(variable)])),
    )


def _loop(draw: st.DrawFn, names: _Names, name: str, target, depth: int) -> Node:  # type: ignore[no-untyped-def]
    body = _graph(draw, names, size=draw(st.integers(0, 4)), depth=depth + 1, around=(), in_loop=True)
    after, broken = target(), draw(st.sampled_from([None, None, target()]))
    broken = None if broken == after or BREAK not in graph_exits(body) else broken
    limit = draw(st.sampled_from([None, 1000, 3]))
    if draw(st.booleans()):
        over, index = parse("state.lines"), draw(st.sampled_from([None, f"{names.variable}_index"]))
        loop = Loop(
            over=over,
            item=Name(f"{names.variable}_line"),
            index=index,
            body=body,
            on_break=broken,
            max_iterations=limit,
        )
    else:
        loop = Loop(condition=_expr(draw, CONDITIONS), body=body, on_break=broken, max_iterations=limit)
    return Node(id=name, action=loop, next=after)


def _try(draw, names, name, target, depth, visible, in_loop, final) -> Node:  # type: ignore[no-untyped-def]
    saga = draw(st.integers(0, 5)) == 0
    following = target()
    around = visible if names.escapes and draw(st.booleans()) else ()

    def part(size: int) -> Graph:
        return _graph(
            draw, names, size=size, depth=depth + 1, around=around, in_loop=in_loop and names.escapes, final=final
        )

    body = part(draw(st.integers(1, 3)))
    if saga:
        return Node(id=name, action=Try(body=body, saga=True), next=following if _completes(body) else END)
    classes = ("builtins:ValueError",), ("tests.support.shop:Rejected", "builtins:KeyError")
    handlers = tuple(
        Handler(
            classes=classes[index],
            name=draw(st.sampled_from([None, f"{names.variable}_error"])),
            graph=part(draw(st.integers(0, 2))),
        )
        for index in range(draw(st.integers(1, 2)))
    )
    last = None
    if draw(st.integers(0, 3)) == 0:
        last = _graph(draw, names, size=draw(st.integers(1, 2)), depth=2, around=(), in_loop=False, final=True)
        last = last if last.nodes else None
    parts = [body, *(handler.graph for handler in handlers)]
    alive = any(_completes(graph) for graph in parts) and (last is None or _completes(last))
    return Node(id=name, action=Try(body=body, handlers=handlers, final=last), next=following if alive else END)


def _completes(graph: Graph) -> bool:
    """Whether END can be reached, so that what follows the TRY is no dead code, which Python does not write."""
    seen: set[str] = set()
    pending = [graph.entry]
    while pending:
        name = pending.pop()
        if name == END:
            return True
        if name in graph.nodes and name not in seen:
            seen.add(name)
            pending.extend(_live_targets(graph.nodes[name]))
    return False


def _live_targets(node: Node) -> tuple[str, ...]:
    """Where a node can lead: a TRY all of whose parts leave leads nowhere itself."""
    match node.action:
        case Try(body=body, handlers=handlers, final=final):
            alive = any(_completes(part) for part in (body, *(handler.graph for handler in handlers)))
            return targets_of(node) if alive and (final is None or _completes(final)) else ()
        case _:
            return targets_of(node)


def _plain(graph: Graph) -> Graph:
    """A body that is one effect gives its result to the node around it and binds nothing itself."""
    node = single_effect(graph)
    if node is None or not isinstance(node.action, Call | Wait | Start):
        return graph
    return Graph(entry=graph.entry, nodes={node.id: replace(node, action=replace(node.action, output=None))})


def _parallel(draw: st.DrawFn, names: _Names, name: str, target, depth: int) -> Node:  # type: ignore[no-untyped-def]
    outer = names.variable
    if draw(st.integers(0, 3)) == 0:
        names.variable = f"b{names.count()}"
        body = _plain(_graph(draw, names, size=draw(st.integers(1, 2)), depth=depth + 1, around=(), in_loop=False))
        item, names.variable = Name(f"{names.variable}_line"), outer
        action = Parallel(
            over=parse("state.lines"),
            item=item,
            index=draw(st.sampled_from([None, f"{item.id}_index"])),
            body=body,
            output=draw(st.sampled_from([None, Name(outer)])),
        )
        return Node(id=name, action=action, next=target())
    race = draw(st.booleans())
    branches: list[Branch] = []
    for _ in range(draw(st.integers(2 if race else 1, 3))):
        names.variable = f"b{names.count()}"
        graph = _plain(_graph(draw, names, size=draw(st.integers(0, 3)), depth=depth + 1, around=(), in_loop=False))
        names.variable = outer
        only = next(iter(graph.nodes)) if len(graph.nodes) == 1 else None
        label = only if only and draw(st.booleans()) else names.new("part")
        after = tuple(branch.label for branch in branches if not race and draw(st.integers(0, 3)) == 0)
        branches.append(Branch(label=label, graph=graph, after=after, won=race and draw(st.booleans())))
    if race:
        action = Parallel(branches=tuple(branches), join=Join.FIRST, merge=Merge(conflict=MergeConflict.RAISE_ERROR))
    else:
        failure = draw(st.sampled_from([OnFailure.CANCEL, OnFailure.CANCEL, OnFailure.COLLECT]))
        action = Parallel(branches=tuple(branches), on_failure=failure)
    return Node(id=name, action=action, next=target())
