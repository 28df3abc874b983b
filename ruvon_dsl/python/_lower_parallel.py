"""`gather` and `first_of`: static branches, mapped branches, nested `async def` as branches."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, final

from ruvon.ir._diagnostics import Severity
from ruvon.ir._nodes import (
    Branch,
    Call,
    Graph,
    Join,
    Merge,
    MergeConflict,
    OnFailure,
    Parallel,
)
from ruvon.ir._verify import single_effect
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr import names as names_of
from ruvon.ir.expr import substitute
from ruvon.ir.expr._nodes import Expr
from ruvon_dsl.python import _codes as codes
from ruvon_dsl.python._callees import RESULT, Effect, Wanted
from ruvon_dsl.python._context import BranchFunction, Given, Place, Unit
from ruvon_dsl.python._lower_branches import branch_graph, branch_place, effect_graph, named_branch
from ruvon_dsl.python._lower_items import counted, unbracketed
from ruvon_dsl.python._lower_options import MERGING, constant, read_merge, read_timeout
from ruvon_dsl.python._lower_values import lower_value, read_expression
from ruvon_dsl.python._lower_waits import ruvon_arguments
from ruvon_dsl.python._naming import variable_of
from ruvon_dsl.python._surface import Argument, Awaiting, Dotted, Each, Invocation, Value

__all__ = ["first_of_effect", "gather_effect"]

_RACE_OPTIONS: Final = ("merge", "conflict", "merge_function", "timeout")
_OPTIONS: Final = ("limit", "batch_size", "on_failure", "partial", "tolerate", *_RACE_OPTIONS)


@final
@dataclass(slots=True)
class _Settings:
    """The keyword arguments of one `gather`."""

    limit: Expr | None = None
    batch_size: Expr | None = None
    tolerate: Expr | None = None
    collect: bool = False
    merge: Merge = field(default_factory=lambda: Merge(conflict=MergeConflict.RAISE_ERROR))
    timeout_us: int | None = None


def gather_effect(unit: Unit, call: Invocation, place: Place, *, given: Given, wanted: Wanted) -> Effect | None:
    """The PARALLEL node of a `gather`."""
    node = _settle(unit, "gather", given)
    each = [arg for arg in call.args if arg.keyword is None]
    settings = _settings(unit, [arg for arg in call.args if arg.keyword is not None], place)
    first = each[0] if each else None
    if first is None:
        _bad_argument(unit, call, "`gather` runs at least one branch")
        return None
    if first.star and len(each) == 1 and isinstance(first.value, Each):
        action = _mapped(unit, first.value, place, settings)
    else:
        action = _static(unit, each, place, settings)
    if action is None:
        return None
    return _finished(unit, node, action, call, place, given, wanted)


def _settle(unit: Unit, base: str, given: Given) -> str:
    if given.name is None:
        return unit.ids.derive(base)
    name, given.name = given.name, None
    return unit.ids.use(name)


def _finished(
    unit: Unit, node: str, action: Parallel, call: Invocation, place: Place, given: Given, wanted: Wanted
) -> Effect:
    automate = unit.automation(place, given.automate_next)
    base = "gather" if action.join is Join.ALL else "first"
    output = e.Name(variable_of(node, "result"), call.span) if wanted is RESULT else wanted
    shared = action.branches and action.join is Join.ALL and action.on_failure is OnFailure.CANCEL
    if shared and isinstance(output, e.Tuple) and len(output.items) == len(action.branches):
        pairs = zip(action.branches, output.items, strict=True)
        branches = tuple(replace(branch, output=_kept(target)) for branch, target in pairs)
        return Effect(node, replace(action, branches=branches), call.span, automate, output, base)
    return Effect(node, replace(action, output=output), call.span, automate, output, base)


def _kept(target: e.Expr) -> e.Expr | None:
    """The target of a branch's result; `_` says that nobody wants it."""
    return None if isinstance(target, e.Name) and target.id == "_" else target


def _bad_argument(unit: Unit, value: Value | Invocation, message: str) -> None:
    unit.findings.error(
        codes.GATHER_ARGUMENT,
        message,
        value.span,
        help="give calls: `gather(f(a), g(b))`, or one mapped call: `gather(*(f(x) for x in xs))`",
        reason="each branch is a part of the graph, so it must be written where it runs",
    )


