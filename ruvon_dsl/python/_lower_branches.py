"""The graphs of branches: one effect, or the body of a nested `async def`."""

import re
from collections.abc import Collection
from dataclasses import replace

from ruvon.ir._nodes import Graph, HumanSource, Parallel, Return, Wait
from ruvon.ir._spans import Span
from ruvon.ir._verify import single_effect
from ruvon.ir.expr._nodes import Const, Name
from ruvon_dsl.python import _codes as codes
from ruvon_dsl.python._callees import RESULT, Effect
from ruvon_dsl.python._context import RETURNS, BranchFunction, Frame, Given, Place, Unit
from ruvon_dsl.python._frames import frame_of
from ruvon_dsl.python._lower_inline import BlockUse, block_of, inline
from ruvon_dsl.python._naming import variable_of
from ruvon_dsl.python._pieces import Pieces, Step, Stop, falls, graph_of
from ruvon_dsl.python._scopes import statements_of, target_parts, values_of
from ruvon_dsl.python._surface import (
    Annotated,
    Assigned,
    Augmented,
    Awaiting,
    Block,
    Dotted,
    ForLoop,
    Function,
    Invocation,
    Statement,
)

__all__ = ["branch_graph", "branch_place", "effect_graph", "named_branch"]


def branch_place(place: Place, bound: dict[str, Span]) -> Place:
    """The outermost place of a branch that starts here; it has no variables but `bound`."""
    return Place(Frame(bound, place.frame, rename=place.frame.rename), outermost=False, top=True, past=RETURNS)


def named_branch(work: Invocation, place: Place) -> BranchFunction | None:
    """The nested `async def` that a call names."""
    return place.frame.branch(work.function.name) if isinstance(work.function, Dotted) else None


def effect_graph(unit: Unit, awaiting: Awaiting, place: Place) -> tuple[str, str, Graph] | None:
    """A branch that is one call: the id of its node, the name it has for `after`, its graph."""
    from ruvon_dsl.python._lower_effects import lower_effect  # noqa: PLC0415 - a branch may hold any effect, also a gather

    use = block_of(unit, awaiting, place)
    if use is not None:
        return _block_graph(unit, use, place)
    effect: Effect | None = lower_effect(unit, awaiting, place, given=Given(), wanted=None)
    if effect is None:
        return None
    if not isinstance(effect.action, Parallel):
        graph = graph_of((Step(effect.id, effect.action, effect.span, effect.automate),))
        return effect.id, _called(effect), graph
    return effect.id, effect.base, _gathered(unit, effect)


def _called(effect: Effect) -> str:
    """The name of a branch for `after`, which `.local` uses too: its own, what it calls, a person's task for `human`."""
    match effect.action:
        case Wait(source=HumanSource(task=Const(value=str(task)))) if effect.base == "human":
            return task
        case _:
            return effect.base


def _block_graph(unit: Unit, use: BlockUse, place: Place) -> tuple[str, str, Graph] | None:
    """A `@block` as a branch; its result is the branch's."""
    made = inline(unit, use, replace(place, after="node"), Given(), RESULT)
    if made is None:
        return None
    pieces, output = made
    stop = Stop(unit.ids.derive("return"), Return(value=output), use.call.span)
    name = use.name.rpartition(".")[2]
    return name, name, graph_of((*pieces, stop) if falls(pieces) else pieces)


def _gathered(unit: Unit, effect: Effect) -> Graph:
    """A `gather` as a branch: its results are the branch's result, which only a RETURN can say."""
    result = Name(variable_of(effect.id, "result"), effect.span)
    step = Step(effect.id, replace(effect.action, output=result), effect.span, effect.automate)
    return graph_of((step, Stop(unit.ids.derive("return"), Return(value=result), effect.span)))


def branch_graph(
    unit: Unit, branch: BranchFunction, call: Invocation, place: Place, *, mapped: Collection[str] = ()
) -> Graph:
    """The graph of a nested function at its one use; `mapped` are the names that a mapped `gather` gives to it."""
    function = branch.function
    branch.used.append(call.span)
    _check_call(unit, function, call, mapped)
    parameters = {item.name: item.span for item in function.parameters}
    frame = frame_of(function.body, parameters, place.frame)
    frame.rename = place.frame.rename
    _check_shadowing(unit, function, frame, place.frame)
    inner = Place(frame, outermost=False, top=True, past=RETURNS)
    if len(branch.used) > 1:
        return graph_of(())
    pieces: Pieces = unit.block(function.body, inner)
    graph = graph_of(pieces)
    if single_effect(graph) is None:
        return graph
    stop = Stop(unit.ids.derive("return"), Return(), function.span)
    return graph_of((*(piece for piece in pieces if isinstance(piece, Step)), stop))


def _check_call(unit: Unit, function: Function, call: Invocation, mapped: Collection[str]) -> None:
    plain = all(arg.keyword is None and not arg.star for arg in call.args)
    takes = len(function.parameters)
    given = [arg.value.name for arg in call.args if isinstance(arg.value, Dotted)]
    several = len(set(given)) == len(call.args) and set(given) <= set(mapped)
    fits = takes == 0 or (takes == 1 and mapped) or several
    if not fits or len(call.args) != takes or not plain:
        unit.findings.error(
            codes.BRANCH_PARAMETER,
            f"the branch `{function.name}` takes {takes} parameter{'s' if takes != 1 else ''} and gets {len(call.args)}",
            call.span,
            help=(
                "a branch has no parameters and reads the variables around it; in a mapped gather it has one, the item: "
                "`gather(*(branch(x) for x in xs))`, or the names behind `for`: `gather(*(branch(i, x) for i, x in xs))`"
            ),
        )


def _check_shadowing(unit: Unit, function: Function, frame: Frame, outer: Frame) -> None:
    """A name that both bind is the branch's own in Python; reading it before would be an error there, not here."""
    parameters = {item.name for item in function.parameters}
    for name in frame.bound:
        first = outer.bound.get(name)
        if name in parameters or first is None or first.start > function.span.start:
            continue
        if not _binds_first(function.body, name):
            unit.findings.error(
                codes.BRANCH_SHADOWS,
                f"the branch `{function.name}` binds `{name}`, which the workflow also binds",
                frame.bound[name],
                help="give the branch's variable another name",
                reason="in Python the branch would have a variable of its own, which may have no value where it is read",
            )


def _binds_first(body: Block, name: str) -> bool:
    """Whether a plain assignment of the block binds the name before anything reads it, or nothing ever does."""
    word = re.compile(rf"\b{re.escape(name)}\b")
    if not _reads_in(body, word):
        return True
    for statement in body.statements:
        if any(word.search(value.text) for item in _within(statement) for value in values_of(item)):
            return False
        if isinstance(statement, Assigned | Annotated) and statement.value is not None:
            if any(part == name for part, _ in target_parts(statement.target)):
                return True
        elif isinstance(statement, ForLoop) and any(part == name for part, _ in target_parts(statement.target)):
            return False
    return False


def _reads(statement: Statement, word: re.Pattern[str]) -> bool:
    changed = [statement.target.text] if isinstance(statement, Augmented) else []
    inner = _reads_in(statement.body, word) if isinstance(statement, Function) else False
    return inner or any(word.search(text) for text in (*changed, *(value.text for value in values_of(statement))))


def _reads_in(body: Block, word: re.Pattern[str]) -> bool:
    return any(_reads(item, word) for item in statements_of(body))


def _within(statement: Statement) -> tuple[Statement, ...]:
    return tuple(statements_of(Block((statement,), statement.span)))
