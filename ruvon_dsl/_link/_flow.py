"""The data-flow engine: carries facts through nested and cyclic graphs until nothing changes.

Assumes a graph whose edges the verifier accepts. Guarantees, for every node that can be reached, the join of the facts
of all ways to it (`Flow.facts`), and for every graph the facts with which it is left. What a node does to a fact is not
decided here but by `Rules`; this module knows only how graphs nest:

* a LOOP's body runs zero or more times; END and CONTINUE lead to the next turn;
* a handler of a TRY sees the join of all facts before whatever may raise in the body; `finally` runs once for every way
  out, each with its own fact, so that the way of an error does not blur the way of success;
* a branch of a PARALLEL is a scope of its own, of which only outputs come out.
"""

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol, assert_never, final

from ruvon.ir._nodes import (
    BREAK,
    CONTINUE,
    END,
    Assign,
    Branch,
    Call,
    Decision,
    Fail,
    Graph,
    Handler,
    Join,
    Loop,
    Node,
    OnFailure,
    Parallel,
    Return,
    Start,
    Target,
    Try,
    Wait,
)
from ruvon.ir._order import ordered
from ruvon.ir._spans import Span
from ruvon.ir.expr._nodes import Const, Expr, Name
from ruvon_dsl._link._env import Env, Via, join, join_maybe

__all__ = ["RETURNED", "Exits", "Flow", "Rules"]

RETURNED: Final[Target] = "<return>"
"""The way out that a RETURN takes."""
_CATCHES_ALL: Final = frozenset({"builtins:Exception", "builtins:BaseException"})
_ERROR: Final[Target] = "<error>"
_STOP: Final[Target] = "<stop>"
_HANDLER: Final = "handler {} runs"
_PATIENCE: Final = 12
"""Joins at one node before types that still grow are given up."""

Context = tuple[str, ...]
"""The `finally` parts around a node, each with the way out it serves; such a node has one fact per way."""


class Rules(Protocol):
    """What nodes do to facts."""

    def after(self, node: Node, env: Env) -> Env:
        """The fact after a CALL, WAIT, START or ASSIGN has succeeded."""
        ...

    def decide(self, condition: Expr, env: Env) -> tuple[Env | None, Env | None]:
        """The facts where the condition is true and where it is false; None where that cannot be."""
        ...

    def turn(self, node: Node, action: Loop | Parallel, env: Env) -> Env:
        """The fact at the start of a turn of a LOOP `over`, or of a mapped branch."""
        ...

    def looped(self, node: Node, loop: Loop, env: Env) -> Env:
        """The fact after the loop, its collected list bound."""
        ...

    def forked(self, node: Node, parallel: Parallel, branch: Branch, env: Env) -> Env:
        """The fact at the start of a static branch: the fork's, and the outputs of the branches it comes after."""
        ...

    def merged(self, node: Node, parallel: Parallel, env: Env) -> Env:
        """The fact after the join, made of the fact of the fork."""
        ...

    def handled(self, handler: Handler, env: Env) -> Env:
        """The fact at the start of a handler."""
        ...

    def failed(self, env: Env) -> Env:
        """What a handler may rely on of a fact before something that raised."""
        ...

    def returned(self, node: Node, action: Return, env: Env, scope: str) -> None:
        """A RETURN was reached in the scope (`` for the workflow, `<node>/<branch>` for a branch)."""
        ...

    def widened(self, env: Env) -> Env:
        """The same fact with types given up that do not settle."""
        ...


@final
@dataclass(slots=True)
class Exits:
    """The facts with which a graph is left: by target, by an error, and by a cancellation, which no handler takes."""

    targets: dict[Target, Env] = field(default_factory=dict[Target, Env])
    raised: Env | None = None
    """The join before everything that may raise and is not handled."""
    stopped: Env | None = None
    """The join before everything at which the workflow may be cancelled; only `finally` sees it."""

    def leave(self, target: Target, env: Env) -> None:
        """Add a way out."""
        known = self.targets.get(target)
        self.targets[target] = env if known is None else join(known, env)

    def fail(self, env: Env | None) -> None:
        """Add a place that may raise."""
        self.raised = join_maybe(self.raised, env)
        self.stopped = join_maybe(self.stopped, env)

    def escape(self, inner: "Exits", *, caught: bool = False) -> None:
        """Take over the errors and cancellations of a part; with `caught` its errors stay in it."""
        if not caught:
            self.raised = join_maybe(self.raised, inner.raised)
        self.stopped = join_maybe(self.stopped, inner.stopped)


