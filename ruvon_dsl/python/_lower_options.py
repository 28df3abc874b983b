"""Options at call sites: `.with_(...)`, `retry=`, `timeout=`; all constants, because they are part of the definition."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from difflib import get_close_matches
from typing import Final, TypeVar, final

from ruvon.authoring._declarations import CompensationDeclaration
from ruvon.authoring._retry import Retry, RetryArgumentError
from ruvon.ir._nodes import Call, Compensation, Merge, MergeConflict, MergeStrategy, RetryPolicy, TypePath, TypeText
from ruvon.ir._paths import canonical_path
from ruvon.ir._spans import Span
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr._nodes import Expr
from ruvon_dsl._link import (
    Missing,
    PlainFunctionTarget,
    PureTarget,
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

__all__ = [
    "MERGING",
    "Options",
    "constant",
    "read_merge",
    "read_options",
    "read_retry",
    "read_texts",
    "read_timeout",
    "with_options",
]

T = TypeVar("T", str, bool, int, float)

_NAMES: Final = (
    "name",
    "retry",
    "timeout",
    "queue",
    "compensate",
    "automate_next",
    "input_model",
    "required_input",
    "queue_timeout",
    "deadline",
    "merge",
    "conflict",
    "merge_function",
    "into",
    "transaction",
    "concurrency_key",
    "version",
    "data_region",
)
MERGING: Final = frozenset({"merge", "conflict", "merge_function"})
"""The options that `read_merge` reads."""


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
    required_input: tuple[str, ...] = ()
    queue_timeout_us: int | None = None
    deadline_us: int | None = None
    merge: Merge = field(default_factory=Merge)
    into: TypeText | None = None
    transaction: bool = False
    concurrency_key: str | None = None
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


def with_options(call: Call, options: Options) -> Call:
    """The call with what its site gives; everything else stays as its function declares it."""
    given = {_FIELDS[name] for name in options.given & _FIELDS.keys()}
    return replace(call, **{name: getattr(options, name) for name in given})


_FIELDS: Final = {
    "retry": "retry",
    "timeout": "timeout_us",
    "queue": "queue",
    "queue_timeout": "queue_timeout_us",
    "deadline": "deadline_us",
    "compensate": "compensation",
    "input_model": "input_model",
    "required_input": "required_input",
    "into": "into",
    "transaction": "transaction",
    "concurrency_key": "concurrency_key",
    **dict.fromkeys(MERGING, "merge"),
}
"""The fields of a CALL by the options that set them."""


def _set(unit: Unit, options: Options, name: str, value: Value, frame: Frame) -> None:
    match name:
        case "name":
            options.name = constant(unit, value, frame, str, "`name`")
            options.name_span = value.span
        case "retry":
            options.retry = read_retry(unit, value, frame)
        case "timeout":
            options.timeout_us = read_timeout(unit, value, frame)
        case "queue_timeout":
            options.queue_timeout_us = read_timeout(unit, value, frame, what="`queue_timeout`")
        case "deadline":
            options.deadline_us = read_timeout(unit, value, frame, what="`deadline`")
        case "queue":
            options.queue = constant(unit, value, frame, str, "`queue`", optional=True)
        case "compensate":
            options.compensation = _compensation(unit, value, frame)
        case "automate_next":
            options.automate_next = constant(unit, value, frame, bool, "`automate_next`")
        case "input_model":
            options.input_model = None if value.text == "None" else type_of(unit, value)
        case "into":
            options.into = None if value.text == "None" else type_of(unit, value)
        case "concurrency_key":
            options.concurrency_key = constant(unit, value, frame, str, "`concurrency_key`", optional=True)
        case "transaction":
            options.transaction = bool(constant(unit, value, frame, bool, "`transaction`"))
        case "required_input":
            options.required_input = read_texts(unit, value, frame, "`required_input`")
        case "merge" | "conflict" | "merge_function":
            options.merge = read_merge(unit, options.merge, name, value, frame, codes.CALL_OPTION)
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


def read_texts(unit: Unit, value: Value, frame: Frame, what: str) -> tuple[str, ...]:
    """A tuple of constant texts."""
    found = lower_value(unit, value, frame, value.span)
    items = found.items if isinstance(found, e.Tuple | e.List) else ()
    texts = tuple(item.value for item in items if isinstance(item, e.Const) and isinstance(item.value, str))
    if found is not NOTHING and (not isinstance(found, e.Tuple | e.List) or len(texts) != len(items)):
        _not_constant(unit, value, what, "a tuple of constant texts")
    return texts


def read_merge(unit: Unit, merge: Merge, name: str, value: Value, frame: Frame, code: str) -> Merge:
    """The merge rules with one of `MERGING` changed."""
    if name == "merge_function":
        return replace(merge, function=_merge_function(unit, value, frame))
    word = value.parts[-1] if isinstance(value, Dotted) else ""
    if name == "merge" and word in MergeStrategy.__members__:
        return replace(merge, strategy=MergeStrategy[word])
    word = "PREFER_EXISTING" if word == "PREFER_OLD" else word
    if name == "conflict" and word in MergeConflict.__members__:
        return replace(merge, conflict=MergeConflict[word])
    kind = "MergeStrategy" if name == "merge" else "MergeConflictBehavior"
    known = MergeStrategy if name == "merge" else MergeConflict
    unit.findings.error(
        code,
        f"`{name}` is not `{value.text}`",
        value.span,
        help=f"write one of {', '.join(f'`{kind}.{item}`' for item in known.__members__)}",
    )
    return merge


def _merge_function(unit: Unit, value: Value, frame: Frame) -> TypePath | None:
    if value.text == "None":
        return None
    path = _function_path(unit, value, frame) if isinstance(value, Dotted) else None
    if path is None:
        _not_constant(unit, value, "the merge function", "a function of a module, by its name")
    return path


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
            near = get_close_matches(arg.keyword or "", known, 1)
            takes = f"it takes {', '.join(f'`{name}`' for name in sorted(known))}, by name"
            unit.findings.error(
                codes.CALL_OPTION,
                f"`Retry` has no option `{arg.keyword or arg.value.text}`",
                arg.span,
                help=f"did you mean `{near[0]}`? {takes}" if near else takes,
            )
            return None
        given[arg.keyword] = arg.value
    policy = _policy(unit, given, frame)
    try:
        Retry(max_attempts=policy.max_attempts, backoff=policy.backoff, jitter=policy.jitter)
    except RetryArgumentError as error:
        span = given[error.argument].span if error.argument in given else call.span
        message = f"the retry policy is not possible: `{error.argument}` is `{error.value}`"
        unit.findings.error(codes.CALL_OPTION, message, span, help=f"give {error.accepted}")
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
    if expr is not None and not isinstance(expr, e.Tuple):
        unit.findings.error(
            codes.NOT_CONSTANT,
            f"the errors are `{' '.join(value.text.split())}`, which is not a tuple of exception classes",
            value.span,
            help=f"write `({value.text},)`" if _dotted(expr) else "write a tuple such as `(TimeoutError,)`",
        )
        return ()
    items = () if expr is None else expr.items
    found: list[TypePath] = []
    for item in items:
        name = _dotted(item)
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
    if isinstance(target, StepTarget | PlainFunctionTarget | PureTarget):
        return target.path
    return canonical_path(found) if callable(found) and not isinstance(found, type) else None
