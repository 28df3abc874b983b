"""Blocks: one statement after the other, each to the pieces it becomes; what can never be reached is reported."""

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from ruvon.ir._nodes import BREAK, CONTINUE, END, Fail, Return
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr._nodes import Expr
from ruvon_dsl.python import _codes as codes
from ruvon_dsl.python._callees import RESULT
from ruvon_dsl.python._context import After, Given, Place, Unit, further
from ruvon_dsl.python._findings import edit_fix
from ruvon_dsl.python._lower_assign import lower_augmented
from ruvon_dsl.python._lower_bindings import lower_annotated, lower_assigned, produce, return_from_block
from ruvon_dsl.python._lower_choice import lower_if, lower_match
from ruvon_dsl.python._lower_discarded import lower_discarded, node_given
from ruvon_dsl.python._lower_flow import after_go, is_go, is_left, lower_flow, lower_go, stretch
from ruvon_dsl.python._lower_loops import lower_for, lower_while
from ruvon_dsl.python._lower_try import lower_saga, lower_try
from ruvon_dsl.python._lower_values import bind, lower_value, read_expression
from ruvon_dsl.python._pieces import Leave, Piece, Pieces, Stop, falls, goes_on
from ruvon_dsl.python._scopes import does_something
from ruvon_dsl.python._surface import (
    Annotated,
    Assigned,
    Augmented,
    Awaiting,
    Block,
    Branching,
    Discarded,
    Dotted,
    Each,
    Entering,
    FlowLoop,
    ForLoop,
    Function,
    Jump,
    Matching,
    Passing,
    Raising,
    Refused,
    Returning,
    Statement,
    Trying,
    Value,
    WhileLoop,
)

__all__ = ["lower_block"]


def lower_block(unit: Unit, block: Block, place: Place, after: After, given: Given | None = None) -> Pieces:
    """Lower the statements of a block; `given` goes to the first one that makes a node."""
    found: list[Piece] = []
    waiting = given if given is not None else Given()
    statements = block.statements
    skip: str | None = None
    for index, statement in enumerate(statements):
        if skip is not None and is_left(unit, statement, skip) is not None:
            continue
        if not falls(tuple(found[-1:])) and not (goes_on(found[-1]) and _is_edge(statement, place)):
            _unreachable(unit, statements[index:], found[-1])
            break
        if isinstance(statement, Passing | Function | Refused):
            continue
        skip = None
        named = node_given(unit, statement, place)
        if named is not None:
            waiting = _joined(unit, waiting, named)
            continue
        rest = statements[index + 1 :]
        kept = rest
        if isinstance(statement, FlowLoop) and place.flow is None:
            skip = statement.name
            kept = tuple(item for item in rest if is_left(unit, item, statement.name) is None)
        follows = _after(unit, kept, place, after)
        previous = found[-1] if found else None
        here = replace(place, after=follows, behind=further(place.behind, stretch(kept, place)))
        found.extend(_statement(unit, statement, here, follows, waiting, previous, rest))
        _check_used(unit, waiting)
        waiting = Given()
    _check_used(unit, waiting)
    return tuple(found)


def _joined(unit: Unit, waiting: Given, named: Given) -> Given:
    """What a `node(...)` gives; on the first node of a stage it can only add options, because the stage is its name."""
    if not waiting.first or waiting.name is None:
        _check_used(unit, waiting)
        return named
    if named.name != waiting.name and named.name is not None and named.span is not None:
        unit.findings.error(
            codes.NODE_PLACE,
            f"the first node of the stage `{waiting.name}` cannot be named `{named.name}`",
            named.span,
            help=f"write `node({waiting.name!r}, ...)`, or give the stage that name",
        )
    return replace(waiting, max_iterations=named.max_iterations, automate_next=named.automate_next)


def _does(statement: Statement) -> bool:
    return does_something(Block((statement,), statement.span))


def _after(unit: Unit, rest: tuple[Statement, ...], place: Place, after: After) -> After:
    """What follows a statement that has these behind it; a bare `return` may be an edge and no node."""
    first = next((item for item in rest if _does(item)), None)
    if first is None:
        return after
    going = after_go(unit, first, place)
    if going is not None:
        return going
    return "return" if _is_bare(first) and place.top and place.inlined is None else "node"


def _is_bare(statement: Statement) -> bool:
    return isinstance(statement, Returning) and (statement.value is None or statement.value.text == "None")


def _is_edge(statement: Statement, place: Place) -> bool:
    """Whether the statement only says where an edge leads, which a node has also where it never comes to its end."""
    return is_go(statement, place) or isinstance(statement, Jump) or (_is_bare(statement) and place.top)


def _check_used(unit: Unit, given: Given) -> None:
    if given.name is not None and not given.first and given.span is not None:
        unit.findings.error(
            codes.NODE_PLACE,
            f"`node({given.name!r})` names nothing, because no node comes from the statement behind it",
            given.span,
            help="put it on the line before the statement that it names",
        )


def _unreachable(unit: Unit, rest: Sequence[Statement], last: Piece) -> None:
    named = [item for item in rest if not isinstance(item, Passing | Function)]
    if not named:
        return
    first = named[0]
    whole = first.span.to(named[-1].span)
    fix = edit_fix("delete the unreachable lines", (whole, "pass")) if len(named) == 1 and _simple(first) else None
    unit.findings.error(
        codes.UNREACHABLE,
        "this statement can never be reached",
        first.span,
        reason=f"every path has ended at line {last.span.start.line}",
        help="delete it, or move it before the statement that ends the path",
        fix=fix,
    )