@final
class Flow:
    """One analysis of one definition."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._facts: dict[tuple[Context, str], Env] = {}
        self._counts: dict[tuple[Context, str], int] = {}
        self._exits: dict[tuple[Context, str], Exits] = {}
        self._heads: dict[tuple[Context, str], Env] = {}
        self._guards = 0
        """TRYs around the node at hand; without one nobody looks at what may raise."""

    @property
    def facts(self) -> Mapping[str, Env]:
        """The fact before each reachable node, joined over all ways to it."""
        found: dict[str, Env] = {}
        for (_, name), env in self._facts.items():
            found[name] = join(found[name], env) if name in found else env
        return found

    def heads(self) -> Mapping[str, Env]:
        """The fact before each turn of each reachable LOOP."""
        found: dict[str, Env] = {}
        for (_, name), env in self._heads.items():
            found[name] = join(found[name], env) if name in found else env
        return found

    def run(self, graph: Graph, env: Env) -> Exits:
        """Analyse the outermost graph."""
        return self._graph(graph, env, (), "", "")

    def _graph(self, graph: Graph, env: Env, context: Context, key: str, scope: str) -> Exits:
        """Facts only grow, so what an earlier visit of the same graph found is kept and added to."""
        exits = self._exits.setdefault((context, key), Exits())
        order = {node.id: index for index, node in enumerate(ordered(graph))}
        pending: list[tuple[int, str]] = []
        waiting: set[str] = set()

        def arrive(target: Target, fact: Env) -> None:
            if target not in graph.nodes:
                exits.leave(target, fact)
            elif self._grow((context, target), fact) and target not in waiting:
                waiting.add(target)
                heapq.heappush(pending, (order[target], target))

        arrive(graph.entry, env)
        while pending:
            _, name = heapq.heappop(pending)
            waiting.discard(name)
            outcome = self._node(graph.nodes[name], self._facts[context, name], context, scope)
            if self._guards:
                exits.escape(outcome)
            for target, fact in outcome.targets.items():
                arrive(target, fact)
        return exits

    def _grow(self, key: tuple[Context, str], env: Env) -> bool:
        known = self._facts.get(key)
        if known is None:
            self._facts[key] = env
            return True
        grown = join(known, env)
        if grown == known:
            return False
        self._counts[key] = self._counts.get(key, 0) + 1
        if self._counts[key] > _PATIENCE:
            grown = self._rules.widened(grown)
            if grown == known:
                return False
        self._facts[key] = grown
        return True

    def _node(self, node: Node, env: Env, context: Context, scope: str) -> Exits:
        found = Exits()
        match node.action:
            case Call(type="RESTART"):  # the run is replaced by a new one: nothing follows
                found.fail(self._rules.failed(env))
            case Call() | Wait() | Start():
                found.fail(self._rules.failed(env))
                _step(found, node, self._rules.after(node, env))
            case Assign() as assign:
                if not (isinstance(assign.value, Const | Name) and isinstance(assign.target, Name)):
                    found.fail(self._rules.failed(env))
                _step(found, node, self._rules.after(node, env))
            case Return() as action:
                if action.value is not None and not isinstance(action.value, Const | Name):
                    found.fail(self._rules.failed(env))
                self._rules.returned(node, action, env, scope)
                found.leave(RETURNED, env)
            case Fail():
                found.fail(self._rules.failed(env))
            case Decision() as decision:
                self._decision(found, node, decision, env)
            case Loop() as loop:
                self._loop(found, node, loop, env, context, scope)
            case Parallel() as parallel:
                self._parallel(found, node, parallel, env, context)
            case Try() as attempt:
                self._try(found, node, attempt, env, context, scope)
            case _:
                assert_never(node.action)
        return found

    def _decision(self, found: Exits, node: Node, decision: Decision, env: Env) -> None:
        found.fail(self._rules.failed(env))
        rest: Env | None = env
        for index, route in enumerate(decision.routes):
            if rest is None:
                return
            taken, rest = self._rules.decide(route.condition, rest)
            if taken is not None:
                where = route.condition.span or node.display.source
                label = f"condition {index + 1} holds" if len(decision.routes) > 1 else "the condition holds"
                found.leave(route.target, taken.turn(Via(node.id, label, where)))
        if rest is not None:
            label = "no condition holds" if len(decision.routes) > 1 else "the condition is false"
            found.leave(decision.default, rest.turn(Via(node.id, label, node.display.source)))

    def _loop(self, found: Exits, node: Node, loop: Loop, env: Env, context: Context, scope: str) -> None:
        found.fail(self._rules.failed(env))
        key = (context, node.id)
        done: Env | None = None
        body = Exits()
        first = env.turn(Via(node.id, "the loop has had no turn", node.display.source))
        again = Via(node.id, "another turn begins", node.display.source)
        self._heads[key] = head = join_maybe(self._heads.get(key), first) or first
        for count in range(_PATIENCE * 4):
            turn, done = self._turn(node, loop, head)
            if turn is None:
                break
            body = self._graph(loop.body, turn, context, f"{node.id}/body", scope)
            back = join_maybe(body.targets.get(END), body.targets.get(CONTINUE))
            grown = head if back is None else join(head, replace(back, path=(*env.path, again)))
            grown = self._rules.widened(grown) if count > _PATIENCE else grown
            if grown == head:
                break
            self._heads[key] = head = grown
        if done is not None and node.next is not None:
            found.leave(node.next, self._rules.looped(node, loop, done))
        self._leave_loop(found, node, loop, body)

    def _turn(self, node: Node, loop: Loop, head: Env) -> tuple[Env | None, Env | None]:
        if loop.condition is not None:
            return self._rules.decide(loop.condition, head)
        return self._rules.turn(node, loop, head), head

    def _leave_loop(self, found: Exits, node: Node, loop: Loop, body: Exits) -> None:
        found.escape(body)
        for target, fact in body.targets.items():
            if target in (END, CONTINUE):
                continue
            after = loop.on_break if loop.on_break is not None else node.next
            leads = after if target == BREAK else target
            if leads is not None:
                found.leave(leads, fact)

    def _parallel(self, found: Exits, node: Node, parallel: Parallel, env: Env, context: Context) -> None:
        found.fail(self._rules.failed(env))
        ends: list[bool] = []
        for branch in _in_turn(parallel.branches):
            scope = f"{node.id}/{branch.label}"
            start = self._rules.forked(node, parallel, branch, replace(env, path=()))
            exits = self._graph(branch.graph, start, context, scope, scope)
            ends.append(END in exits.targets or RETURNED in exits.targets)
        if parallel.body is not None:
            scope = f"{node.id}/body"
            start = self._rules.turn(node, parallel, replace(env, path=()))
            self._graph(parallel.body, start, context, scope, scope)
            ends.append(True)
        comes_back = any(ends) if parallel.join is Join.FIRST else all(ends)
        if comes_back or parallel.on_failure is OnFailure.COLLECT:
            _step(found, node, self._rules.merged(node, parallel, env))

    def _try(self, found: Exits, node: Node, attempt: Try, env: Env, context: Context, scope: str) -> None:
        out = found if attempt.final is None else Exits()
        self._guards += 1
        body = self._graph(attempt.body, env, context, f"{node.id}/body", scope)
        self._collect(out, node, body)
        caught = False
        for index, handler in enumerate(attempt.handlers):
            if body.raised is not None:
                via = Via(node.id, _HANDLER.format(index + 1), _first_span(handler.graph) or node.display.source)
                start = self._rules.handled(handler, body.raised).turn(via)
                handled = _without(
                    handler.name, self._graph(handler.graph, start, context, f"{node.id}/{index}", scope)
                )
                self._collect(out, node, handled)
                out.escape(handled)
            caught = caught or not _CATCHES_ALL.isdisjoint(handler.classes)
        out.escape(body, caught=caught)
        if attempt.final is not None:
            self._finally(found, out, node, attempt.final, context, scope)
        self._guards -= 1

    def _collect(self, out: Exits, node: Node, part: Exits) -> None:
        for target, fact in part.targets.items():
            leads = node.next if target == END else target
            if leads is not None:
                out.leave(leads, fact)

    def _finally(self, found: Exits, out: Exits, node: Node, final: Graph, context: Context, scope: str) -> None:
        """`finally` runs for every way out by itself: `<error>` and `<stop>` stand for those that are no targets."""
        ways = dict(out.targets)
        ways.update({name: fact for name, fact in ((_ERROR, out.raised), (_STOP, out.stopped)) if fact is not None})
        for target, fact in ways.items():
            left = self._graph(final, fact, (*context, f"{node.id}>{target}"), f"{node.id}/finally", scope)
            found.escape(left)
            ended = left.targets.get(END)
            if ended is None:
                continue
            match target:
                case "<error>":
                    found.raised = join_maybe(found.raised, ended)
                case "<stop>":
                    found.stopped = join_maybe(found.stopped, ended)
                case _:
                    found.leave(target, ended)


def _without(name: str | None, left: Exits) -> Exits:
    """The ways out of a handler, with the name of its error deleted on all of them."""
    if name is None:
        return left
    raised, stopped = (None if env is None else env.unbind(name) for env in (left.raised, left.stopped))
    return Exits({target: env.unbind(name) for target, env in left.targets.items()}, raised, stopped)


def _step(found: Exits, node: Node, env: Env) -> None:
    if node.next is not None:
        found.leave(node.next, env)


def _in_turn(branches: tuple[Branch, ...]) -> list[Branch]:
    """The branches with each one behind those that it comes after."""
    waiting, done = list(branches), list[Branch]()
    while waiting:
        labels = {branch.label for branch in waiting}
        ready = [branch for branch in waiting if labels.isdisjoint(branch.after)] or waiting
        done += ready
        waiting = [branch for branch in waiting if branch not in ready]
    return done


def _first_span(graph: Graph) -> Span | None:
    node = graph.nodes.get(graph.entry)
    return None if node is None else node.display.source
