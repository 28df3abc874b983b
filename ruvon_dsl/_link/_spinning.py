"""Loops that may turn for ever without a durable step between two turns.

Such a loop would never reach a commit: the engine's budget ends it, and nothing it did is kept. A way from the start of a
turn to the next one is *pure* when it passes no CALL, WAIT or START. A pure way that changes nothing repeats for ever; a
pure way that changes variables may end, but without any effect in the whole loop the work belongs into a step.
"""

from collections.abc import Iterator
from typing import assert_never

from ruvon.ir._canonical import graphs_of, walk_nodes
from ruvon.ir._diagnostics import Diagnostic
from ruvon.ir._nodes import (
    BREAK,
    CONTINUE,
    END,
    Assign,
    Call,
    Decision,
    Definition,
    Fail,
    Graph,
    Loop,
    Node,
    Parallel,
    Return,
    Start,
    Target,
    Try,
    Wait,
)
from ruvon.ir._verify import is_effect
from ruvon.ir.expr._nodes import Const
from ruvon_dsl._link._codes import SPINNING

__all__ = ["spinning_loops"]

_Ways = set[tuple[Target, bool]]
"""Where pure ways lead, and whether they assign anything."""


def spinning_loops(definition: Definition) -> list[Diagnostic]:
    """Findings for loops and cycles that can turn without a durable step."""
    found = [*_cycles(definition.graph)]
    for node in walk_nodes(definition.graph):
        if isinstance(node.action, Loop) and node.action.over is None and node.action.max_iterations is None:
            found.extend(_loop(node, node.action))
        for _, graph in graphs_of(node):
            found.extend(_cycles(graph))
    return found


def _loop(node: Node, loop: Loop) -> Iterator[Diagnostic]:
    again = [changed for target, changed in _pure_ways(loop.body) if target in (END, CONTINUE)]
    works = has_effect(loop.body)
    if again and (not all(again) or not works):
        stuck = not all(again)
        what = "can repeat for ever without doing anything" if stuck else "computes without any durable step"
        yield Diagnostic(
            code=SPINNING,
            message=f"this loop {what}",
            span=node.display.source,
            reason="no turn reaches a commit, so the engine's budget ends it and nothing is kept",
            help="await a step, `sleep` or `receive` on every way through the loop, or move the work into a step",
        )


def _cycles(graph: Graph) -> Iterator[Diagnostic]:
    """Cycles of a flat graph (YAML jumps backward, `flow`) along pure nodes that change nothing."""
    edges = {name: {target for target, changed in _passes(node) if not changed} for name, node in graph.nodes.items()}
    for name in sorted(graph.nodes):
        if _returns_to(name, edges):
            yield Diagnostic(
                code=SPINNING,
                message=f"`{name}` can come back to itself for ever without doing anything",
                span=graph.nodes[name].display.source,
                reason="no turn reaches a commit, so the engine's budget ends it and nothing is kept",
                help="put a step or a wait on the way back",
            )
            return


def _returns_to(name: str, edges: dict[str, set[Target]]) -> bool:
    pending, seen = [*edges[name]], set[str]()
    while pending:
        target = pending.pop()
        if target == name:
            return True
        if target in edges and target not in seen:
            seen.add(target)
            pending.extend(edges[target])
    return False


def has_effect(graph: Graph) -> bool:
    """Whether any node in the graph or below it does something durable."""
    return any(is_effect(node) for node in walk_nodes(graph))


def _pure_ways(graph: Graph) -> _Ways:
    """The targets outside of the graph that pure ways from its entry lead to."""
    found: _Ways = set()
    seen: _Ways = set()
    pending: list[tuple[Target, bool]] = [(graph.entry, False)]
    while pending:
        target, changed = pending.pop()
        if (target, changed) in seen:
            continue
        seen.add((target, changed))
        if target in graph.nodes:
            pending.extend((leads, changed or assigns) for leads, assigns in _passes(graph.nodes[target]))
        else:
            found.add((target, changed))
    return found


def _passes(node: Node) -> _Ways:
    """Where control can go from a node without a durable step."""
    onward: _Ways = set() if node.next is None else {(node.next, False)}
    match node.action:
        case Call() | Wait() | Start() | Return() | Fail():
            return set()
        case Assign():
            return {(target, True) for target, _ in onward}
        case Decision() as decision:
            return _decided(decision)
        case Loop() as loop:
            return _looped(node, loop)
        case Parallel():
            return set() if any(has_effect(graph) for _, graph in graphs_of(node)) else {(t, True) for t, _ in onward}
        case Try() as attempt:
            return _tried(node, attempt)
        case _:
            assert_never(node.action)


def _decided(decision: Decision) -> _Ways:
    found: _Ways = set()
    for route in decision.routes:
        constant = route.condition if isinstance(route.condition, Const) else None
        if constant is None or constant.value:
            found.add((route.target, False))
        if constant is not None and constant.value:
            return found
    return found | {(decision.default, False)}


def _looped(node: Node, loop: Loop) -> _Ways:
    endless = isinstance(loop.condition, Const) and bool(loop.condition.value)
    found: _Ways = set() if endless or node.next is None else {(node.next, loop.over is not None)}
    for target, _ in _pure_ways(loop.body):
        after = (loop.on_break or node.next) if target == BREAK else target
        if after is not None and target not in (END, CONTINUE):
            found.add((after, True))
    return found


def _tried(node: Node, attempt: Try) -> _Ways:
    """A handler runs after something in the body was tried, which is durable where the body holds an effect."""
    ways = _pure_ways(attempt.body)
    if not has_effect(attempt.body):
        for handler in attempt.handlers:
            ways |= _pure_ways(handler.graph)
    if attempt.final is not None and not any(target == END for target, _ in _pure_ways(attempt.final)):
        return set()
    return {(node.next if target == END and node.next else target, changed) for target, changed in ways}
