"""Awaited calls of steps: bound arguments, resolved options, one CALL."""

from dataclasses import replace
from typing import TypeAlias

from ruvon.ir._nodes import Call
from ruvon_dsl._link import (
    BlockTarget,
    ChildTarget,
    ClassTarget,
    ConstantTarget,
    Missing,
    OtherTarget,
    PlainFunctionTarget,
    PureTarget,
    StepTarget,
    bind_arguments,
    describe,
    opaque_arguments,
)
from ruvon_dsl.python._callees import (
    CHILD_OPTIONS,
    STEP_OPTIONS,
    Callee,
    Effect,
    Wanted,
    call_arguments,
    check_method,
    made,
    result_text,
)
from ruvon_dsl.python._context import Given, Place, Unit
from ruvon_dsl.python._lower_children import child_effect
from ruvon_dsl.python._lower_options import read_options, with_options
from ruvon_dsl.python._lower_values import effect_of
from ruvon_dsl.python._refusals import refuse_await
from ruvon_dsl.python._surface import Dotted, Invocation

__all__ = ["step_effect"]


def step_effect(
    unit: Unit, callee: Callee, call: Invocation, place: Place, *, given: Given, wanted: Wanted
) -> Effect | None:
    """A step call, a child, or None where the callee is neither (which is reported)."""
    assert callee.base is not None  # noqa: S101 - custom types are dispatched before
    base = callee.base
    target = _target(unit, base)
    match target:
        case StepTarget():
            return _step(unit, target, callee, call, place, given=given, wanted=wanted)
        case ChildTarget():
            return child_effect(unit, target, callee, call, place, given=given, wanted=wanted)
        case None:
            return _opaque(unit, callee, call, place, given=given, wanted=wanted)
        case str():
            refuse_await(unit, base, call.span, target, call)
            return None
        case _:
            refuse_await(unit, base, call.span, _words(target), call)
            return None


_Found: TypeAlias = (
    StepTarget
    | ChildTarget
    | PlainFunctionTarget
    | PureTarget
    | BlockTarget
    | ClassTarget
    | ConstantTarget
    | OtherTarget
    | str
    | None
)


def _target(unit: Unit, base: Dotted) -> _Found:
    """What a name outside is; a text says what is wrong with it, None that nothing is known (no import)."""
    if unit.lookup is None:
        return _declared(unit, base)
    found = unit.lookup(base.name)
    if found is Missing:
        return "is not defined"
    return describe(found)


def _declared(unit: Unit, base: Dotted) -> _Found:
    declared = unit.names.declared.get(base.parts[0]) if len(base.parts) == 1 else None
    if declared is None:
        return None
    match declared.kind:
        case "workflow":
            return ChildTarget(workflow_type=declared.workflow_type or base.name)
        case "pure":
            return "is a @pure function, which computes at once"
        case "class":
            return "is a class"
        case "compensation":
            return "is a compensation, which only the engine calls"
        case "function":
            return "is an ordinary function"
        case _:
            return None


def _words(
    target: PlainFunctionTarget | PureTarget | BlockTarget | ClassTarget | ConstantTarget | OtherTarget,
) -> str:
    match target:
        case PlainFunctionTarget():
            return "is an ordinary function"
        case PureTarget():
            return "is a @pure function, which computes at once"
        case BlockTarget():
            return "is a block, which is awaited as a statement of its own"
        case ClassTarget():
            return "is a class"
        case ConstantTarget():
            return "is a constant"
        case OtherTarget(kind=kind):
            return f"is {kind}"


def _step(
    unit: Unit,
    target: StepTarget,
    callee: Callee,
    call: Invocation,
    place: Place,
    *,
    given: Given,
    wanted: Wanted,
) -> Effect:
    check_method(unit, callee, call, ("queued",), "a step")
    options = read_options(unit, tuple(callee.options), STEP_OPTIONS, "a step", place.frame)
    positional, keywords = call_arguments(unit, call.args, place, call.span)
    action = Call(
        function=target.path,
        queue=target.queue,
        retry=target.retry,
        timeout_us=target.timeout_us,
        compensation=target.compensation,
        input_model=_input_model(target),
        transaction=target.transaction,
        concurrency_key=target.concurrency_key,
    )
    action = _queued(callee, with_options(action, options))
    args, found = bind_arguments(_given_input(target, action), positional, keywords, call.span)
    if not any(arg.star for arg in call.args):
        unit.findings.add(*found)
    action = replace(action, args=args)
    automate = options.automate_next if "automate_next" in options.given else target.automate_next
    return made(
        unit, target.name, action, call.span, place, given=given, wanted=wanted, name=options.name, automate=automate
    )


def _given_input(target: StepTarget, action: Call) -> StepTarget:
    """The step as its call sees it: what its input may give, the call may leave out."""
    if action.input_model is None and not action.required_input:
        return target
    return replace(target, parameters=tuple(replace(item, required=False) for item in target.parameters))


def _queued(callee: Callee, action: Call) -> Call:
    return replace(action, queue=action.queue or "default") if callee.method == "queued" else action


def _input_model(target: StepTarget) -> str | None:
    return None if target.input_model is None else result_text(target.input_model)


def _opaque(
    unit: Unit, callee: Callee, call: Invocation, place: Place, *, given: Given, wanted: Wanted
) -> Effect | None:
    """A call whose function is unknown, because nothing is imported."""
    assert callee.base is not None  # noqa: S101 - as in `step_effect`
    if effect_of(unit, callee.base.parts) is not None:
        refuse_await(unit, callee.base, call.span, "is no step", call)
        return None
    if callee.method in {"spawn", "schedule"}:
        child = ChildTarget(workflow_type=callee.base.name)
        return child_effect(unit, child, callee, call, place, given=given, wanted=wanted)
    declared = unit.names.declared.get(callee.base.parts[0]) if len(callee.base.parts) == 1 else None
    options = read_options(unit, tuple(callee.options), STEP_OPTIONS | CHILD_OPTIONS, "a step", place.frame)
    positional, keywords = call_arguments(unit, call.args, place, call.span)
    path = declared.path if declared is not None and declared.path is not None else callee.base.name
    action = _queued(callee, with_options(Call(function=path, args=opaque_arguments(positional, keywords)), options))
    base = path.rpartition(":")[2].rpartition(".")[2]
    automate = options.automate_next
    return made(unit, base, action, call.span, place, given=given, wanted=wanted, name=options.name, automate=automate)
