"""Calls that start another workflow, and calls of custom step types."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeVar

from ruvon.ir._nodes import Call, Start, StartMode
from ruvon.ir._spans import Span
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr._nodes import Expr
from ruvon_dsl._link import ChildTarget, Missing, PlainFunctionTarget, PureTarget, StepTarget, describe
from ruvon_dsl.python import _codes as codes
from ruvon_dsl.python._callees import (
    CHILD_OPTIONS,
    SERVICE_OPTIONS,
    Callee,
    Effect,
    Wanted,
    call_arguments,
    check_method,
    literal_names,
    made,
    result_text,
)
from ruvon_dsl.python._context import Frame, Given, Place, Unit
from ruvon_dsl.python._lower_options import constant, read_options, with_options
from ruvon_dsl.python._lower_types import type_of
from ruvon_dsl.python._lower_values import lower_value
from ruvon_dsl.python._surface import Argument, Dotted, Invocation, Value

__all__ = ["child_effect", "custom_effect"]

T = TypeVar("T", str, int)

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
    check_method(unit, callee, call, ("spawn", "schedule"), "a workflow")
    options = read_options(unit, tuple(callee.options), CHILD_OPTIONS, "a workflow", place.frame)
    mode = {"spawn": StartMode.DETACH, "schedule": StartMode.SCHEDULE}.get(callee.method or "", StartMode.AWAIT)
    known = _KEYWORDS[mode]
    positional, keywords = call_arguments(unit, call.args, place, call.span)
    unknown = [name for name in keywords if name not in known]
    missing = mode is StartMode.SCHEDULE and "cron" not in keywords
    least = 1 if target.takes is not Missing and unit.lookup is not None else 0
    if not least <= len(positional) <= 1 or unknown or missing:
        _bad_child(unit, target, call, mode)
    action = Start(
        child=target.workflow_type,
        version=options.version if "version" in options.given else target.version,
        data=positional[0] if positional else None,
        mode=mode,
        result=result_text(target.gives) if mode is StartMode.AWAIT else None,
        key=keywords.get("key"),
        cron=keywords.get("cron", e.Const("") if missing else None),
        timezone=keywords.get("tz"),
        schedule_name=keywords.get("name"),
        overlap=_constant_of(unit, call, "overlap", place.frame, str),
        catch_up=_constant_of(unit, call, "catch_up", place.frame, int),
        data_region=options.data_region,
        retry=options.retry,
        timeout_us=options.timeout_us,
        merge=options.merge,
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


_KEYWORDS: Final[Mapping[StartMode, tuple[str, ...]]] = {
    StartMode.AWAIT: (),
    StartMode.DETACH: ("key",),
    StartMode.SCHEDULE: ("cron", "tz", "name", "overlap", "catch_up"),
}


def _constant_of(unit: Unit, call: Invocation, name: str, frame: Frame, kind: type[T]) -> T | None:
    """The constant of a keyword, where it is given."""
    value = next((arg.value for arg in call.args if arg.keyword == name), None)
    return None if value is None or value.text == "None" else constant(unit, value, frame, kind, f"`{name}`")


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
        elif arg.star:
            config.update(literal_names(unit, arg, place, call.span) or {})
        elif arg.keyword is not None:
            config[arg.keyword] = _config(unit, arg.value, place, call.span)
    options = read_options(unit, tuple(callee.options), SERVICE_OPTIONS, "a step type", place.frame)
    function = _function(config)
    positional, keywords = call_arguments(unit, call.args, place, call.span)
    args = {("state" if value == e.Name("state") else str(index)): value for index, value in enumerate(positional)}
    action = Call(
        type=name.value,
        function=function,
        args=MappingProxyType({**args, **keywords}),
        config=MappingProxyType(config),
        into=into,
    )
    base = name.value.lower() if function is None else re.split(r"[:.]", function)[-1]
    automate = options.automate_next
    action = with_options(action, options)
    return made(unit, base, action, call.span, place, given=given, wanted=wanted, name=options.name, automate=automate)


def _function(config: dict[str, Expr]) -> str | None:
    """The path of the step function that a custom type calls, taken out of its fields."""
    match config.get("function"):
        case e.Const(value=str(path)):
            del config["function"]
            return path
        case _:
            return None


def _positional(custom: Invocation) -> int:
    """How many arguments a well-formed `call` has: one by position, the rest by name without stars."""
    by_name = sum(1 for arg in custom.args[1:] if arg.keyword is not None or _is_written_out(arg))
    return by_name + 1


def _is_written_out(arg: Argument) -> bool:
    return arg.star == "**" and arg.value.text.startswith("{")


def _config(unit: Unit, value: Value, place: Place, statement: Span) -> Expr:
    """A field of a step type; a function is named by its path."""
    if isinstance(value, Dotted) and unit.lookup is not None and not place.frame.has(value.parts[0]):
        found = unit.lookup(value.name)
        target = describe(found) if found is not Missing else None
        if isinstance(target, StepTarget | PlainFunctionTarget | PureTarget):
            return e.Const(target.path, value.span)
    return lower_value(unit, value, place.frame, statement)