# --- options ----------------------------------------------------------------------------------------------------------


def _settings(unit: Unit, args: Sequence[Argument], place: Place) -> _Settings:
    settings = _Settings()
    for arg in args:
        name, value = arg.keyword or "", arg.value
        match name:
            case "limit":
                settings.limit = _optional(unit, value, place)
            case "batch_size":
                settings.batch_size = _optional(unit, value, place)
            case "tolerate":
                settings.tolerate = _optional(unit, value, place)
                settings.collect = settings.collect or settings.tolerate is not None
            case "partial":
                settings.collect = constant(unit, value, place.frame, bool, "`partial`") or settings.collect
            case "on_failure":
                _on_failure(unit, settings, arg, place)
            case _:
                _common(unit, "gather", settings, arg, place)
    return settings


def _common(unit: Unit, what: str, settings: _Settings, arg: Argument, place: Place) -> None:
    """Read an option that `gather` and `first_of` have."""
    name, value = arg.keyword or "", arg.value
    if name == "timeout":
        settings.timeout_us = read_timeout(unit, value, place.frame)
    elif name in MERGING:
        settings.merge = read_merge(unit, settings.merge, name, value, place.frame, codes.GATHER_OPTION)
    else:
        _unknown_option(unit, what, arg)


def _optional(unit: Unit, value: Value, place: Place) -> Expr | None:
    found = lower_value(unit, value, place.frame, value.span)
    return None if found == e.Const(None) else found


def _unknown_option(unit: Unit, what: str, arg: Argument) -> None:
    extra, known = "", _RACE_OPTIONS if what == "first_of" else _OPTIONS
    if arg.keyword == "return_exceptions" and what == "gather":
        extra = "; `partial=True` gives a `Batch` with the results and the failures"
    unit.findings.error(
        codes.GATHER_OPTION,
        f"`{what}` has no option `{arg.keyword}`",
        arg.span,
        help=f"it takes {', '.join(f'`{name}`' for name in known)}{extra}",
    )


def _on_failure(unit: Unit, settings: _Settings, arg: Argument, place: Place) -> None:
    mode = constant(unit, arg.value, place.frame, str, "`on_failure`")
    if mode == "collect":
        settings.collect = True
    elif mode not in {"cancel", None}:
        unit.findings.error(
            codes.GATHER_OPTION, f"`on_failure` is not `{mode}`", arg.span, help='it is "cancel" or "collect"'
        )


# --- static branches --------------------------------------------------------------------------------------------------


def _static(unit: Unit, each: Sequence[Argument], place: Place, settings: _Settings) -> Parallel | None:
    branches: list[Branch] = []
    aliases: dict[str, str] = {}
    waits: list[tuple[int, Invocation]] = []
    for arg in each:
        work, order = _after(unit, arg.value)
        made = None if arg.star or work is None else _branch(unit, work, place)
        if arg.star or (work is None and order is None):
            _bad_argument(unit, arg.value, f"`{'*' if arg.star else ''}{_short(arg.value)}` is not a call")
        if made is None:
            continue
        label, name, graph = made
        own = None if order is None else _own_label(unit, order, place)
        if own is not None:
            label = name = own
        aliases.setdefault(_numbered(aliases, name), label)
        if order is not None:
            waits.append((len(branches), order))
        branches.append(Branch(label=label, graph=graph))
    if not branches:
        return None
    for index, order in waits:
        labels = _after_labels(unit, order, aliases, branches[index].label, place)
        _check_eager(unit, order, branches[index], place)
        branches[index] = replace(branches[index], after=labels)
    return _parallel(tuple(branches), settings)


def _parallel(branches: tuple[Branch, ...], settings: _Settings) -> Parallel:
    return Parallel(
        branches=branches,
        limit=settings.limit,
        batch_size=settings.batch_size,
        tolerate=settings.tolerate,
        on_failure=OnFailure.COLLECT if settings.collect else OnFailure.CANCEL,
        merge=settings.merge,
        timeout_us=settings.timeout_us,
    )


def _short(value: Value) -> str:
    flat = " ".join(value.text.split())
    return flat if len(flat) <= 60 else f"{flat[:57]}..."


