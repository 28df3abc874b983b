"""`try` and `async with saga()`: one TRY each."""

from ruvon.ir._nodes import END, Decision, Return, TypePath
from ruvon_dsl.python import _codes as codes
from ruvon_dsl.python._context import NOWHERE, RETURNS, After, Given, Place, Unit
from ruvon_dsl.python._lower_flow import stretch
from ruvon_dsl.python._lower_types import class_of
from ruvon_dsl.python._pieces import Attempt, Catching, Piece, Pieces, Step, Stop, falls
from ruvon_dsl.python._scopes import does_something
from ruvon_dsl.python._surface import Block, Catch, Dotted, Entering, Invocation, Statement, Trying

__all__ = ["lower_saga", "lower_try"]


def _settle(unit: Unit, base: str, given: Given) -> str:
    if given.name is None:
        return unit.ids.derive(base)
    name, given.name = given.name, None
    return unit.ids.use(name)


def lower_try(unit: Unit, statement: Trying, place: Place, after: After, given: Given) -> Pieces:
    """`try/except/else/finally`.

    A `finally` runs behind the `else`, so both together are two TRYs. With an `else`, the end of a handler must not
    fall into it (see `docs/lowering.md`): where nothing follows in this graph, the handler ends with a RETURN, or,
    inside a `finally`, the TRY gets an empty DECISION to join at.
    """
    has_else = statement.orelse is not None and does_something(statement.orelse)
    has_final = statement.final is not None and does_something(statement.final)
    if not statement.catches and not has_final:
        return _plain(unit, statement, place, after, given)
    if has_else and has_final:
        return lower_try(unit, _nested(statement), place, after, given)
    node = _settle(unit, "try", given)
    at_end = place.follows(after) == "end"
    joins = has_else and at_end and place.past == NOWHERE
    behind: After = "node" if joins else after
    body_past = "node" if has_else else place.beyond(behind)
    inner = place.in_try(body_past, behind="nothing" if not has_else else stretch(_statements(statement.orelse), place))
    body = unit.block(statement.body, inner)
    handler = place.in_try(place.beyond(behind), handler=True, behind="jumps" if has_else else "nothing")
    returns = has_else and at_end and place.past == RETURNS
    catches = tuple(_catch(unit, item, handler, ends=returns) for item in statement.catches)
    orelse = unit.block(statement.orelse, place, behind) if statement.orelse is not None and has_else else ()
    final = unit.block(statement.final, place.in_finally()) if statement.final is not None and has_final else None
    automate = unit.automation(place, given.automate_next)
    attempt: Piece = Attempt(node, body, catches, orelse, final, False, statement.span, automate)
    if not joins:
        return (attempt,)
    join = Decision(routes=(), default=END)
    return (attempt, Step(unit.ids.derive("if"), join, statement.span, unit.automation(place)))


def _statements(block: Block | None) -> tuple[Statement, ...]:
    return () if block is None else block.statements


def _nested(statement: Trying) -> Trying:
    """With `else` and `finally` the `else` runs before the `finally`: one `try` inside another."""
    inner = Trying(statement.body, statement.catches, statement.orelse, None, statement.span)
    return Trying(Block((inner,), statement.body.span), (), None, statement.final, statement.span)


def _plain(unit: Unit, statement: Trying, place: Place, after: After, given: Given) -> Pieces:
    """A `try` whose `finally` does nothing is its body."""
    return unit.block(statement.body, place, after, given)


def _catch(unit: Unit, catch: Catch, place: Place, *, ends: bool) -> Catching:
    classes: list[TypePath] = []
    for name in catch.classes:
        if _is_base(unit, name):
            unit.findings.error(
                codes.BASE_EXCEPTION,
                f"`except {name.name}` would also catch cancellation and the engine's own limits",
                name.span,
                help="write `except Exception:`",
            )
            continue
        path = class_of(unit, name)
        if path is not None and path not in classes:
            classes.append(path)
    body = unit.block(catch.body, place)
    if ends and falls(body):
        body = (*body, Stop(unit.ids.derive("return"), Return(), catch.span))
    name_ = None if catch.name is None else place.frame.rename.get(catch.name, catch.name)
    return Catching(tuple(classes), name_, body)


def _is_base(unit: Unit, name: Dotted) -> bool:
    builtin = {"BaseException", "BaseExceptionGroup", "KeyboardInterrupt", "SystemExit", "GeneratorExit"}
    cancelled = unit.names.full(name.parts) in {"asyncio.CancelledError", "asyncio.exceptions.CancelledError"}
    return cancelled or (name.name in builtin and name.name not in unit.names.declared)


def lower_saga(unit: Unit, statement: Entering, place: Place, after: After, given: Given) -> Pieces:
    """`async with saga():`."""
    item = statement.item
    called = item.function if isinstance(item, Invocation) and not item.args else None
    known = unit.names.ruvon(called.parts) if isinstance(called, Dotted) else None
    node = _settle(unit, "saga", given)
    if known != "saga":
        unit.findings.error(
            codes.WITH,
            "the only context of a workflow is `async with saga():`",
            statement.span,
            help="do the work of the context in a step, or use try/finally with steps",
            reason="what a context manager holds in memory is gone after a crash",
        )
    body = unit.block(statement.body, place.in_try(place.beyond(after)))
    automate = unit.automation(place, given.automate_next)
    return (Attempt(node, body, (), (), None, True, statement.span, automate),)
