"""Awaited calls to effects: steps, children, custom types; waits and concurrency are handed to their own modules.

An effect is one node of the graph. Its id is settled here, before its parts are lowered, because ids are given in source
order with a compound before what it contains.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, TypeAlias, final

from ruvon.ir._nodes import Call, Parallel, Start, StartMode, Wait
from ruvon.ir._spans import Span
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr._nodes import Expr
from ruvon.ir.types import UnresolvedTypeError, type_text
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
from ruvon_dsl.python import _codes as codes
from ruvon_dsl.python._context import Given, Place, Unit
from ruvon_dsl.python._findings import edit_fix
from ruvon_dsl.python._lower_options import read_options
from ruvon_dsl.python._lower_types import type_of
from ruvon_dsl.python._lower_values import effect_of, lower_value, report_effect
from ruvon_dsl.python._naming import variable_of
from ruvon_dsl.python._surface import Argument, Dotted, Invocation, Member, Value

__all__ = [
    "RESULT",
    "Callee",
    "Effect",
    "Wanted",
    "call_arguments",
    "callee_of",
    "child_effect",
    "custom_effect",
    "made",
    "refuse_await",
    "step_effect",
]

_METHODS: Final = frozenset({"queued", "spawn", "schedule", "restart", "with_", "local"})
_STEP_OPTIONS: Final = frozenset(
    {"name", "retry", "timeout", "queue", "compensate", "automate_next", "input_model"}
)
_CHILD_OPTIONS: Final = frozenset({"version", "data_region", "retry", "timeout", "name", "automate_next"})

RESULT: Final = e.Name("<result>")
"""Stands for the variable `<id>_result` until the id is known."""
Wanted: TypeAlias = Expr | None
"""Where the result of an effect goes: a target, `RESULT`, or nowhere."""


@final
@dataclass(frozen=True, slots=True)
class Effect:
    """One effect node with its id; `output` is where its result is, if it is anywhere."""

    id: str
    action: Call | Wait | Start | Parallel
    span: Span
    automate: bool | None
    output: Expr | None


@final
@dataclass(slots=True)
class Callee:
    """What is called: a name or `call("TYPE", ...)`, with the options and the method on the way."""

    base: Dotted | None
    custom: Invocation | None = None
    method: str | None = None
    options: list[Argument] = field(default_factory=list[Argument])


def callee_of(unit: Unit, function: Value, *, at_end: bool = True) -> Callee | None:
    """Take apart `f`, `f.with_(...)`, `f.queued`, `child.with_(...).spawn`, `call("T", ...)`; None for anything else."""
    match function:
        case Dotted(parts=parts) if len(parts) > 1 and parts[-1] in _METHODS and unit.names.ruvon(parts) is None:
            start = function.span.start
            text = function.text.rpartition(".")[0].rstrip()
            base = Dotted(parts[:-1], text, Span(function.span.file, start, function.span.end))
            return Callee(base, method=parts[-1])
        case Dotted():
            return Callee(function)
        case Invocation(function=inner, args=args):
            found = callee_of(unit, inner, at_end=False)
            if found is not None and found.method == "with_":
                found.options.extend(args)
                found.method = None
                return found
            if found is not None and found.base is not None and unit.names.ruvon(found.base.parts) == "call":
                return Callee(None, custom=function)
            return None
        case Member(value=value, name=name) if name in _METHODS:
            found = callee_of(unit, value, at_end=False)
            if found is None or found.method is not None:
                return None
            found.method = name
            return found
        case _:
            return None


def made(
    unit: Unit,
    base: str,
    action: Call | Wait | Start | Parallel,
    span: Span,
    place: Place,
    *,
    given: Given,
    wanted: Wanted,
    name: str | None = None,
    automate: bool | None = None,
) -> Effect:
    """Settle the id of an effect and where its result goes."""
    if name is None and given.name is not None:
        name, given.name = given.name, None
    node = unit.ids.use(name) if name is not None else unit.ids.derive(base)
    output = e.Name(variable_of(node, "result"), span) if wanted is RESULT else wanted
    chosen = given.automate_next if automate is None else automate
    return Effect(node, replace(action, output=output), span, unit.automation(place, chosen), output)


# --- arguments --------------------------------------------------------------------------------------------------------


def call_arguments(
    unit: Unit, args: tuple[Argument, ...], place: Place, statement: Span
) -> tuple[list[Expr], dict[str, Expr]]:
    """The arguments of a step call as expressions; star arguments are reported."""
    positional: list[Expr] = []
    keywords: dict[str, Expr] = {}
    for arg in args:
        if arg.star:
            unit.findings.error(
                codes.STARRED_ARGUMENT,
                f"`{arg.star}{arg.value.text}` hides which arguments the step gets",
                arg.span,
                help="write the arguments out",
                reason="the graph stores every argument by the name of its parameter",
            )
            continue
        value = lower_value(unit, arg.value, place.frame, statement)
        if arg.keyword is None:
            positional.append(value)
        else:
            keywords[arg.keyword] = value
    return positional, keywords


# --- steps ------------------------------------------------------------------------------------------------------------


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
            refuse_await(unit, base, call.span, target)
            return None
        case _:
            refuse_await(unit, base, call.span, _words(target))
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


def refuse_await(unit: Unit, base: Dotted, span: Span, what: str) -> None:
    """Report an `await` of something that is no step; libraries get the rewrite that fits them."""
    full = effect_of(unit, base.parts)
    name = base.name
    if full is not None and full.startswith("asyncio."):
        _foreign(unit, base, full.partition(".")[2], span)
        return
    if full is not None:
        report_effect(unit, name, span)
        return
    help_ = "await steps, workflows and the waiting functions of ruvon only"
    if "function" in what:
        help_ = f"mark `{name}` with @step, or leave the `await` out if it is @pure"
    elif "not defined" in what:
        help_ = "import it, or correct its name"
    elif "class" in what:
        help_ = f"write `{name}(...)` without `await`"
    unit.findings.error(
        codes.AWAITED,
        f"`{name}` {what} and cannot be awaited",
        span,
        help=help_,
        reason="an `await` is a place where the instance is stored, so it must name something durable",
    )


_ASYNC_REWRITES: Final[Mapping[str, str]] = {
    "sleep": "sleep(timedelta(seconds=...))",
    "gather": "gather(...)",
    "wait": "gather(...)",
    "wait_for": "the step's `.with_(timeout=...)`",
    "create_task": "gather(...)",
    "timeout": "the step's `.with_(timeout=...)`",
}


def _foreign(unit: Unit, base: Dotted, name: str, span: Span) -> None:
    rewrite = _ASYNC_REWRITES.get(name, "the functions of ruvon")
    fix = None
    if name in {"gather", "sleep"} and unit.names.ruvon((name,)) == name:
        fix = edit_fix(f"use ruvon's `{name}`", (base.span, name))
    unit.findings.error(
        codes.FOREIGN_ASYNC,
        f"`{base.name}` is not durable here",
        base.span if fix is not None else span,
        help=f"write {rewrite} of ruvon (`from ruvon import {name if name in {'gather', 'sleep'} else 'gather, sleep'}`)",
        reason="what asyncio holds in memory is gone after a crash",
        fix=fix,
    )


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
    _check_method(unit, callee, call, ("queued",), "a step")
    options = read_options(unit, tuple(callee.options), _STEP_OPTIONS, "a step", place.frame)
    positional, keywords = call_arguments(unit, call.args, place, call.span)
    args, found = bind_arguments(target, positional, keywords, call.span)
    if not any(arg.star for arg in call.args):
        unit.findings.add(*found)
    queue = options.queue if "queue" in options.given else target.queue
    action = Call(
        function=target.path,
        args=args,
        queue=queue or "default" if callee.method == "queued" else queue,
        retry=options.retry if "retry" in options.given else target.retry,
        timeout_us=options.timeout_us if "timeout" in options.given else target.timeout_us,
        compensation=options.compensation if "compensate" in options.given else target.compensation,
        input_model=options.input_model if "input_model" in options.given else _input_model(target),
    )
    automate = options.automate_next if "automate_next" in options.given else target.automate_next
    return made(
        unit, target.name, action, call.span, place, given=given, wanted=wanted, name=options.name, automate=automate
    )


def _input_model(target: StepTarget) -> str | None:
    return None if target.input_model is None else _text(target.input_model)


def _text(annotation: object) -> str | None:
    if annotation is Missing:
        return None
    try:
        return type_text(annotation)
    except (UnresolvedTypeError, TypeError, AttributeError):
        return None


def _opaque(
    unit: Unit, callee: Callee, call: Invocation, place: Place, *, given: Given, wanted: Wanted
) -> Effect | None:
    """A call whose function is unknown, because nothing is imported."""
    assert callee.base is not None  # noqa: S101 - as in `step_effect`
    if effect_of(unit, callee.base.parts) is not None:
        refuse_await(unit, callee.base, call.span, "is no step")
        return None
    if callee.method in {"spawn", "schedule"}:
        child = ChildTarget(workflow_type=callee.base.name)
        return child_effect(unit, child, callee, call, place, given=given, wanted=wanted)
    declared = unit.names.declared.get(callee.base.parts[0]) if len(callee.base.parts) == 1 else None
    options = read_options(unit, tuple(callee.options), _STEP_OPTIONS | _CHILD_OPTIONS, "a step", place.frame)
    positional, keywords = call_arguments(unit, call.args, place, call.span)
    path = declared.path if declared is not None and declared.path is not None else callee.base.name
    action = Call(
        function=path,
        args=opaque_arguments(positional, keywords),
        queue=options.queue or ("default" if callee.method == "queued" else None),
        retry=options.retry,
        timeout_us=options.timeout_us,
        compensation=options.compensation,
        input_model=options.input_model,
    )
    base = path.rpartition(":")[2].rpartition(".")[2]
    automate = options.automate_next
    return made(unit, base, action, call.span, place, given=given, wanted=wanted, name=options.name, automate=automate)


def _check_method(unit: Unit, callee: Callee, call: Invocation, known: tuple[str, ...], what: str) -> None:
    if callee.method is None or callee.method in known:
        return
    base = callee.base.name if callee.base is not None else "call"
    listed = " and ".join(f"`.{name}`" for name in known)
    extra = " `.local` runs without the engine, in tests." if callee.method == "local" else ""
    unit.findings.error(
        codes.AWAITED,
        f"`{base}` is {what} and has no `.{callee.method}` in a workflow",
        call.span,
        help=f"call it, or use {listed}.{extra}",
    )


# --- children ---------------------------------------------------------------------------------------------------------


def child_effect(
    unit: Unit,
    target: ChildTarget,
    callee: Callee,
    call: Invocation,
    place: Place,
    *,
    given: Given,
    wanted: Wanted,
) -> Effect:
    """`child(data)`, `child.spawn(data, key=)`, `child.schedule(data, cron=, tz=, name=)`."""
    _check_method(unit, callee, call, ("spawn", "schedule"), "a workflow")
    options = read_options(unit, tuple(callee.options), _CHILD_OPTIONS, "a workflow", place.frame)
    mode = {"spawn": StartMode.DETACH, "schedule": StartMode.SCHEDULE}.get(callee.method or "", StartMode.AWAIT)
    known = {StartMode.AWAIT: (), StartMode.DETACH: ("key",), StartMode.SCHEDULE: ("cron", "tz", "name")}[mode]
    positional, keywords = call_arguments(unit, call.args, place, call.span)
    unknown = [name for name in keywords if name not in known]
    missing = mode is StartMode.SCHEDULE and "cron" not in keywords
    if len(positional) != 1 or unknown or missing:
        _bad_child(unit, target, call, mode)
    action = Start(
        child=target.workflow_type,
        version=options.version if "version" in options.given else target.version,
        data=positional[0] if positional else None,
        mode=mode,
        result=_text(target.gives) if mode is StartMode.AWAIT else None,
        key=keywords.get("key"),
        cron=keywords.get("cron", e.Const("") if missing else None),
        timezone=keywords.get("tz"),
        schedule_name=keywords.get("name"),
        data_region=options.data_region,
        retry=options.retry,
        timeout_us=options.timeout_us,
    )
    return made(
        unit,
        target.workflow_type,
        action,
        call.span,
        place,
        given=given,
        wanted=wanted,
        name=options.name,
        automate=options.automate_next,
    )


def _bad_child(unit: Unit, target: ChildTarget, call: Invocation, mode: StartMode) -> None:
    shapes = {
        StartMode.AWAIT: "await child(data)",
        StartMode.DETACH: "await child.spawn(data, key=...)",
        StartMode.SCHEDULE: 'await child.schedule(data, cron="0 9 * * *", tz=..., name=...)',
    }
    unit.findings.error(
        codes.CHILD,
        f"the workflow `{target.workflow_type}` is started with one value, its initial state",
        call.span,
        help=f"write `{shapes[mode]}`",
    )


# --- custom types -----------------------------------------------------------------------------------------------------


def custom_effect(
    unit: Unit, callee: Callee, call: Invocation, place: Place, *, given: Given, wanted: Wanted
) -> Effect | None:
    """`await call("TYPE", option=...)(state)`."""
    custom = callee.custom
    assert custom is not None  # noqa: S101 - the dispatcher looked
    kind = custom.args[0].value if custom.args and custom.args[0].keyword is None else None
    name = lower_value(unit, kind, place.frame, call.span) if kind is not None else None
    if not isinstance(name, e.Const) or not isinstance(name.value, str) or len(custom.args) != _positional(custom):
        unit.findings.error(
            codes.CUSTOM_TYPE,
            "`call` takes the name of a step type as a literal text, and the type's own fields by name",
            custom.span,
            help='write `await call("RETRYABLE", function=f, max_retries=5)(state)`',
        )
        return None
    config: dict[str, Expr] = {}
    into: str | None = None
    for arg in custom.args[1:]:
        if arg.keyword == "into":
            into = type_of(unit, arg.value)
        elif arg.keyword is not None:
            config[arg.keyword] = _config(unit, arg.value, place, call.span)
    options = read_options(unit, tuple(callee.options), _STEP_OPTIONS, "a step type", place.frame)
    positional, keywords = call_arguments(unit, call.args, place, call.span)
    args = {("state" if value == e.Name("state") else str(index)): value for index, value in enumerate(positional)}
    action = Call(
        type=name.value,
        args=MappingProxyType({**args, **keywords}),
        config=MappingProxyType(config),
        into=into,
        queue=options.queue,
        retry=options.retry,
        timeout_us=options.timeout_us,
        compensation=options.compensation,
        input_model=options.input_model,
    )
    base = name.value.lower()
    automate = options.automate_next
    return made(unit, base, action, call.span, place, given=given, wanted=wanted, name=options.name, automate=automate)


def _positional(custom: Invocation) -> int:
    """How many arguments a well-formed `call` has: one by position, the rest by name without stars."""
    by_name = sum(1 for arg in custom.args[1:] if arg.keyword is not None and not arg.star)
    return by_name + 1


def _config(unit: Unit, value: Value, place: Place, statement: Span) -> Expr:
    """A field of a step type; a function is named by its path."""
    if isinstance(value, Dotted) and unit.lookup is not None and not place.frame.has(value.parts[0]):
        found = unit.lookup(value.name)
        target = describe(found) if found is not Missing else None
        if isinstance(target, StepTarget | PlainFunctionTarget | PureTarget):
            return e.Const(target.path, value.span)
    return lower_value(unit, value, place.frame, statement)