def _numbered(taken: dict[str, str], name: str) -> str:
    """The label under which `after` names a branch, as `.local` does: what it calls, numbered in order of the arguments."""
    number = 2
    label = name
    while label in taken:
        label = f"{name}_{number}"
        number += 1
    return label


def _after(unit: Unit, value: Value) -> tuple[Invocation | None, Invocation | None]:
    """The work of an argument, and the `after(...)` around it."""
    if not isinstance(value, Invocation):
        return None, None
    if isinstance(value.function, Dotted) and unit.names.ruvon(value.function.parts) == "after":
        work = value.args[0].value if value.args else None
        names = [arg.keyword for arg in value.args[1:]]
        if isinstance(work, Invocation) and names and names.count("label") == sum(name is not None for name in names):
            return work, value
        unit.findings.error(
            codes.AFTER,
            "`after` takes a call, the labels it waits for, and a `label` of its own",
            value.span,
            help='write `after(d(state), "a", "b")`',
        )
        return None, value
    return value, None


def _own_label(unit: Unit, order: Invocation, place: Place) -> str | None:
    """The label that `after(..., label=)` gives to its branch."""
    value = next((arg.value for arg in order.args if arg.keyword == "label"), None)
    return None if value is None else constant(unit, value, place.frame, str, "the label")


def _check_eager(unit: Unit, order: Invocation, branch: Branch, place: Place) -> None:
    """Warn of arguments that Python reads before the `gather` begins, and the graph when the branch does."""
    work = order.args[0].value if order.args else None
    node = single_effect(branch.graph)
    if node is None or not isinstance(work, Invocation) or named_branch(work, place) is not None:
        return
    values = node.action.args.values() if isinstance(node.action, Call) else ()
    for value in values:
        if value != e.Name("state") and "state" in names_of(value) and value.span is not None:
            unit.findings.error(
                codes.AFTER,
                "this argument is read before the branches that it comes after have run",
                value.span,
                severity=Severity.WARNING,
                help="pass `state` itself, or read it inside a nested `async def`",
                reason="under Python arguments are evaluated before the `gather` begins, in the graph when the branch does",
            )


def _after_labels(unit: Unit, order: Invocation, aliases: dict[str, str], own: str, place: Place) -> tuple[str, ...]:
    """The labels in the graph of the branches that an `after` names."""
    found: list[str] = []
    for arg in order.args[1:]:
        if arg.keyword is not None:
            continue
        name = constant(unit, arg.value, place.frame, str, "the label")
        if name is None:
            continue
        label = aliases.get(name)
        if label is None or label == own:
            names = [item for item, other in aliases.items() if other != own]
            unit.findings.error(
                codes.AFTER,
                f"`{name}` is no other branch of this `gather`",
                arg.span,
                help=f"its branches are {', '.join(f'`{item}`' for item in names)}",
            )
        elif label not in found:
            found.append(label)
    return tuple(found)


def _branch(unit: Unit, work: Invocation, place: Place) -> tuple[str, str, Graph] | None:
    """Label, function name and graph of one branch."""
    function = named_branch(work, place)
    if function is not None:
        graph = branch_graph(unit, function, work, place)
        return function.function.name, function.function.name, graph
    awaiting = Awaiting(work, work.text, work.span)
    return effect_graph(unit, awaiting, branch_place(place, {}))


# --- mapped branches --------------------------------------------------------------------------------------------------


def _mapped(unit: Unit, each: Each, place: Place, settings: _Settings) -> Parallel | None:
    element = each.element.value if isinstance(each.element, Awaiting) else each.element
    if len(each.clauses) != 1 or not isinstance(element, Invocation) or isinstance(each.element, Awaiting):
        message = "a mapped `gather` is one call for each item of one list"
        _bad_argument(unit, each, message)
        return None
    clause = each.clauses[0]
    target = read_expression(unit, clause.target.text, clause.target.span)
    over = lower_value(unit, clause.over, place.frame, each.span)
    if target is None:
        return None
    names = {node.id: clause.target.span for node in _names(target)}
    inner = branch_place(place, names)
    tests = tuple(lower_value(unit, test, inner.frame, each.span) for test in clause.tests)
    function = named_branch(element, place)
    if function is None:
        made = effect_graph(unit, Awaiting(element, element.text, element.span), inner)
        graph = None if made is None else made[2]
        item, passed = target, target
    else:
        graph = branch_graph(unit, function, element, place, mapped=tuple(names))
        item, passed = _lent(unit, function, element, inner, target)
    if graph is None:
        return None
    index: str | None = None
    if tests or passed != target:
        clause_ = e.Clause(unbracketed(target), over, tests)
        over = e.Comprehension("list", unbracketed(passed), (clause_,), over.span)
    else:
        over, index, item = counted(over, item)
    return replace(_parallel((), settings), over=over, index=index, item=unbracketed(item), body=graph)