def _simple(statement: Statement) -> bool:
    return isinstance(statement, Assigned | Augmented | Discarded | Returning | Raising | Jump)


def _statement(
    unit: Unit,
    statement: Statement,
    place: Place,
    after: After,
    given: Given,
    previous: Piece | None,
    rest: Sequence[Statement],
) -> Pieces:
    match statement:
        case Assigned():
            return lower_assigned(unit, statement, place, given)
        case Annotated():
            return lower_annotated(unit, statement, place, given)
        case Augmented():
            return lower_augmented(unit, statement, place, given)
        case Discarded():
            going = lower_go(unit, statement, place)
            return lower_discarded(unit, statement, place, given) if going is None else going
        case Returning():
            return _return(unit, statement, place, given)
        case Raising():
            return _raise(unit, statement, place, given)
        case Jump():
            return _jump(unit, statement, place)
        case Branching():
            return lower_if(unit, statement, place, after, given, previous)
        case Matching():
            return lower_match(unit, statement, place, after, given, previous)
        case ForLoop():
            return lower_for(unit, statement, place, after, given)
        case WhileLoop():
            return lower_while(unit, statement, place, after, given)
        case Trying():
            return lower_try(unit, statement, place, after, given)
        case Entering():
            return lower_saga(unit, statement, place, after, given)
        case FlowLoop():
            return lower_flow(unit, statement, place, after, rest)
        case Passing() | Refused() | Function():
            return ()
        case _:
            assert_never(statement)


# --- exits ------------------------------------------------------------------------------------------------------------


def _return(unit: Unit, statement: Returning, place: Place, given: Given) -> Pieces:
    if place.in_final:
        _exit_in_finally(unit, "return", statement)
        return ()
    if place.inlined is not None:
        return return_from_block(unit, statement, place, place.inlined, given)
    value = statement.value
    if value is None or (value.text == "None" and place.top):
        if place.top and given.name is None:
            return (Leave(END, statement.span),)
        return (_stop(unit, Return(), statement, given),)
    if isinstance(value, Awaiting) or (isinstance(value, Each) and isinstance(value.element, Awaiting)):
        made = produce(unit, value, replace(place, after="node"), given, RESULT)
        if made is None:
            return (_stop(unit, Return(), statement, given),)
        pieces, output = made
        ends = bool(pieces) and not falls(pieces)
        return pieces if ends else (*pieces, _stop(unit, Return(value=output), statement, given))
    return (_stop(unit, Return(value=lower_value(unit, value, place.frame, statement.span)), statement, given),)


def _stop(unit: Unit, action: Return | Fail, statement: Returning | Raising, given: Given) -> Stop:
    name, given.name = given.name, None
    base = "return" if isinstance(action, Return) else "raise"
    return Stop(unit.ids.derive(base) if name is None else unit.ids.use(name), action, statement.span)


def _exit_in_finally(unit: Unit, word: str, statement: Returning | Jump) -> None:
    unit.findings.error(
        codes.FINALLY_EXIT,
        f"`{word}` inside `finally` would swallow the error on its way",
        statement.span,
        help="move it behind the `try` statement",
    )


def _raise(unit: Unit, statement: Raising, place: Place, given: Given) -> Pieces:
    if statement.error is None:
        if not place.in_handler:
            unit.findings.error(
                codes.STRAY_EXIT,
                "a bare `raise` stands outside of an `except`",
                statement.span,
                help="name the error to raise",
            )
        return (_stop(unit, Fail(), statement, given),)
    error = _error(unit, statement.error, place, statement)
    cause: Expr | None = None
    if statement.cause is not None and statement.cause.text != "None":
        cause = lower_value(unit, statement.cause, place.frame, statement.span)
    return (_stop(unit, Fail(error=error, cause=cause), statement, given),)


def _error(unit: Unit, value: Value, place: Place, statement: Raising) -> Expr:
    """A class without arguments becomes a call without arguments."""
    if isinstance(value, Dotted) and not place.frame.has(value.parts[0]) and value.parts[0] != "state":
        found = read_expression(unit, value.text, value.span)
        if found is not None:
            return bind(unit, e.Call(found, (), (), value.span), place.frame)
    return lower_value(unit, value, place.frame, statement.span)


def _jump(unit: Unit, statement: Jump, place: Place) -> Pieces:
    word = statement.kind
    if place.flow is not None:
        at = place.flow.name
        unit.findings.error(
            codes.FLOW,
            f"`{word}` inside a flow would be about its turn, not about the loop around it",
            statement.span,
            help=f"write `{at}.go({word.upper()})`, and `if {at}.left({word.upper()}): {word}` behind the flow",
        )
        return ()
    if not place.in_loop:
        if place.in_final:
            _exit_in_finally(unit, word, statement)
        else:
            unit.findings.error(
                codes.STRAY_EXIT, f"`{word}` stands outside of a loop", statement.span, help="delete it, or `return`"
            )
        return ()
    return (Leave(BREAK if word == "break" else CONTINUE, statement.span),)
