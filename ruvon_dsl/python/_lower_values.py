"""Expressions: from their text to bound expressions, and what may not stand in them in a workflow's body."""

from dataclasses import replace
from typing import Final

from ruvon.ir._diagnostics import Diagnostic
from ruvon.ir._spans import Span
from ruvon.ir.expr import ExpressionError, dotted, impure_calls, parse, substitute, walk
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr._language import DEFINITION_PATHS
from ruvon.ir.expr._nodes import Expr
from ruvon_dsl._link import BlockTarget, ChildTarget, Missing, StepTarget, bind_names, describe
from ruvon_dsl.python import _codes as codes
from ruvon_dsl.python._context import Frame, Unit
from ruvon_dsl.python._findings import edit_fix
from ruvon_dsl.python._surface import (
    Awaiting,
    Choice,
    Dotted,
    Each,
    EitherOr,
    Invocation,
    Member,
    Text,
    Value,
)

__all__ = [
    "EFFECT_ADVICE",
    "NOTHING",
    "bind",
    "effect_of",
    "import_edit",
    "is_effectful",
    "lower_value",
    "read_expression",
    "report_awaits",
    "report_effect",
]

NOTHING: Final = e.Name("_")
"""Stands for a value that was reported: a variable of unknown type."""
_WAITING: Final = frozenset(
    ["call", "first_of", "gather", "http", "human", "infer", "named", "receive", "sleep", "sleep_until", "wasm"]
)
_RECORDED: Final = frozenset({"now", "new_id", "random", "template", "secret"})
EFFECT_ADVICE: Final = {
    "datetime.datetime.now": "now()",
    "datetime.datetime.utcnow": "now()",
    "datetime.datetime.today": "now()",
    "datetime.date.today": "now()",
    "time.time": "now()",
    "time.monotonic": "now()",
    "time.time_ns": "now()",
    "uuid.uuid4": "new_id()",
    "uuid.uuid1": "new_id()",
    "secrets.token_hex": "new_id()",
    "random.random": "random()",
    "random.randint": "random()",
    "random.choice": "random()",
    "random.uniform": "random()",
}
_EFFECT_MODULES: Final = frozenset(
    [
        "aiohttp",
        "asyncio",
        "boto3",
        "httpx",
        "io",
        "logging",
        "os",
        "pathlib",
        "random",
        "requests",
        "secrets",
        "shutil",
        "smtplib",
        "socket",
        "sqlite3",
        "subprocess",
        "sys",
        "threading",
        "time",
        "urllib",
        "uuid",
    ]
)
_VALUES: Final = frozenset(path.replace(":", ".") for path in DEFINITION_PATHS)
"""What the expression language itself has: `uuid.UUID` is a value, whatever else its module does."""
_EFFECT_BUILTINS: Final = frozenset(["breakpoint", "compile", "eval", "exec", "exit", "input", "open", "print", "quit"])


def lower_value(unit: Unit, value: Value, frame: Frame, statement: Span, *, whole: bool = False) -> Expr:
    """The bound expression of a value that holds no await; what is wrong is reported and gives `None`.

    `whole` says that the value is the right side of an assignment, where `now()`, `new_id()` and `random()` may stand.
    """
    if not value.text or report_awaits(unit, value, frame, statement):
        return NOTHING
    found = read_expression(unit, value.text, value.span)
    if found is None or _effects(unit, found, frame):
        return NOTHING
    bound = bind(unit, found, frame)
    impure = impure_calls(bound)
    if impure and not (whole and impure == (bound,)):
        _recorded(unit, impure[0], impure[0].span or value.span)
        return NOTHING
    return bound


def _recorded(unit: Unit, call: e.Call, span: Span) -> None:
    name = call.function.id if isinstance(call.function, e.Name) else "now"
    unit.findings.error(
        codes.MISPLACED,
        f"`{name}()` stands in a place where its value is not recorded",
        span,
        help=f"write `value = {name}()` on a line before it and use `value`",
        reason="only the right side of an assignment is stored, so a resumed run would see another value",
    )


