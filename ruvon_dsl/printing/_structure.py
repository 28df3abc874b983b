"""From a flat graph to nested statements, without writing any node twice.

Assumes a definition that passes the verifier. Guarantees blocks that lower to the same graph: every node stands once,
every edge is either the way a block falls through or an `Exit` or `Go`.

A graph is walked from its entry. A DECISION is nested when its arms are regions of their own that meet in one target;
a LOOP brings its body along; a TRY is nested with an else part when its handlers go past what follows it. Where that
does not hold (jumps into other arms, cycles, shared tails), the smallest closed region around the place becomes a
`Flow`, whose stages are the nodes that more than one edge leads to. Closed means: entered only at its first node, left
only for one target (or by a statement that may leave from anywhere), so at worst the whole graph is one flow and no
graph is unprintable. A graph with nodes behind something that never comes to its end is one flow, because nothing may
stand behind such a statement in Python but the name of a stage.
"""

from collections.abc import Collection, Iterable
from typing import Final, assert_never, final

from ruvon.ir._nodes import (
    BREAK,
    CONTINUE,
    END,
    Assign,
    Call,
    Decision,
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
from ruvon.ir._order import ordered
from ruvon.ir._verify import targets_of
from ruvon_dsl.printing._region import Edges, Scope, completes, ends_run, escaping, graph_exits, live, own_targets
from ruvon_dsl.printing._tree import Block, Choice, Exit, Flow, Go, Repeat, Single, Split, Stage, Statement, Trial

__all__ = ["structure"]

_LOOP_EXITS: Final = frozenset({BREAK, CONTINUE})
_NOWHERE: Final[frozenset[Target]] = frozenset()


def structure(graph: Graph, *, jumps: bool = False) -> Block:
    """The statements of the graph of a workflow or of a branch.

    Args:
        graph: The graph.
        jumps: For a form that has no `return` out of nested lists but may jump by name (YAML).
    """
    return _Structurer(Scope(graph, _NOWHERE if jumps else frozenset({END}), jumps=jumps), _NOWHERE).run()


@final
class _UnfitError(Exception):
    """An edge has no statement here; a region around it has to become a flow."""


@final
class _Structurer:
    """Structures one graph; nested graphs get structurers of their own."""

    def __init__(self, scope: Scope, labels: frozenset[str]) -> None:
        self._scope = scope
        self._labels = labels
        """The stages of the flows around this graph."""
        self._graph = scope.graph
        self._edges = Edges(scope.graph)
        self._rank = {node.id: index for index, node in enumerate(ordered(scope.graph))}
        self._placed: set[str] = set()

    def run(self) -> Block:
        """The statements of the whole graph."""
        entry, tail = self._graph.entry, self._scope.tail
        reached = self._edges.reach(entry, ()) if self._scope.jumps else live(self._graph)
        if len(reached) < len(self._graph.nodes):
            return (self._flow(entry, set(self._graph.nodes), tail),)
        return self._block(entry, tail)

    # --- blocks -------------------------------------------------------------------------------------------------------

    def _block(self, start: Target, follow: Target) -> Block:
        done: list[tuple[str, Statement]] = []
        current: Target | None = start
        while current is not None and current != follow:
            if current not in self._graph.nodes:
                return (*(statement for _, statement in done), self._way_out(current, follow))
            made = self._attempt(current, follow)
            if made is None:
                heads = [*(head for head, _ in done), current]
                head, nodes, end = self._smallest_region(heads, current, follow)
                del done[heads.index(head) :]
                self._placed -= nodes
                done.append((head, self._flow(head, nodes, end)))
                current = end
            else:
                done.append((current, made[0]))
                current = made[1]
        return tuple(statement for _, statement in done)

    def _way_out(self, target: Target, follow: Target) -> Statement:
        if target in self._scope.free:
            return Exit(target, leaves=True)
        if follow == self._scope.tail:
            if target in self._labels:
                return Go(target)
            if target in _LOOP_EXITS:
                return Exit(target, leaves=False)
        raise _UnfitError

    def _attempt(self, name: str, follow: Target) -> tuple[Statement, Target | None] | None:
        """The statement that begins at a node and the target behind it; None where it cannot be nested."""
        if name in self._placed or not self._placed.issuperset(self._edges.sources(name)):
            return None
        before = set(self._placed)
        self._placed.add(name)
        try:
            return self._statement(self._graph.nodes[name], follow)
        except _UnfitError:
            self._placed = before
            return None

    def _statement(self, node: Node, follow: Target) -> tuple[Statement, Target | None]:
        match node.action:
            case Call() | Wait() | Start() | Assign() | Return() | Fail():
                return Single(node), None if ends_run(node) else node.next
            case Decision():
                return self._choice(node, follow)
            case Loop():
                return self._loop(node, follow)
            case Parallel() as parallel:
                return _split(node, parallel, jumps=self._scope.jumps), node.next
            case Try() as attempt:
                return self._trial(node, attempt, follow)
            case _:
                assert_never(node.action)

    # --- nesting ------------------------------------------------------------------------------------------------------

    def _choice(self, node: Node, follow: Target) -> tuple[Statement, Target | None]:
        targets = targets_of(node)
        join = self._join(node.id, targets, follow)
        if join is None:
            raise _UnfitError
        *arms, default = [self._arm(target, join, follow) for target in targets]
        return Choice(node, tuple(arms), default), join

    def _arm(self, target: Target, join: Target, follow: Target) -> Block:
        if join != follow and not self._nested([target], follow):
            return (Exit(target, leaves=True),)
        return self._block(target, join)

    def _join(self, name: str, targets: tuple[Target, ...], follow: Target) -> Target | None:
        regions = [self._edges.reach(target, {follow}) for target in targets]
        shared = {item for index, region in enumerate(regions) for other in regions[:index] for item in region & other}
        if not shared:
            default = targets[-1]
            if (
                default in self._graph.nodes
                and self._guards(targets[:-1], regions, follow)
                and self._nests(name, self._nested(targets, follow), default, follow)
            ):
                return default
            return follow if self._nests(name, targets, follow, follow) else None
        for candidate in sorted(shared, key=self._rank.__getitem__):
            if self._nests(name, targets, candidate, follow):
                return candidate
        return None

    def _guards(self, targets: Iterable[Target], regions: Iterable[set[str]], follow: Target) -> bool:
        """Whether the arms leave, so that the default may stand behind the DECISION instead of inside it."""
        pairs = zip(targets, regions, strict=False)
        return all(follow not in self._leads(arm, region) for arm, region in pairs if self._nested([arm], follow))

    def _nested(self, targets: Iterable[Target], follow: Target) -> list[Target]:
        """The targets without those that are jumps to the end of the list, which need no nesting."""
        return [target for target in targets if not (self._scope.jumps and target == follow == self._scope.tail == END)]

    def _leads(self, start: Target, region: Iterable[str]) -> set[Target]:
        return {start, *(target for name in region for target in self._edges.after[name])}

    def _nests(self, name: str, targets: Iterable[Target], join: Target, follow: Target) -> bool:
        """Whether the ways from a node are regions of their own that end at `join`."""
        if join in self._placed:
            return False
        seen: set[str] = set()
        for target in targets:
            region = self._edges.reach(target, {join, follow})
            if seen & region or name in region or region & self._placed:
                return False
            seen |= region
            if not all(self._allowed(way, region, join, follow) for way in self._leads(target, region)):
                return False
            if any(source != name and source not in region for item in region for source in self._edges.sources(item)):
                return False
        return True

    def _allowed(self, way: Target, region: Collection[str], join: Target, follow: Target) -> bool:
        if way in region or way == join or way in self._scope.free:
            return True
        return join == follow == self._scope.tail and way not in self._graph.nodes and way != END

    def _loop(self, node: Node, follow: Target) -> tuple[Statement, Target | None]:
        loop = _as_loop(node)
        body = self.stage_loop(loop)
        if loop.on_break is None or node.next is None:
            return Repeat(node, body), node.next
        join = loop.on_break
        if not self._nests(node.id, [node.next], join, follow):
            raise _UnfitError
        return Repeat(node, body, self._block(node.next, join)), join

    def _trial(self, node: Node, attempt: Try, follow: Target) -> tuple[Statement, Target | None]:
        free = self._scope.free - {END}
        leaving = {target for target in escaping(node) if target not in free}
        if not leaving:
            return self._parts(node, attempt, free, END, self._labels), node.next
        past = self._past(node, attempt, leaving, follow)
        if past is not None and node.next is not None:
            target, join = past
            trial = self._parts(node, attempt, free, target, self._labels)
            return Trial(node, trial.body, trial.handlers, self._block(node.next, join), trial.final), join
        if node.next == follow == self._scope.tail and leaving.isdisjoint(self._graph.nodes):
            return self._parts(node, attempt, free, END, self._labels), node.next
        raise _UnfitError

    def _past(self, node: Node, attempt: Try, leaving: set[Target], follow: Target) -> tuple[Target, Target] | None:
        """Where handlers that go past an else part lead, and the same as the end of the else part's block."""
        if len(leaving) != 1 or node.next is None or attempt.final is not None:
            return None
        (target,) = leaving
        ended = any(_falls_off(handler.graph) for handler in attempt.handlers)
        if target == node.next or ended or target in graph_exits(attempt.body):
            return None
        join = target
        if target not in self._graph.nodes and target != follow:
            if target != self._scope.beyond or not follow == self._scope.tail == END:
                return None
            join = END
        return (target, join) if self._nests(node.id, [node.next], join, follow) else None

    def _parts(
        self, node: Node, attempt: Try, free: frozenset[Target], handler_tail: Target, labels: frozenset[str]
    ) -> Trial:
        beyond = self._scope.beyond if node.next == END else node.next
        jumps = self._scope.jumps
        body = self._inner(Scope(attempt.body, free, beyond=beyond, jumps=jumps), labels)
        handlers = tuple(
            self._inner(Scope(handler.graph, free, handler_tail, beyond, jumps), labels) for handler in attempt.handlers
        )
        final = None
        if attempt.final is not None:
            final = self._inner(Scope(attempt.final, _NOWHERE, jumps=jumps), _NOWHERE)
        return Trial(node, body, handlers, None, final)

    def _inner(self, scope: Scope, labels: frozenset[str]) -> Block:
        return _Structurer(scope, labels).run()

    # --- flows --------------------------------------------------------------------------------------------------------

    def _smallest_region(self, heads: list[str], inside: str, follow: Target) -> tuple[str, set[str], Target]:
        """The latest head and the smallest closed region from it that holds `inside`, with the target behind it."""
        for index in range(len(heads) - 1, -1, -1):
            head = heads[index]
            best: tuple[set[str], Target] | None = None
            within = sorted(self._edges.reach(head, {follow}), key=self._rank.__getitem__)
            for end in [*within, follow]:
                if end == head or end in self._placed:
                    continue
                nodes = self._edges.reach(head, {end, follow})
                smaller = inside in nodes and (best is None or len(nodes) < len(best[0]))
                if smaller and self._closed(head, nodes, end, follow):
                    best = (nodes, end)
            if best is not None:
                return head, *best
        raise _UnfitError

    def _closed(self, head: str, nodes: set[str], end: Target, follow: Target) -> bool:
        for name in nodes:
            node = self._graph.nodes[name]
            escapes = escaping(node)
            if any(target in self._graph.nodes and target not in nodes for target in escapes):
                return False
            if not all(self._allowed(way, nodes, end, follow) for way in (*own_targets(node), *escapes)):
                return False
            broken = node.action.on_break if isinstance(node.action, Loop) else None
            last = broken if broken is not None else node.next if escapes else None
            if last == END != end and END in self._scope.free:
                return False  # the `return` behind it would also end the ways that name a stage
            if name != head and not nodes.issuperset(self._edges.sources(name)):
                return False
        outside = set(self._edges.sources(head)) - nodes
        return outside <= self._placed

    def _flow(self, head: Target, nodes: set[str], end: Target) -> Flow:
        labels = self._stage_labels(head, nodes)
        while True:
            made = _Stages(self, nodes, labels, end)
            stages = made.run(sorted(labels, key=lambda name: (name != head, self._rank.get(name, -1))))
            missing = nodes - made.placed
            if not missing:
                self._placed |= nodes
                return Flow(stages)
            labels.add(min(missing, key=self._rank.__getitem__))

    def _stage_labels(self, head: Target, nodes: set[str]) -> set[str]:
        labels = {head}
        free = self._scope.free & {END}
        for name in nodes:
            node = self._graph.nodes[name]
            sources = [source for source in self._edges.sources(name) if source in nodes]
            if len(sources) != 1 or self._graph.entry == name:
                labels.add(name)
            escapes = [target for target in escaping(node) if target not in free]
            labels.update(target for target in escapes if target in nodes)
            loop = node.action if isinstance(node.action, Loop) else None
            if node.next in nodes and (escapes or (loop is not None and loop.on_break is not None)):
                labels.add(node.next)
            if loop is not None and loop.on_break in nodes:
                labels.add(loop.on_break)
            if not completes(node):
                labels.update(target for target in own_targets(node) if target in nodes)
        return labels

    # --- what stages use ----------------------------------------------------------------------------------------------

    def stage_node(self, name: str) -> Node:
        """A node of the graph."""
        return self._graph.nodes[name]

    def jumps_to(self, target: Target) -> bool:
        """Whether the form names a node behind the flow (YAML), where Python ends the turn."""
        return self._scope.jumps and target in self._graph.nodes

    def stage_split(self, node: Node, parallel: Parallel) -> Split:
        """A PARALLEL inside a stage."""
        return _split(node, parallel, jumps=self._scope.jumps)

    def stage_exit(self, target: Target) -> Statement:
        """The statement for an edge that leads out of the flow to anything but its end."""
        if target == END:
            return Exit(END, leaves=END in self._scope.free)
        if target in _LOOP_EXITS:
            return Exit(target, leaves=False)
        if target in self._labels:
            return Go(target)
        raise _UnfitError

    def stage_trial(self, node: Node, attempt: Try, labels: frozenset[str]) -> Trial:
        """A TRY inside a stage: its edges to stages are `Go`s."""
        free = self._scope.free - {END} if self._scope.jumps else _NOWHERE
        return self._parts(node, attempt, free, END, self._labels | labels)

    def stage_loop(self, loop: Loop) -> Block:
        """The body of a LOOP inside a stage."""
        return self._inner(Scope(loop.body, _LOOP_EXITS, jumps=self._scope.jumps), _NOWHERE)


@final
class _Stages:
    """Writes the stages of one flow: trees whose leaves go to a stage, leave, or end the turn."""

    def __init__(self, owner: _Structurer, nodes: set[str], labels: set[str], end: Target) -> None:
        self._owner = owner
        self._nodes = nodes
        self._labels = frozenset(labels)
        self._end = end
        self.placed: set[str] = set()

    def run(self, labels: Iterable[str]) -> tuple[Stage, ...]:
        """All stages in the order of `labels`."""
        return tuple(Stage(label, self._from(label)) for label in labels)

    def _way(self, target: Target) -> Block:
        if target == self._end:
            return ()
        if target in self._labels:
            return (Go(target),)
        if target in self._nodes:
            return self._from(target)
        return (self._owner.stage_exit(target),)

    def _from(self, name: str) -> Block:
        done: list[Statement] = []
        while name in self._nodes:
            self.placed.add(name)
            node = self._owner.stage_node(name)
            done.append(self._statement(node))
            after = _behind(node)
            if after is None:
                return tuple(done)
            if after in self._labels or after == self._end or after not in self._nodes:
                return (*done, *self._way(after))
            name = after
        return tuple(done)

    def _statement(self, node: Node) -> Statement:
        match node.action:
            case Decision():
                *arms, default = [self._way(target) for target in targets_of(node)]
                return Choice(node, tuple(arms), default)
            case Loop(on_break=on_break) as loop:
                if on_break is None or node.next is None:
                    return Repeat(node, self._owner.stage_loop(loop))
                return Repeat(node, self._owner.stage_loop(loop), self._else_part(node.next, on_break))
            case Parallel() as parallel:
                return self._owner.stage_split(node, parallel)
            case Try() as attempt:
                return self._owner.stage_trial(node, attempt, self._labels)
            case _:
                return Single(node)

    def _else_part(self, target: Target, on_break: Target) -> Block:
        if target == self._end != on_break:
            return (Go(target) if self._owner.jumps_to(target) else Exit(END, leaves=False),)
        return self._way(target)


def _behind(node: Node) -> Target | None:
    """The target that the text behind a statement leads to."""
    if isinstance(node.action, Loop) and node.action.on_break is not None:
        return node.action.on_break
    return None if ends_run(node) else node.next


def _split(node: Node, parallel: Parallel, *, jumps: bool) -> Split:
    branches = tuple(structure(branch.graph, jumps=jumps) for branch in parallel.branches)
    return Split(node, branches, None if parallel.body is None else structure(parallel.body, jumps=jumps))


def _falls_off(graph: Graph) -> bool:
    return graph.entry == END or any(END in own_targets(node) for node in graph.nodes.values())


def _as_loop(node: Node) -> Loop:
    assert isinstance(node.action, Loop)  # noqa: S101  # the caller matched it
    return node.action
