"""Assignments of values and of awaited results."""

from dataclasses import replace

from ruvon.ir._nodes import Call
from ruvon.ir._spans import Span
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr._nodes import Expr
from ruvon.ir.types import UnresolvedTypeError, type_text
from ruvon_dsl._link import Missing, StepTarget, describe
from ruvon_dsl.python import _codes as codes
from ruvon_dsl.python._callees import Wanted, callee_of
from ruvon_dsl.python._context import Given, Inlined, Place, Unit
from ruvon_dsl.python._findings import edit_fix
from ruvon_dsl.python._lower_assign import assign_piece, lower_target
from ruvon_dsl.python._lower_choice import decision_id
from ruvon_dsl.python._lower_effects import lower_effect, report_late
from ruvon_dsl.python._lower_inline import block_of, inline
from ruvon_dsl.python._lower_loops import collecting_loop
from ruvon_dsl.python._lower_types import type_of
from ruvon_dsl.python._lower_values import effect_of, is_effectful, lower_value, report_effect
from ruvon_dsl.python._pieces import Choose, Leave, Pieces, Step, falls
from ruvon_dsl.python._surface import (
    Annotated,
    Assigned,
    Awaiting,
    Choice,
    Dotted,
    Each,
    EitherOr,
    Invocation,
    Returning,
    Value,
)

__all__ = ["lower_annotated", "lower_assigned", "produce", "report_not_awaited", "return_from_block"]


def produce(unit: Unit, value: Value, place: Place, given: Given, wanted: Wanted) -> tuple[Pieces, Expr | None] | None:
    """The pieces of an awaited value, and where its result is; None where it is reported."""
    if isinstance(value, Each):
        return collecting_loop(unit, value, place, given, wanted)
    if not isinstance(value, Awaiting):
        return None
    use = block_of(unit, value, place)
    if use is not None:
        return inline(unit, use, place, given, wanted)
    effect = lower_effect(unit, value, place, given=given, wanted=wanted)
    if effect is None:
        return None
    return (Step(effect.id, effect.action, effect.span, effect.automate),), effect.output


def lower_annotated(unit: Unit, statement: Annotated, place: Place, given: Given) -> Pieces:
    """`x: T = v`: the annotation is the variable's type; without a value it is only that."""
    target = statement.target
    if isinstance(target, Dotted) and len(target.parts) == 1:
        name = place.frame.rename.get(target.parts[0], target.parts[0])
        before = unit.findings.count
        text = type_of(unit, statement.annotation)
        known = text if unit.findings.count > before else unit.variables.setdefault(name, text)
        if known != text:
            unit.findings.error(
                codes.ANNOTATION,
                f"`{name}` is annotated as `{text}` here and as `{known}` before",
                statement.annotation.span,
                help="give the two values different names",
            )
    if statement.value is None:
        return ()
    return lower_assigned(unit, Assigned(target, statement.value, statement.span), place, given)


def lower_assigned(unit: Unit, statement: Assigned, place: Place, given: Given) -> Pieces:
    """`target = value`."""
    value = statement.value
    if isinstance(statement.target, Dotted) and statement.target.name == "state":
        return _rebound(unit, statement, place, given)
    if isinstance(value, Awaiting) or (isinstance(value, Each) and isinstance(value.element, Awaiting)):
        target = lower_target(unit, statement.target, place)
        made = produce(unit, value, place, given, target)
        return () if made is None or target is None else made[0]
    if isinstance(value, EitherOr | Choice):
        return _either(unit, statement, value, place, given)
    if _is_late(statement, place) or _forgotten(unit, value, place):
        return ()
    if isinstance(value, Dotted) and value.name == "state":
        _aliased(unit, statement)
        return ()
    found = lower_value(unit, value, place.frame, statement.span, whole=True)
    target = lower_target(unit, statement.target, place)
    return () if target is None else (assign_piece(unit, target, found, statement.span, place, given),)


def _aliased(unit: Unit, statement: Assigned) -> None:
    unit.findings.error(
        codes.STATE_NAME,
        f"`{statement.target.text}` would be another name of the state",
        statement.span,
        help="use `state` itself, or take the fields you need: `total = state.total`",
        reason="the state is stored by value; a second name would be a copy after a crash and the same object before",
    )


def _is_late(statement: Assigned, place: Place) -> bool:
    """Work that is bound to a name and awaited later; the `await` is where it is reported."""
    target = statement.target
    late = isinstance(target, Dotted) and target.name in place.frame.late
    return late and isinstance(statement.value, Invocation)


def _forgotten(unit: Unit, value: Value, place: Place) -> bool:
    """Report a call that only an `await` would run."""
    if not isinstance(value, Invocation):
        return False
    return report_not_awaited(unit, value, place, value.span)