def bind(unit: Unit, expr: Expr, frame: Frame) -> Expr:
    """Outside names of a parsed expression to what they stand for."""
    if frame.rename:
        expr = substitute(expr, {old: e.Name(new) for old, new in frame.rename.items()})
    plain = _plain_names(unit, expr, frame)
    read = {part.id for part in walk(plain) if isinstance(part, e.Name)}  # not all names of a long body
    known = {name for name in read if frame.has(name)}
    bound, found = bind_names(plain, bound={*known, *frame.rename.values(), *_RECORDED}, lookup=unit.lookup)
    unit.findings.add(*found)
    return NOTHING if found else bound


def read_expression(unit: Unit, text: str, span: Span) -> Expr | None:
    """Parse the text of an expression; findings are reported and give None."""
    try:
        return parse(text, file=span.file, line=span.start.line, column=span.start.column)
    except ExpressionError as error:
        unit.findings.add(*(_with_fix(item) for item in error.diagnostics))
        return None


def _with_fix(item: Diagnostic) -> Diagnostic:
    """Add the edit to a finding of the expression language that has a mechanical rewrite."""
    if item.code != codes.EFFECT or item.span is None:
        return item
    name = item.message.partition("`")[2].partition("`")[0]
    advice = next((new for old, new in EFFECT_ADVICE.items() if name and old.endswith(name)), None)
    if advice is None or item.fix is not None:
        return item
    help_ = item.help or f"write `value = {advice}` on a line of its own and use `value`"
    return replace(item, help=help_)


def _plain_names(unit: Unit, expr: Expr, frame: Frame) -> Expr:
    """Ruvon's functions of the language under their own names, whatever the import calls them."""
    mapping: dict[str, Expr] = {}
    for node in walk(expr):
        if isinstance(node, e.Call) and (name := dotted(node.function)) is not None:
            parts = tuple(name.split("."))
            found = None if frame.has(parts[0]) else unit.names.ruvon(parts)
            if found in _RECORDED and found != name:
                mapping[name] = e.Name(found)
    return substitute(expr, mapping) if mapping else expr


# --- awaits -----------------------------------------------------------------------------------------------------------


def report_awaits(unit: Unit, value: Value, frame: Frame, statement: Span) -> bool:
    """Report awaits where none may stand; True if there was one."""
    inside = _awaits_of(value)
    hoistable = isinstance(value, Awaiting) or (isinstance(value, Text) and value.hoistable)
    for item in inside:
        _deep(unit, item, frame, statement, hoistable=hoistable and item is inside[0])
    return bool(inside)


def _awaits_of(value: Value) -> tuple[Awaiting, ...]:
    match value:
        case Awaiting():
            return (value,)
        case EitherOr(right=right):
            return (right,)
        case Choice(body=body, orelse=orelse):
            return tuple(item for item in (body, orelse) if isinstance(item, Awaiting))
        case Text(awaits=awaits) | Invocation(awaits=awaits) | Each(awaits=awaits) | Member(awaits=awaits):
            return awaits
        case Dotted():
            return ()


def _deep(unit: Unit, item: Awaiting, frame: Frame, statement: Span, *, hoistable: bool) -> None:
    name = _free_name(item, frame)
    start = statement.start
    indent = " " * (start.column - 1)
    line = unit.source.line(start.line)
    own_line = line[: start.column - 1].strip() == "" and statement.start <= item.span.start
    fix = None
    if hoistable and own_line and not line.strip().startswith(("while ", "elif ", "case ")):
        head = Span(statement.file, start, start)
        fix = edit_fix(
            f"give the result the name `{name}`", (head, f"{name} = {item.text}\n{indent}"), (item.span, name)
        )
    unit.findings.error(
        codes.DEEP_AWAIT,
        f"`{_short(item.text)}` stands inside an expression",
        item.span,
        reason="what stands before it is read before the step runs and must be recorded first",
        help=f"write `{name} = {_short(item.text)}` on a line before it and use `{name}` here",
        fix=fix,
    )


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 60 else f"{flat[:57]}..."


def _free_name(item: Awaiting, frame: Frame) -> str:
    call = item.value
    function = call.function if isinstance(call, Invocation) else call
    base = function.parts[-1] if isinstance(function, Dotted) else "value"
    name = f"{base}_result"
    number = 2
    while frame.has(name):
        name = f"{base}_result_{number}"
        number += 1
    return name


