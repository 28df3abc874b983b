"""Questions about statements that the Python printer asks, and the rules of notation behind them."""

from collections.abc import Collection, Iterable
from typing import Final

from ruvon.ir._nodes import END, Call, Fail, Node, OnFailure, Parallel, Return, Start, Wait
from ruvon.ir.expr import Const, Expr, Name, Tuple
from ruvon_dsl.printing._region import ends_run
from ruvon_dsl.printing._tree import Block, Choice, Exit, Flow, Go, Repeat, Single, Split, Statement, Trial, children

__all__ = [
    "augments",
    "gathered",
    "item_names",
    "jumps_in_handlers",
    "left_by",
    "looks_shared",
    "returned",
    "with_otherwise",
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


def with_otherwise(trial: Trial, otherwise: Block) -> Trial:
    """The same TRY with an else part."""
    return Trial(trial.node, trial.body, trial.handlers, otherwise, trial.final)


def jumps_in_handlers(trial: Trial, following: Statement) -> bool:
    """Whether what follows a TRY must be its else part, because every handler goes elsewhere and the body does not."""
    jump = isinstance(following, Go) or (isinstance(following, Exit) and not following.leaves)
    if not jump or trial.otherwise is not None or not trial.handlers or _has_jump(trial.body):
        return False
    return any(_has_jump(block) for block in trial.handlers) and all(_ends(block) for block in trial.handlers)


def _has_jump(block: Block) -> bool:
    for statement in block:
        if isinstance(statement, Go) or (isinstance(statement, Exit) and not statement.leaves):
            return True
        if not isinstance(statement, Split | Repeat) and any(_has_jump(inner) for inner in children(statement)):
            return True
    return False


def _ends(block: Block) -> bool:
    """Whether no path falls off the end of a block."""
    match block[-1] if block else None:
        case Go() | Exit():
            return True
        case Single(node=node):
            return isinstance(node.action, Return | Fail) or ends_run(node)
        case Choice(arms=arms, default=default):
            return all(_ends(arm) for arm in arms) and _ends(default)
        case _:
            return False


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
