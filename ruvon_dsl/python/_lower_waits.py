"""The awaited functions of Ruvon that are one node: waits (`human`, `receive`, `sleep`) and built-in step types."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, final

from ruvon.ir._nodes import Call, HumanSource, SignalSource, TimerSource, TypePath, Wait
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr._nodes import Expr
from ruvon_dsl._link import CONFIG_TYPES, Missing, PlainFunctionTarget, StepTarget, describe
from ruvon_dsl.python import _codes as codes
from ruvon_dsl.python._callees import (
    SERVICE_OPTIONS,
    WAIT_OPTIONS,
    Callee,
    Effect,
    Wanted,
    check_method,
    made,
)
from ruvon_dsl.python._context import Given, Place, Unit
from ruvon_dsl.python._lower_options import constant, read_options, read_retry, read_texts, read_timeout, with_options
from ruvon_dsl.python._lower_types import type_of
from ruvon_dsl.python._lower_values import lower_value
from ruvon_dsl.python._surface import Dotted, Invocation, Value

__all__ = ["ONE_NODE", "ruvon_arguments", "waiting_effect"]


@final
@dataclass(frozen=True, slots=True)
class _Shape:
    """What a function of Ruvon takes: names by position (all required), names by keyword, required keywords."""

    positional: tuple[str, ...]
    keywords: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    """Names by position that may be left out."""


def _service(kind: str, positional: tuple[str, ...], optional: tuple[str, ...] = ()) -> _Shape:
    """The shape of a call whose fields are those of a step type."""
    named = tuple(name for name in CONFIG_TYPES[kind] if name not in positional)
    return _Shape(positional, (*named, "into", "retry", "timeout"), optional=optional)


_SHAPES: Final[Mapping[str, _Shape]] = {
    "human": _Shape(
        ("task",),
        (
            *("form", "show", "role", "assignee", "timeout", "default", "ask", "answer"),
            *("ask_args", "answer_args", "required_input", "answer_to"),
        ),
    ),
    "receive": _Shape(("model",), ("key", "timeout", "default")),
    "sleep": _Shape(("duration",)),
    "sleep_until": _Shape(("until",)),
    "http": _service("HTTP", ("method", "url")),
    "infer": _service("AI_INFERENCE", ("model", "data"), ("data",)),
    "wasm": _service("WASM", ("module", "data"), ("data",)),
    "named": _Shape(("label", "work")),
    "node": _Shape(("name",), ("max_iterations", "automate_next", "injected")),
    "flow": _Shape(("entry",)),
}
_SERVICES: Final = frozenset({"http", "infer", "wasm"})
ONE_NODE: Final = frozenset({"human", "receive", "sleep", "sleep_until"}) | _SERVICES
"""The functions that this module lowers."""


def ruvon_arguments(unit: Unit, name: str, call: Invocation) -> dict[str, Value] | None:
    """The arguments of a function of Ruvon by name; a call that Python would refuse is reported and gives None."""
    shape = _SHAPES[name]
    given: dict[str, Value] = {}
    problem = ""
    for index, arg in enumerate(call.args):
        if arg.star:
            problem = problem or f"`{name}` gets `{arg.star}{arg.value.text}`, which hides its arguments"
        elif arg.keyword is None and index < len(shape.positional):
            given[shape.positional[index]] = arg.value
        elif arg.keyword in shape.keywords and arg.keyword not in given:
            given[arg.keyword or ""] = arg.value
        else:
            shown = f"argument `{arg.keyword}`" if arg.keyword else "further argument by position"
            problem = problem or f"`{name}` takes no {shown} here"
    needed = (*shape.positional, *shape.required)
    missing = [item for item in needed if item not in given and item not in shape.optional]
    if missing and not problem:
        problem = f"`{name}` is called without `{missing[0]}`"
    if problem:
        listed = [*shape.positional, *(f"{item}=" for item in shape.keywords)]
        unit.findings.error(
            codes.RUVON_ARGUMENT, problem, call.span, help=f"it takes {', '.join(f'`{item}`' for item in listed)}"
        )
        return None
    return given


def waiting_effect(
    unit: Unit, name: str, callee: Callee, call: Invocation, place: Place, *, given: Given, wanted: Wanted
) -> Effect | None:
    """The node of one of `ONE_NODE`."""
    check_method(unit, callee, call, (), "a function of ruvon")
    allowed = SERVICE_OPTIONS if name in _SERVICES else WAIT_OPTIONS
    options = read_options(unit, tuple(callee.options), allowed, f"`{name}`", place.frame)
    found = ruvon_arguments(unit, name, call)
    if found is None:
        return None
    values = _Values(unit, found, place, call)
    action: Call | Wait
    match name:
        case "human":
            base, action = "human", _human(unit, values)
        case "receive":
            source = SignalSource(model=type_of(unit, found["model"]), key=values.get("key"))
            base, action = "receive", Wait(source=source, timeout=values.get("timeout"), on_timeout=values.default())
        case "sleep" | "sleep_until":
            timer = TimerSource(duration=values.get("duration"), until=values.get("until"))
            base, action = "sleep", Wait(source=timer)
        case "http":
            base, action = "http", _call("HTTP", values)
        case "infer":
            base, action = "infer", _call("AI_INFERENCE", values)
        case _:
            base, action = "wasm", _call("WASM", values)
    if isinstance(action, Call):
        action = with_options(action, options)
    else:
        action = replace(action, compensation=options.compensation, merge=options.merge)
    automate = options.automate_next
    return made(unit, base, action, call.span, place, given=given, wanted=wanted, name=options.name, automate=automate)


@final
class _Values:
    """Arguments of one call, lowered on demand."""

    def __init__(self, unit: Unit, found: Mapping[str, Value], place: Place, call: Invocation) -> None:
        self.unit = unit
        self.found = found
        self.place = place
        self.call = call

    def get(self, name: str) -> Expr | None:
        """The expression of an argument, None where it is not given or is None."""
        value = self.found.get(name)
        if value is None or value.text == "None":
            return None
        return lower_value(self.unit, value, self.place.frame, self.call.span)

    def default(self) -> Expr | None:
        """What a wait takes after its timeout, which may be None; None where it is not given."""
        value = self.found.get("default")
        return None if value is None else lower_value(self.unit, value, self.place.frame, self.call.span)


def _call(kind: str, values: _Values) -> Call:
    unit, found, frame = values.unit, values.found, values.place.frame
    config = {key: value for key in CONFIG_TYPES[kind] if (value := values.get(key)) is not None}
    into = found.get("into")
    return Call(
        type=kind,
        config=MappingProxyType(config),
        into=None if into is None or into.text == "None" else type_of(unit, into),
        retry=read_retry(unit, found["retry"], frame) if "retry" in found else None,
        timeout_us=read_timeout(unit, found["timeout"], frame) if "timeout" in found else None,
    )


def _human(unit: Unit, values: _Values) -> Wait:
    form = values.found.get("form")
    ask, answer = _function(values, "ask"), _function(values, "answer")
    source = HumanSource(
        task=values.get("task") or lower_value(unit, values.found["task"], values.place.frame, values.call.span),
        form=None if form is None or form.text in {"dict", "None"} else type_of(unit, form),
        show=values.get("show"),
        role=values.get("role"),
        assignee=values.get("assignee"),
        ask=None if ask is None else ask.path,
        ask_args=_arguments(values, "ask_args", ask),
        answer=None if answer is None else answer.path,
        answer_args=_arguments(values, "answer_args", answer),
        required_input=_required(values),
        answer_to=_answer_to(values),
    )
    return Wait(source=source, timeout=values.get("timeout"), on_timeout=values.default())


def _arguments(values: _Values, name: str, called: "_Called | None") -> Mapping[str, Expr]:
    """The arguments of a function that `human` calls: the state, where it takes it, and what is written."""
    found: dict[str, Expr] = {"state": e.Name("state")} if called is not None and called.takes_state else {}
    match values.get(name):
        case None:
            pass
        case e.Dict(items=items):
            for item in items:
                match item.key:
                    case e.Const(value=str(key)):
                        found[key] = item.value
                    case _:
                        _wrong(values, name, 'write the names as texts: `{"amount": state.amount}`')
        case _:
            _wrong(values, name, 'write a dict display: `{"amount": state.amount}`')
    return MappingProxyType(found)


def _required(values: _Values) -> tuple[str, ...]:
    value = values.found.get("required_input")
    return () if value is None else read_texts(values.unit, value, values.place.frame, "`required_input`")


def _answer_to(values: _Values) -> str:
    value = values.found.get("answer_to")
    word = "self" if value is None else constant(values.unit, value, values.place.frame, str, "`answer_to`")
    if word not in {"self", "next", None}:
        _wrong(values, "answer_to", 'write "self" or "next"')
    return "next" if word == "next" else "self"


def _wrong(values: _Values, name: str, help_: str) -> None:
    message = f"`{name}` of `human` cannot be read"
    values.unit.findings.error(codes.RUVON_ARGUMENT, message, values.found[name].span, help=help_)


@final
@dataclass(frozen=True, slots=True)
class _Called:
    """A function that `human` calls."""

    path: TypePath
    takes_state: bool


def _function(values: _Values, name: str) -> _Called | None:
    """A step function given as an argument."""
    value = values.found.get(name)
    if value is None or value.text == "None":
        return None
    unit = values.unit
    if isinstance(value, Dotted):
        if unit.lookup is None:
            return _Called(value.name, takes_state=False)
        found = unit.lookup(value.name)
        target = describe(found) if found is not Missing else None
        if isinstance(target, StepTarget | PlainFunctionTarget):
            return _Called(target.path, target.takes_state)
    unit.findings.error(
        codes.RUVON_ARGUMENT, f"`{name}` of `human` is no step function", value.span, help="name a function under @step"
    )
    return None
