"""Questions about statements that the Python printer asks, and the rules of notation behind them."""

from collections.abc import Collection, Iterable
from typing import Final

from ruvon.ir._nodes import END, Branch, Call, HumanSource, Node, OnFailure, Parallel, Return, Start, Wait
from ruvon.ir._verify import single_effect
from ruvon.ir.expr import Call as CallExpr
from ruvon.ir.expr import Const, Expr, Name, Tuple
from ruvon_dsl.printing._names import base_name
from ruvon_dsl.printing._tree import Block, Exit, Flow, Repeat, Single, Split, Statement, children

__all__ = [
    "augments",
    "gathered",
    "item_names",
    "labelled",
    "left_by",
    "looks_counted",
    "looks_shared",
    "returned",
    "without_implied_return",
]

_AUGMENTED: Final = frozenset({"+", "-", "*", "/", "//", "%", "**", "<<", ">>", "&", "|", "^"})


def left_by(flow: Flow) -> set[str]:
    """BREAK and CONTINUE as they leave the flow for the loop around it."""
    found: set[str] = set()
    pending: list[Statement] = [item for stage in flow.stages for item in stage.block]
    while pending:
        statement = pending.pop()
        if isinstance(statement, Exit) and not statement.leaves and statement.target != END:
            found.add(statement.target)
        if isinstance(statement, Repeat):
            pending.extend(statement.otherwise or ())
        elif not isinstance(statement, Split):
            pending.extend(item for block in children(statement) for item in block)
    return found


def gathered(parallel: Parallel) -> Expr | None:
    """The target of a gather: the node's, or the tuple of the branches' own, with `_` where there is none."""
    if parallel.output is not None or all(branch.output is None for branch in parallel.branches):
        return parallel.output
    return Tuple(tuple(branch.output or Name("_") for branch in parallel.branches))


def looks_shared(parallel: Parallel) -> bool:
    """Whether the node's own tuple of targets would read as the branches' targets."""
    output = parallel.output
    alike = isinstance(output, Tuple) and len(output.items) == len(parallel.branches)
    return alike and parallel.on_failure is OnFailure.CANCEL


def labelled(parallel: Parallel, explicit: Collection[str]) -> set[str]:
    """Branches that another one comes after and that `after` would know under another name than their label."""
    wanted = {label for branch in parallel.branches for label in branch.after}
    names = {branch.label: _known_as(branch, explicit) for branch in parallel.branches}
    found = {label for label in wanted if names[label] != label}
    known = [label if label in found else name for label, name in names.items()]
    return set(names) if wanted and len(set(known)) < len(known) else found


def _known_as(branch: Branch, explicit: Collection[str]) -> str | None:
    """The name that `after` has for a branch, before repetitions in its `gather` are numbered."""
    node = single_effect(branch.graph)
    if node is None:
        return branch.label
    source = node.action.source if isinstance(node.action, Wait) else None
    if node.id in explicit or not isinstance(source, HumanSource):
        return node.id if node.id in explicit else base_name(node)
    return str(source.task.value) if isinstance(source.task, Const) else None


def looks_counted(item: Tuple, over: Expr) -> bool:
    """Whether the pairs of an `enumerate` would read as index and item."""
    match over, item.items:
        case CallExpr(function=Name(id="enumerate"), args=(_,), keywords=()), (Name(), _):
            return True
        case _:
            return False


def item_names(item: Expr | None) -> list[str]:
    match item:
        case Name(id=name):
            return [name]
        case Tuple(items=items):
            return [name for part in items for name in item_names(part)]
        case _:
            return []


def augments(op: str, left: Expr, right: Expr) -> bool:
    """Whether `left op= right` means the same assignment; `+=` of a list on a local name would extend it in place."""
    if op not in _AUGMENTED:
        return False
    return not isinstance(left, Name) or (isinstance(right, Const) and isinstance(right.value, int | float | str))


def without_implied_return(block: Block, explicit: Collection[str]) -> Block:
    """A nested function that is one effect gets its RETURN without value from the front end."""
    match block:
        case (
            Single(node=Node(action=Call() | Wait() | Start())) as first,
            Single(node=Node(action=Return(value=None)) as last),
        ):
            return block if last.id in explicit else (first,)
        case _:
            return block


def returned(block: Block) -> Iterable[Expr | None]:
    for statement in block:
        if isinstance(statement, Single) and isinstance(statement.node.action, Return):
            yield statement.node.action.value
        if not isinstance(statement, Split):
            for inner in children(statement):
                yield from returned(inner)