# --- calls that may not stand in an expression ------------------------------------------------------------------------


def _effects(unit: Unit, expr: Expr, frame: Frame) -> bool:
    """Report calls in an expression that act or wait; True if there was one."""
    found = False
    for node in walk(expr):
        if not isinstance(node, e.Call) or node.span is None:
            continue
        name = dotted(node.function)
        if name is None or frame.has(name.partition(".")[0]):
            found = _branch_call(unit, node, name, frame) or found
            continue
        if is_effectful(unit, tuple(name.split("."))):
            found = True
            unit.findings.error(
                codes.NOT_AWAITED,
                f"`{name}(...)` is not awaited, so it does not run",
                node.span,
                reason="the call gives work, not its result; as a condition it is always true",
                help=f"write `value = await {name}(...)` on a line of its own and use `value`",
            )
        elif effect_of(unit, tuple(name.split("."))) is not None:
            found = True
            report_effect(unit, name, node.span)
    return found


def _branch_call(unit: Unit, node: e.Call, name: str | None, frame: Frame) -> bool:
    if name is None or frame.branch(name) is None or node.span is None:
        return False
    unit.findings.error(
        codes.BRANCH_USE,
        f"the branch `{name}` is called outside of `gather` and `first_of`",
        node.span,
        help=f"write `await gather({name}(), ...)`",
    )
    return True


def is_effectful(unit: Unit, parts: tuple[str, ...]) -> bool:
    """Whether a dotted name is a step, a workflow, a block or a waiting function of Ruvon."""
    known = unit.names.ruvon(parts)
    if known is not None:
        return known in _WAITING
    if unit.lookup is not None:
        found = unit.lookup(".".join(parts))
        return found is not Missing and isinstance(describe(found), StepTarget | ChildTarget | BlockTarget)
    declared = unit.names.declared.get(parts[0]) if len(parts) == 1 else None
    return declared is not None and declared.kind in {"step", "workflow", "block"}


def effect_of(unit: Unit, parts: tuple[str, ...]) -> str | None:
    """The full path of a function of a library that acts or reads the outside, or None."""
    full = unit.names.full(parts)
    if full is None:
        builtin = len(parts) == 1 and parts[0] in _EFFECT_BUILTINS and parts[0] not in unit.names.declared
        return parts[0] if builtin else None
    if full in EFFECT_ADVICE:
        return full
    if full in _VALUES:
        return None
    return full if full.partition(".")[0] in _EFFECT_MODULES and "." in full else None


def report_effect(unit: Unit, name: str, span: Span, *, whole: bool = False) -> None:
    """Report a call that would act again, or differ, after a crash."""
    full = effect_of(unit, tuple(name.split("."))) or name
    advice = EFFECT_ADVICE.get(full)
    fix = None
    if full == "time.sleep":
        help_ = "write `await sleep(timedelta(seconds=...))` (`from ruvon import sleep`)"
    elif advice is not None:
        short = advice.removesuffix("()")
        help_ = f"write `value = {advice}` on a line of its own (`from ruvon import {short}`) and use `value`"
        imported = import_edit(unit, short)
        if whole and imported is not None:
            local, edits = imported
            fix = edit_fix(f"use `{advice}`", (span, f"{local}()"), *edits)
    else:
        stub = name.rpartition(".")[2]
        help_ = (
            f"move it into a step: `@step` above a function that does it, and `await` that (`await {stub}_step(...)`)"
        )
    unit.findings.error(
        codes.EFFECT,
        f"`{name}` acts on the outside or reads it, so it cannot stand in a workflow",
        span,
        reason="it would run again, or give another value, when the instance is resumed after a crash",
        help=help_,
        fix=fix,
    )


def import_edit(unit: Unit, name: str) -> tuple[str, list[tuple[Span, str]]] | None:
    """What a function of Ruvon is called in the module, with the edit that imports it; None where no place is known."""
    for local, full in unit.names.imports.items():
        if full == f"ruvon.{name}":
            return local, []
    node = unit.names.ruvon_import
    if node is None or name in unit.names.imports or name in unit.names.declared:
        return None
    end = unit.source.span(node).end
    return name, [(Span(unit.source.file, end, end), f", {name}")]
