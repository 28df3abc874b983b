"""Arguments of branches that can fail: Python evaluates those of all branches before the first one begins.

In `gather(charge(state), mail(state.addresses[0]))` nothing is charged where there is no address. A branch of the graph
evaluates its arguments when it begins, which gives the same values; so what may raise is tried once when the PARALLEL is
entered, and an error there is the PARALLEL's own. A branch that comes after others sees what they left, so only those of
its arguments are tried that read nothing of it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, TypeAlias

from ruvon.engine import Compiler
from ruvon.ir._nodes import Branch, Graph, Parallel
from ruvon.ir._reads import values_of
from ruvon.ir._verify import single_effect
from ruvon.ir.expr import Expr, ExpressionBudgetError, bound_names, names, walk
from ruvon.ir.expr import _nodes as e

__all__ = ["Trial", "trial_of"]

Trial: TypeAlias = Callable[[Any], None]
"""Evaluates, in the environment of whoever enters the PARALLEL, what may raise; gives nothing, only raises."""

_PLAIN: Final = (e.Const, e.Name, e.Ref, e.Attribute, e.Boolean, e.Conditional, e.List, e.Tuple)
"""Checked by the linker not to fail: names are bound, fields exist, and the rest only puts values together."""


def trial_of(action: Parallel, compiler: Compiler) -> Trial | None:
    """What to try before a branch begins; None where no argument can fail."""
    tried = [*_static(action.branches), *_mapped(action)]
    if not tried:
        return None
    evaluate = compiler.expr(e.Tuple(tuple(tried)))

    def trial(env: Any) -> None:
        with suppress(ExpressionBudgetError):  # together they cost too much; each branch has a budget of its own
            evaluate(env)

    return trial


def _static(branches: Sequence[Branch]) -> Iterator[Expr]:
    by_label = {branch.label: branch for branch in branches}
    for branch in branches:
        later = {"state"} | {name for other in _before(branch, by_label) for name in _bound(other.output)}
        for expr in _arguments(branch.graph):
            if not branch.after or later.isdisjoint(names(expr)):
                yield expr


def _before(branch: Branch, by_label: Mapping[str, Branch]) -> Iterator[Branch]:
    pending, found = list(branch.after), set[str]()
    while pending:
        label = pending.pop()
        if label not in found:
            found.add(label)
            yield by_label[label]
            pending.extend(by_label[label].after)


def _bound(target: Expr | None) -> Iterable[str]:
    return () if target is None else bound_names(target)


def _mapped(action: Parallel) -> Iterator[Expr]:
    """One expression that tries the arguments of every item, and keeps none of them."""
    if action.body is None or action.over is None:
        return
    element = tuple(_arguments(action.body))
    if not element:
        return
    target = action.item if action.item is not None else e.Name("_")
    over = action.over
    if action.index is not None:
        target = e.Tuple((e.Name(action.index), target))
        over = e.Call(e.Name("enumerate"), (over,))
    nothing = e.Compare(e.Tuple(element), ("is",), (e.Const(None),))
    turns = e.Comprehension("generator", nothing, (e.Clause(target, over),))
    yield e.Call(e.Name("any"), (turns,))


def _arguments(graph: Graph) -> Iterator[Expr]:
    """The arguments that may raise of the call that a branch is; none of a branch that is more than a call."""
    node = single_effect(graph)
    if node is not None and not isinstance(node.action, Parallel):
        yield from (expr for expr in values_of(node) if _may_raise(expr))


def _may_raise(expr: Expr) -> bool:
    return not all(isinstance(part, _PLAIN) for part in walk(expr))
