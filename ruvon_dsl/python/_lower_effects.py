"""What an `await` waits for: the dispatch over every awaitable form."""

from ruvon.ir._spans import Span
from ruvon_dsl.python import _codes as codes
from ruvon_dsl.python._callees import Effect, Wanted, callee_of
from ruvon_dsl.python._context import Given, Place, Unit
from ruvon_dsl.python._lower_calls import step_effect
from ruvon_dsl.python._lower_children import custom_effect
from ruvon_dsl.python._lower_parallel import first_of_effect, gather_effect
from ruvon_dsl.python._lower_waits import ONE_NODE, waiting_effect
from ruvon_dsl.python._refusals import refuse_await
from ruvon_dsl.python._surface import Awaiting, Dotted, Invocation, Value

__all__ = ["lower_effect", "report_late"]


def lower_effect(unit: Unit, awaiting: Awaiting, place: Place, *, given: Given, wanted: Wanted) -> Effect | None:
    """The node of an awaited call; anything that cannot be awaited is reported and gives None."""
    value = awaiting.value
    if not isinstance(value, Invocation):
        _not_a_call(unit, value, place)
        return None
    callee = callee_of(unit, value.function)
    if callee is None:
        unit.findings.error(
            codes.AWAITED,
            f"`{' '.join(value.function.text.split())}` is not something that a workflow can await",
            value.span,
            help="await a call of a step, a workflow or a waiting function of ruvon, by its name",
        )
        return None
    if callee.custom is not None:
        return custom_effect(unit, callee, value, place, given=given, wanted=wanted)
    assert callee.base is not None  # noqa: S101 - either part is set
    base = callee.base
    if place.frame.branch(base.name) is not None:
        unit.findings.error(
            codes.BRANCH_USE,
            f"the branch `{base.name}` is awaited outside of `gather` and `first_of`",
            value.span,
            help=f"write its statements here, or run it beside another branch: `await gather({base.name}(), ...)`",
        )
        return None
    known = unit.names.ruvon(base.parts) if not place.frame.has(base.parts[0]) else None
    match known:
        case None if place.frame.has(base.parts[0]) or base.parts[0] == "state":
            refuse_await(unit, base, value.span, "is a value of the workflow, not a step,")
            return None
        case None:
            return step_effect(unit, callee, value, place, given=given, wanted=wanted)
        case name if name in ONE_NODE:
            return waiting_effect(unit, name, callee, value, place, given=given, wanted=wanted)
        case name if callee.options or callee.method is not None:
            _optionless(unit, name, value)
            return None
        case "gather":
            return gather_effect(unit, value, place, given=given, wanted=wanted)
        case "first_of":
            return first_of_effect(unit, value, place, given=given, wanted=wanted)
        case name:
            _misused(unit, name, value)
            return None


def _optionless(unit: Unit, name: str, call: Invocation) -> None:
    unit.findings.error(
        codes.AWAITED,
        f"`{name}` has no `.with_` and no other methods",
        call.span,
        help=f'name it on the line before, `node("Name")`; its options are keywords of the call: `{name}(..., timeout=...)`',
    )


def _misused(unit: Unit, name: str, call: Invocation) -> None:
    advice = {
        "after": "`after` stands only around an argument of `gather`",
        "named": "`named` stands only around an argument of `first_of`",
        "call": 'write `await call("TYPE", ...)(state)`, with the state in a second pair of parentheses',
        "saga": "write `async with saga():`",
        "flow": "write `async for at in flow(...):`",
        "start": "run the work beside other work with `gather`, ordered by `after` where needed",
        "now": "`now()` is not awaited: `value = now()`",
        "new_id": "`new_id()` is not awaited: `value = new_id()`",
        "random": "`random()` is not awaited: `value = random()`",
        "node": "`node(...)` is not awaited",
    }
    unit.findings.error(
        codes.AWAITED, f"`{name}` is not awaited by itself", call.span, help=advice.get(name, "see its documentation")
    )


def _not_a_call(unit: Unit, value: Value, place: Place) -> None:
    if isinstance(value, Dotted) and place.frame.has(value.parts[0]):
        report_late(unit, value.name, value.span)
        return
    unit.findings.error(
        codes.AWAITED,
        f"`await {' '.join(value.text.split())}` awaits no call",
        value.span,
        help="await a call of a step, a workflow or a waiting function of ruvon",
    )


def report_late(unit: Unit, text: str, span: Span) -> None:
    """Report work that is begun at one place and awaited at another."""
    unit.findings.error(
        codes.LATE_AWAIT,
        f"`{' '.join(text.split())}` is awaited later than it is called",
        span,
        reason="work that was started and not awaited exists only in memory and is gone after a crash",
        help="await the call where it stands; to run several at once, write `a, b = await gather(f(...), g(...))`",
    )
