"""Values as statements: awaited effects, in-place changes, `node(...)`, `workflow.restart(state)`, and mistakes."""

from types import MappingProxyType
from typing import Final

from ruvon.ir._nodes import Call
from ruvon.ir._spans import Span
from ruvon.ir.expr._nodes import Expr
from ruvon_dsl._link import ChildTarget, Missing, PureTarget, describe
from ruvon_dsl.python import _codes as codes
from ruvon_dsl.python._callees import callee_of
from ruvon_dsl.python._context import Given, Place, Unit
from ruvon_dsl.python._lower_assign import in_place_call
from ruvon_dsl.python._lower_bindings import produce, report_not_awaited
from ruvon_dsl.python._lower_options import constant
from ruvon_dsl.python._lower_values import effect_of, lower_value, report_awaits, report_effect
from ruvon_dsl.python._lower_waits import ruvon_arguments
from ruvon_dsl.python._pieces import Pieces, Step
from ruvon_dsl.python._surface import Awaiting, Discarded, Dotted, Each, Invocation, Statement, Value

__all__ = ["lower_discarded", "node_given"]

_LOGGERS: Final = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log"})


def node_given(unit: Unit, statement: Statement, place: Place) -> Given | None:
    """What `node(...)` says about the next statement; None for any other statement."""
    call = statement.value if isinstance(statement, Discarded) else None
    if not isinstance(call, Invocation) or not isinstance(call.function, Dotted):
        return None
    if unit.names.ruvon(call.function.parts) != "node":
        return None
    found = ruvon_arguments(unit, "node", call)
    if found is None:
        return Given()
    frame = place.frame
    name = constant(unit, found["name"], frame, str, "the name")
    limit = (
        constant(unit, found["max_iterations"], frame, int, "`max_iterations`") if "max_iterations" in found else None
    )
    automate = (
        constant(unit, found["automate_next"], frame, bool, "`automate_next`") if "automate_next" in found else None
    )
    injected = constant(unit, found["injected"], frame, bool, "`injected`") if "injected" in found else None
    return Given(name, limit, automate, statement.span, injected=bool(injected))


def lower_discarded(unit: Unit, statement: Discarded, place: Place, given: Given) -> Pieces:
    """A value as a statement."""
    value = statement.value
    if isinstance(value, Awaiting) or (isinstance(value, Each) and isinstance(value.element, Awaiting)):
        made = produce(unit, value, place, given, None)
        return () if made is None else made[0]
    if isinstance(value, Invocation):
        restart = _restart(unit, value, statement.span, place, given)
        if restart is not None:
            return restart
        changed = in_place_call(unit, value, statement.span, place, given)
        if changed is not None:
            return changed
        if report_not_awaited(unit, value, place, statement.span) or _acts(unit, value, place):
            return ()
    if not report_awaits(unit, value, place.frame, statement.span):
        _no_effect(unit, value, statement.span)
    return ()


def _no_effect(unit: Unit, value: Value, span: Span) -> None:
    unit.findings.error(
        codes.NO_EFFECT,
        f"the value of `{' '.join(value.text.split())[:60]}` is not used",
        span,
        help="assign it, or delete the line",
    )


def _acts(unit: Unit, call: Invocation, place: Place) -> bool:
    """Report the call of a function that is neither a step nor part of the expression language."""
    function = call.function
    if not isinstance(function, Dotted):
        return False
    if unit.lookup is not None and not place.frame.has(function.parts[0]):
        found = unit.lookup(function.name)
        if found is not Missing and isinstance(describe(found), PureTarget):
            return False
    if function.parts == (function.parts[0], "go") and function.parts[0] in place.flows:
        unit.findings.error(
            codes.FLOW,
            f"`{call.text}` stands inside a loop or a `finally`, which a flow cannot leave",
            call.span,
            help="end the loop with `break` and go behind it",
        )
        return True
    if place.frame.has(function.parts[0]):
        return False
    logs = function.parts[-1] in _LOGGERS and len(function.parts) > 1
    if effect_of(unit, function.parts) is None and not logs and place.frame.branch(function.name) is not None:
        unit.findings.error(
            codes.BRANCH_USE,
            f"the branch `{function.name}` is called and not awaited",
            call.span,
            help=f"run it with `await gather({function.name}(), ...)`",
        )
        return True
    report_effect(unit, function.name, call.span)
    return True


def _restart(unit: Unit, call: Invocation, span: Span, place: Place, given: Given) -> Pieces | None:
    """`subscription.restart(state)`: the run begins again under its id; None where the call is something else."""
    callee = callee_of(unit, call.function)
    if callee is None or callee.method != "restart" or callee.base is None or place.frame.has(callee.base.parts[0]):
        return None
    if not _is_workflow(unit, callee.base):
        return None
    if len(call.args) != 1 or call.args[0].keyword is not None or call.args[0].star:
        unit.findings.error(
            codes.CHILD,
            f"`{callee.base.name}.restart` takes one value, the state of the new run",
            call.span,
            help=f"write `{callee.base.name}.restart(state)`",
        )
        return ()
    data: Expr = lower_value(unit, call.args[0].value, place.frame, span)
    name, given.name = given.name, None
    node = unit.ids.derive("restart") if name is None else unit.ids.use(name)
    action = Call(type="RESTART", config=MappingProxyType({"data": data}))
    return (Step(node, action, span, unit.automation(place, given.automate_next)),)


def _is_workflow(unit: Unit, base: Dotted) -> bool:
    if unit.lookup is None:
        declared = unit.names.declared.get(base.name)
        return declared is not None and declared.kind == "workflow"
    found = unit.lookup(base.name)
    return found is not Missing and isinstance(describe(found), ChildTarget)
