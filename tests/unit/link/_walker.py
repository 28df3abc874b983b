"""A second, slow way to find out which variables are set where: every path of a small graph, one bound set at a time.

Written without looking at the data-flow engine. It follows concrete sets of bound names through nested graphs and keeps
every set that reaches each node; a variable may be unset at a node exactly when one of these sets lacks it.
"""

from ruvon.ir import BREAK, CONTINUE, END, Assign, Call, Decision, Fail, Graph, Loop, Node, Parallel, Return, Try
from ruvon.ir.expr import Const, Name

Bound = frozenset[str]
Ways = set[tuple[str, Bound]]
"""Ways out of a graph: a target (or `raise`, `cancel`, `return`) and what is bound there."""


def _raises(bound: Bound) -> Ways:
    """What may raise may also be the place where the workflow is cancelled."""
    return {("raise", bound), ("cancel", bound)}


class PathWalker:
    """Walks all paths; `seen` holds every bound set that reaches each node."""

    def __init__(self) -> None:
        self.seen: dict[str, set[Bound]] = {}

    def graph(self, graph: Graph, bound: Bound) -> Ways:
        """Every way out of the graph for one set of bound names at its entry."""
        ways: Ways = set()
        done: set[tuple[str, Bound]] = set()
        pending = [(graph.entry, bound)]
        while pending:
            target, names = pending.pop()
            if target not in graph.nodes:
                ways.add((target, names))
            elif (target, names) not in done:
                done.add((target, names))
                self.seen.setdefault(target, set()).add(names)
                pending.extend(self._node(graph.nodes[target], names))
        return ways

    def _node(self, node: Node, bound: Bound) -> Ways:
        following = node.next or END
        match node.action:
            case Assign(target=Name(id=name), value=value):
                after = (following, bound | {name})
                return {after} if isinstance(value, Const | Name) else {after, *_raises(bound)}
            case Call(output=output):
                bound_name = {output.id} if isinstance(output, Name) else set[str]()
                return {(following, bound | bound_name), *_raises(bound)}
            case Decision(routes=routes, default=default):
                return {(target, bound) for target in (*(r.target for r in routes), default)} | {*_raises(bound)}
            case Return(value=value):
                out = {("return", bound)}
                return out if value is None or isinstance(value, Const | Name) else {*out, *_raises(bound)}
            case Fail():
                return _raises(bound)
            case Loop() as loop:
                return self._loop(node, loop, bound)
            case Try() as attempt:
                return self._try(node, attempt, bound)
            case Parallel() as parallel:
                return self._parallel(node, parallel, bound)
            case _:
                raise AssertionError(node)

    def _loop(self, node: Node, loop: Loop, bound: Bound) -> Ways:
        ways: Ways = {*_raises(bound)}
        heads, pending = {bound}, [bound]
        endless = isinstance(loop.condition, Const)
        while pending:
            head = pending.pop()
            if not endless:
                ways.add((node.next or END, head))
            inside = head | ({loop.item.id} if isinstance(loop.item, Name) else set[str]())
            for target, names in self.graph(loop.body, inside):
                if target in (END, CONTINUE):
                    if names not in heads:
                        heads.add(names)
                        pending.append(names)
                elif target == BREAK:
                    ways.add((loop.on_break or node.next or END, names))
                else:
                    ways.add((target, names))
        return ways

    def _try(self, node: Node, attempt: Try, bound: Bound) -> Ways:
        out: Ways = set()
        catches_all = any("builtins:Exception" in handler.classes for handler in attempt.handlers)
        for target, names in self.graph(attempt.body, bound):
            if target == "cancel":
                out.add((target, names))
                continue
            if target != "raise":
                out.add((node.next or END if target == END else target, names))
                continue
            if not catches_all:
                out.add((target, names))
            for handler in attempt.handlers:
                start = names | ({handler.name} if handler.name else set[str]())
                ended = self.graph(handler.graph, start)
                gone = {handler.name}
                out |= {(node.next or END if to == END else to, kept - gone) for to, kept in ended}
        if attempt.final is None:
            return out
        left: Ways = set()
        for target, names in out:
            for to, kept in self.graph(attempt.final, names):
                left.add((target if to == END else to, kept))
        return left

    def _parallel(self, node: Node, parallel: Parallel, bound: Bound) -> Ways:
        ways: Ways = {*_raises(bound)}
        comes_back: list[bool] = []
        for branch in parallel.branches:
            ends = self.graph(branch.graph, bound)
            comes_back.append(any(target in (END, "return") for target, _ in ends))
        if all(comes_back):
            outputs = {branch.output.id for branch in parallel.branches if isinstance(branch.output, Name)}
            ways.add((node.next or END, bound | outputs))
        return ways