def report_not_awaited(unit: Unit, call: Invocation, place: Place, span: Span) -> bool:
    """Report a step, workflow or waiting function that is called without `await`; True if it was one."""
    callee = callee_of(unit, call.function)
    base = callee.base if callee is not None else None
    if base is None or place.frame.has(base.parts[0]):
        return False
    if unit.names.ruvon(base.parts) == "start":
        report_late(unit, call.text, call.span)
        return True
    if not is_effectful(unit, base.parts):
        if effect_of(unit, base.parts) is not None:
            report_effect(unit, base.name, span, whole=True)
            return True
        return False
    head = Span(call.span.file, call.span.start, call.span.start)
    unit.findings.error(
        codes.NOT_AWAITED,
        f"`{base.name}(...)` is not awaited, so it does not run",
        call.span,
        help=f"write `await {' '.join(call.text.split())[:80]}`",
        reason="the call alone gives work, not its result",
        fix=edit_fix("insert `await`", (head, "await ")),
    )
    return True


def return_from_block(unit: Unit, statement: Returning, place: Place, block: Inlined, given: Given) -> Pieces:
    """`return` in an inlined block: its value to where the caller wants it, then the edge to behind the block."""
    if block.loop:
        unit.findings.error(
            codes.BLOCK,
            f"the block `{block.name}` returns from inside a loop",
            statement.span,
            help="leave the loop with `break` and return behind it",
            reason="the block's statements are inlined, and no edge leads out of a loop but `break`",
        )
    leave = Leave(block.exit, statement.span, stage=True)
    value, wanted = statement.value, block.wanted
    inner = replace(place, after="node")
    if isinstance(value, Awaiting) or (isinstance(value, Each) and isinstance(value.element, Awaiting)):
        made = produce(unit, value, inner, given, wanted)
        pieces = () if made is None else made[0]
        return pieces if pieces and not falls(pieces) else (*pieces, leave)
    if wanted is None:
        if value is not None:
            lower_value(unit, value, place.frame, statement.span)
        return (leave,)
    found: Expr = e.Const(None) if value is None else lower_value(unit, value, place.frame, statement.span)
    return (assign_piece(unit, wanted, found, statement.span, place, given), leave)


# --- the state itself -------------------------------------------------------------------------------------------------


def _rebound(unit: Unit, statement: Assigned, place: Place, given: Given) -> Pieces:
    """`state = await f(state)` merges by itself where the result is of the state's class; anything else rebinds."""
    value = statement.value
    if not isinstance(value, Awaiting) or not _gives_state(unit, value):
        lower_target(unit, statement.target, place)
        return ()
    made = produce(unit, value, place, given, None)
    if made is None:
        return ()
    action = made[0][0].action if isinstance(made[0][0], Step) else None
    if not isinstance(action, Call) or e.Name("state") not in action.args.values():
        lower_target(unit, statement.target, place)
    return made[0]


def _gives_state(unit: Unit, value: Awaiting) -> bool:
    """Whether the awaited step's result is of the state's class; without an import it is taken to be."""
    call = value.value
    callee = callee_of(unit, call.function) if isinstance(call, Invocation) else None
    if callee is None or callee.base is None:
        return False
    if unit.lookup is None:
        return True
    found = unit.lookup(callee.base.name)
    target = None if found is Missing else describe(found)
    if not isinstance(target, StepTarget) or not target.takes_state or target.result is Missing:
        return False
    try:
        return type_text(target.result) == unit.state
    except (UnresolvedTypeError, TypeError, AttributeError):
        return False


# --- results that depend on a condition -------------------------------------------------------------------------------


def _either(unit: Unit, statement: Assigned, value: EitherOr | Choice, place: Place, given: Given) -> Pieces:
    """`x = a or await f()` and `x = await f() if c else v` are decisions with an assignment in each arm."""
    node, automate = decision_id(unit, "if", place, given, None)
    if isinstance(value, Choice):
        condition = lower_value(unit, value.test, place.frame, statement.span)
        body = _arm(unit, statement, value.body, place)
        default = _arm(unit, statement, value.orelse, place)
    else:
        condition = lower_value(unit, value.left, place.frame, statement.span)
        first, second = (value.left, value.right) if value.op == "or" else (value.right, value.left)
        body = _arm(unit, statement, first, place)
        default = _arm(unit, statement, second, place)
    return (Choose(node, ((condition, body),), default, statement.span, automate),)


def _arm(unit: Unit, statement: Assigned, value: Value, place: Place) -> Pieces:
    return lower_assigned(unit, Assigned(statement.target, value, statement.span), place, Given())
