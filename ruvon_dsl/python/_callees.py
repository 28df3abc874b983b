"""What is called by an `await`: its name, its options, the method on the way, its arguments, and the effect it becomes.

An effect is one node of the graph. Its id is settled here, before its parts are lowered, because ids are given in source
order with a compound before what it contains.
"""

from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias, final

from ruvon.ir._nodes import Call, Parallel, Start, Wait
from ruvon.ir._spans import Span
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr._nodes import Expr
from ruvon.ir.types import UnresolvedTypeError, type_text
from ruvon_dsl._link import Missing
from ruvon_dsl.python import _codes as codes
from ruvon_dsl.python._context import Given, Place, Unit
from ruvon_dsl.python._lower_options import MERGING
from ruvon_dsl.python._lower_values import lower_value
from ruvon_dsl.python._naming import variable_of
from ruvon_dsl.python._surface import Argument, Dotted, Invocation, Member, Value

__all__ = [
    "CHILD_OPTIONS",
    "RESULT",
    "SERVICE_OPTIONS",
    "STEP_OPTIONS",
    "WAIT_OPTIONS",
    "Callee",
    "Effect",
    "Wanted",
    "call_arguments",
    "callee_of",
    "check_method",
    "literal_names",
    "made",
    "result_text",
]

_METHODS: Final = frozenset({"queued", "spawn", "schedule", "restart", "with_", "local"})
_EVERY: Final = MERGING | {"name", "automate_next"}
WAIT_OPTIONS: Final = _EVERY | {"compensate"}
SERVICE_OPTIONS: Final = WAIT_OPTIONS | {
    *("retry", "timeout", "queue", "input_model", "required_input", "queue_timeout", "deadline", "concurrency_key"),
}
STEP_OPTIONS: Final = SERVICE_OPTIONS | {"into", "transaction"}
CHILD_OPTIONS: Final = _EVERY | {"version", "data_region", "retry", "timeout"}

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
    base: str = ""
    """What the id was made of: the given name, or the function's."""


@final
@dataclass(slots=True)
class Callee:
    """What is called: a name or `call("TYPE", ...)`, with the options and the method on the way."""

    base: Dotted | None
    custom: Invocation | None = None
    method: str | None = None
    options: list[Argument] = field(default_factory=list[Argument])


def callee_of(unit: Unit, function: Value) -> Callee | None:
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
            found = callee_of(unit, inner)
            if found is not None and found.method == "with_":
                found.options.extend(args)
                found.method = None
                return found
            if found is not None and found.base is not None and unit.names.ruvon(found.base.parts) == "call":
                return Callee(None, custom=function)
            return None
        case Member(value=value, name=name) if name in _METHODS:
            found = callee_of(unit, value)
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
    return Effect(node, replace(action, output=output), span, unit.automation(place, chosen), output, name or base)


# --- arguments --------------------------------------------------------------------------------------------------------


def call_arguments(
    unit: Unit, args: tuple[Argument, ...], place: Place, statement: Span
) -> tuple[list[Expr], dict[str, Expr]]:
    """The arguments of a step call as expressions; star arguments are reported."""
    positional: list[Expr] = []
    keywords: dict[str, Expr] = {}
    for arg in args:
        named = literal_names(unit, arg, place, statement)
        if named is not None:
            keywords.update(named)
            continue
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


def literal_names(unit: Unit, arg: Argument, place: Place, statement: Span) -> dict[str, Expr] | None:
    """The arguments of a written out `**{"a name": value}`, whose names are no identifiers; None for any other argument."""
    if arg.star != "**" or not arg.value.text.startswith("{"):
        return None
    found = lower_value(unit, arg.value, place.frame, statement)
    if not isinstance(found, e.Dict):
        return None
    names = [item.key.value for item in found.items if isinstance(item.key, e.Const)]
    if len(names) != len(found.items):
        return None
    return {str(name): item.value for name, item in zip(names, found.items, strict=True)}


def check_method(unit: Unit, callee: Callee, call: Invocation, known: tuple[str, ...], what: str) -> None:
    """Report a method that the callee does not have in a workflow."""
    if callee.method is None or callee.method in known:
        return
    base = callee.base.name if callee.base is not None else "call"
    listed = f", or use {' and '.join(f'`.{name}`' for name in known)}" if known else ""
    extra = " `.local` runs without the engine, in tests." if callee.method == "local" else ""
    unit.findings.error(
        codes.AWAITED,
        f"`{base}` is {what} and has no `.{callee.method}` in a workflow",
        call.span,
        help=f"call it{listed}.{extra}",
    )


def result_text(annotation: object) -> str | None:
    """The type text of an evaluated annotation; None where there is none or it is unresolved."""
    if annotation is Missing:
        return None
    try:
        return type_text(annotation)
    except (UnresolvedTypeError, TypeError, AttributeError):
        return None
