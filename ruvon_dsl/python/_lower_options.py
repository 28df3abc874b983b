"""Options at call sites: `.with_(...)`, `retry=`, `timeout=`; all constants, because they are part of the definition."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Final, TypeVar, final

from ruvon.authoring._declarations import CompensationDeclaration
from ruvon.authoring._retry import Retry
from ruvon.ir._nodes import Compensation, RetryPolicy, TypePath, TypeText
from ruvon.ir._spans import Span
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr._nodes import Expr
from ruvon_dsl._link import (
    Missing,
    PlainFunctionTarget,
    StepTarget,
    compensation_of,
    describe,
    duration_us,
    retry_policy,
)
from ruvon_dsl.python import _codes as codes
from ruvon_dsl.python._context import Frame, Unit
from ruvon_dsl.python._lower_types import class_of, type_of
from ruvon_dsl.python._lower_values import NOTHING, lower_value, read_expression
from ruvon_dsl.python._surface import Argument, Dotted, Invocation, Text, Value

__all__ = ["Options", "constant", "read_options", "read_retry", "read_timeout"]

T = TypeVar("T", str, bool, int, float)

_NAMES: Final = (
    "name",
    "retry",
    "timeout",
    "queue",
    "compensate",
    "automate_next",
    "input_model",
    "version",
    "data_region",
)


@final
@dataclass(slots=True)
class Options:
    """What `.with_` gave; only names in `given` override a declaration (None then switches off)."""

    given: set[str] = field(default_factory=set[str])
    name: str | None = None
    name_span: Span | None = None
    retry: RetryPolicy | None = None
    timeout_us: int | None = None
    queue: str | None = None
    compensation: Compensation | None = None
    automate_next: bool | None = None
    input_model: TypeText | None = None
    version: str | None = None
    data_region: Expr | None = None


def read_options(unit: Unit, args: tuple[Argument, ...], allowed: frozenset[str], what: str, frame: Frame) -> Options:
    """The options of one or several `.with_(...)`; later ones win."""
    options = Options()
    for arg in args:
        if arg.keyword is None or arg.keyword not in allowed:
            listed = ", ".join(f"`{name}`" for name in _NAMES if name in allowed)
            shown = arg.keyword or arg.value.text
            unit.findings.error(
                codes.CALL_OPTION, f"`with_` of {what} has no option `{shown}`", arg.span, help=f"it takes {listed}"
            )
            continue
        options.given.add(arg.keyword)
        _set(unit, options, arg.keyword, arg.value, frame)
    return options


def _set(unit: Unit, options: Options, name: str, value: Value, frame: Frame) -> None:
    match name:
        case "name":
            options.name = constant(unit, value, frame, str, "`name`")
            options.name_span = value.span
        case "retry":
            options.retry = read_retry(unit, value, frame)
        case "timeout":
            options.timeout_us = read_timeout(unit, value, frame)
        case "queue":
            options.queue = constant(unit, value, frame, str, "`queue`", optional=True)
        case "compensate":
            options.compensation = _compensation(unit, value, frame)
        case "automate_next":
            options.automate_next = constant(unit, value, frame, bool, "`automate_next`")
        case "input_model":
            options.input_model = None if value.text == "None" else type_of(unit, value)
        case "version":
            options.version = constant(unit, value, frame, str, "`version`", optional=True)
        case _:
            options.data_region = lower_value(unit, value, frame, value.span)


def constant(unit: Unit, value: Value, frame: Frame, kind: type[T], what: str, *, optional: bool = False) -> T | None:
    """A constant of one type; anything else is reported and gives None."""
    found = lower_value(unit, value, frame, value.span)
    if found is NOTHING:
        return None
    if isinstance(found, e.Const):
        if isinstance(found.value, kind) and not (kind is int and isinstance(found.value, bool)):
            return found.value
        if kind is float and isinstance(found.value, int):
            return kind(found.value)
        if optional and found.value is None:
            return None
    _not_constant(unit, value, what, f"a constant `{kind.__name__}`")
    return None


def _given(unit: Unit, given: Mapping[str, Value], name: str, frame: Frame, kind: type[T]) -> T | None:
    return constant(unit, given[name], frame, kind, f"`{name}`") if name in given else None


def read_timeout(unit: Unit, value: Value, frame: Frame, *, what: str = "a timeout", least: int = 1) -> int | None:
    """A constant duration in microseconds; `None` stays None."""
    found = lower_value(unit, value, frame, value.span)
    match found:
        case e.Const(value=timedelta() as duration):
            if duration_us(duration) >= least:
                return duration_us(duration)
            bound = "greater than 0" if least else "0 or more"
            message = f"{what} is {bound}"
            unit.findings.error(codes.NOT_CONSTANT, message, value.span, help="leave it out for none")
            return None
        case e.Const(value=None):
            return None
        case _ if found is NOTHING:
            return None
        case _:
            _not_constant(unit, value, what, "a constant `timedelta(...)`")
            return None


def _not_constant(unit: Unit, value: Value, what: str, wanted: str) -> None:
    if unit.lookup is None:
        return  # without an import a module constant cannot be seen
    unit.findings.error(
        codes.NOT_CONSTANT,
        f"{what} is `{' '.join(value.text.split())}`, which is not {wanted}",
        value.span,
        help=f"write {wanted}, or the name of a module constant that is one",
        reason="options are part of the stored definition",
    )


# --- retry ------------------------------------------------------------------------------------------------------------


def read_retry(unit: Unit, value: Value, frame: Frame) -> RetryPolicy | None:
    """`Retry(...)` written out, a module constant that holds one, or None."""
    match value:
        case Text(text="None"):
            return None
        case Dotted() if unit.lookup is not None and not frame.has(value.parts[0]):
            found = unit.lookup(value.name)
            if isinstance(found, Retry):
                return retry_policy(found)
        case Invocation(function=Dotted(parts=parts)) if unit.names.ruvon(parts) == "Retry":
            return _written_retry(unit, value, frame)
        case _:
            pass
    _not_constant(unit, value, "the retry policy", "`Retry(...)`")
    return None


def _written_retry(unit: Unit, call: Invocation, frame: Frame) -> RetryPolicy | None:
    known = {item.name for item in fields(Retry)}
    given: dict[str, Value] = {}
    for arg in call.args:
        if arg.keyword is None or arg.keyword not in known:
            unit.findings.error(
                codes.CALL_OPTION,
                f"`Retry` has no option `{arg.keyword or arg.value.text}`",
                arg.span,
                help=f"it takes {', '.join(f'`{name}`' for name in sorted(known))}, by name",
            )
            return None
        given[arg.keyword] = arg.value
    policy = _policy(unit, given, frame)
    try:
        Retry(max_attempts=policy.max_attempts, backoff=policy.backoff, jitter=policy.jitter)
    except ValueError as error:
        unit.findings.error(codes.CALL_OPTION, f"the retry policy is not possible: {error}", call.span)
        return None
    return policy


def _policy(unit: Unit, given: Mapping[str, Value], frame: Frame) -> RetryPolicy:
    default = RetryPolicy()
    attempts = _given(unit, given, "max_attempts", frame, int)
    backoff = _given(unit, given, "backoff", frame, float)
    jitter = _given(unit, given, "jitter", frame, float)
    delay = read_timeout(unit, given["delay"], frame, what="the delay", least=0) if "delay" in given else None
    longest = (
        read_timeout(unit, given["max_delay"], frame, what="the longest delay", least=0)
        if "max_delay" in given
        else None
    )
    return RetryPolicy(
        max_attempts=default.max_attempts if attempts is None else attempts,
        delay_us=default.delay_us if delay is None else delay,
        backoff=default.backoff if backoff is None else backoff,
        max_delay_us=longest,
        jitter=default.jitter if jitter is None else jitter,
        on=_classes(unit, given["on"]) if "on" in given else default.on,
        never=_classes(unit, given["never"]) if "never" in given else default.never,
    )


def _classes(unit: Unit, value: Value) -> tuple[TypePath, ...]:
    expr = read_expression(unit, value.text, value.span)
    items = expr.items if isinstance(expr, e.Tuple | e.List) else (expr,)
    found: list[TypePath] = []
    for item in items:
        name = None if item is None else _dotted(item)
        path = None if name is None else class_of(unit, name)
        if name is None:
            _not_constant(unit, value, "the list of errors", "a tuple of exception classes")
        if path is not None:
            found.append(path)
    return tuple(found)


def _dotted(expr: Expr) -> Dotted | None:
    parts: list[str] = []
    inner = expr
    while isinstance(inner, e.Attribute):
        parts.append(inner.name)
        inner = inner.value
    if not isinstance(inner, e.Name) or expr.span is None:
        return None
    names = (inner.id, *reversed(parts))
    return Dotted(names, ".".join(names), expr.span)


def _compensation(unit: Unit, value: Value, frame: Frame) -> Compensation | None:
    """A function under @compensate, `compensation(function, attempted=, retry=)`, or None."""
    if value.text == "None":
        return None
    found: object = Missing
    if isinstance(value, Dotted):
        if unit.lookup is None:
            return Compensation(function=value.name)
        found = getattr(unit.lookup(value.name), "__ruvon_compensation__", Missing)
    if isinstance(found, CompensationDeclaration):
        return compensation_of(found)
    if isinstance(value, Invocation) and isinstance(value.function, Dotted):
        made = _written_compensation(unit, value, value.function, frame)
        if made is not None:
            return made
    _not_constant(unit, value, "the compensation", "a function under @compensate, or `compensation(function)`")
    return None


def _written_compensation(unit: Unit, call: Invocation, function: Dotted, frame: Frame) -> Compensation | None:
    """`compensation(...)` at a call site; None where it is something else."""
    options = {arg.keyword: arg.value for arg in call.args[1:] if arg.keyword in {"attempted", "retry"}}
    fits = bool(call.args) and call.args[0].keyword is None and not call.args[0].star
    if unit.names.ruvon(function.parts) != "compensation" or not fits or len(options) != len(call.args) - 1:
        return None
    path = _function_path(unit, call.args[0].value, frame)
    if path is None:
        return None
    return Compensation(
        function=path,
        attempted=bool(constant(unit, options["attempted"], frame, bool, "`attempted`"))
        if "attempted" in options
        else False,
        retry=read_retry(unit, options["retry"], frame) if "retry" in options else None,
    )


def _function_path(unit: Unit, value: Value, frame: Frame) -> TypePath | None:
    """The path of a function given by name or as a literal path."""
    if not isinstance(value, Dotted):
        return constant(unit, value, frame, str, "the function")
    if unit.lookup is None:
        return value.name
    found = unit.lookup(value.name)
    declared = getattr(found, "__ruvon_compensation__", None)
    if isinstance(declared, CompensationDeclaration):
        return declared.path
    target = None if found is Missing else describe(found)
    return target.path if isinstance(target, StepTarget | PlainFunctionTarget) else None