def _lent(unit: Unit, branch: BranchFunction, call: Invocation, inner: Place, target: Expr) -> tuple[Expr, Expr]:
    """A nested function lends its parameters as the item: the list holds what is passed to it."""
    parameters = branch.function.parameters
    if not parameters or not call.args:
        return target, target
    if len(parameters) == 1:
        passed = lower_value(unit, call.args[0].value, inner.frame, call.span)
        return e.Name(parameters[0].name, parameters[0].span), passed
    pairs = zip(parameters, call.args, strict=False)
    own = {arg.value.text: e.Name(parameter.name, parameter.span) for parameter, arg in pairs}
    return substitute(target, own), target


def _names(target: Expr) -> list[e.Name]:
    match target:
        case e.Name():
            return [target]
        case e.Tuple(items=items) | e.List(items=items):
            return [name for item in items for name in _names(item)]
        case _:
            return []


# --- the first of several ---------------------------------------------------------------------------------------------


def first_of_effect(unit: Unit, call: Invocation, place: Place, *, given: Given, wanted: Wanted) -> Effect | None:
    """The PARALLEL node of a race."""
    node = _settle(unit, "first_of", given)
    branches: list[Branch] = []
    settings = _Settings()
    for arg in call.args:
        if arg.keyword is not None:
            _common(unit, "first_of", settings, arg, place)
            continue
        if arg.star or not isinstance(arg.value, Invocation):
            _bad_race(unit, arg)
            continue
        made = _racer(unit, arg.value, place)
        if made is not None:
            branches.append(made)
    if sum(arg.keyword is None for arg in call.args) < 2:
        unit.findings.error(
            codes.RACE, "`first_of` needs at least two branches", call.span, help="await the one branch itself"
        )
    if not branches:
        return None
    action = Parallel(
        branches=_relabelled(unit, branches, call),
        join=Join.FIRST,
        merge=settings.merge,
        timeout_us=settings.timeout_us,
    )
    return _finished(unit, node, action, call, place, given, wanted)


def _bad_race(unit: Unit, arg: Argument) -> None:
    unit.findings.error(
        codes.RACE,
        f"`{arg.star}{_short(arg.value)}` is no branch of `first_of`",
        arg.span,
        help=(
            "give calls of `receive`, `sleep`, `human`, workflows or nested `async def` functions; "
            "a wait takes its own `timeout=`"
        ),
    )


def _racer(unit: Unit, work: Invocation, place: Place) -> Branch | None:
    if isinstance(work.function, Dotted) and unit.names.ruvon(work.function.parts) == "named":
        found = ruvon_arguments(unit, "named", work)
        inner = None if found is None else found["work"]
        if found is None or not isinstance(inner, Invocation):
            return None
        label = constant(unit, found["label"], place.frame, str, "the name of a branch")
        made = _branch(unit, inner, place)
        return None if made is None or label is None else Branch(label=label, graph=made[2], won=True)
    call, order = _after(unit, work)
    made = None if call is None else _branch(unit, call, place)
    if made is None:
        return None
    if order is not None and any(arg.keyword is None for arg in order.args[1:]):
        unit.findings.error(
            codes.AFTER,
            "the branches of `first_of` begin together",
            order.span,
            help="give `after` only a `label=` here",
        )
    own = None if order is None else _own_label(unit, order, place)
    return Branch(label=own or made[0], graph=made[2])


def _relabelled(unit: Unit, branches: list[Branch], call: Invocation) -> tuple[Branch, ...]:
    labels = [branch.label for branch in branches]
    for label in dict.fromkeys(labels):
        if labels.count(label) > 1:
            unit.findings.error(
                codes.RACE, f"two branches are named `{label}`", call.span, help="give every branch a name of its own"
            )
    return tuple(branches)
