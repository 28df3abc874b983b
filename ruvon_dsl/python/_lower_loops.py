"""`for`, `while` and the list comprehension that awaits: one LOOP each."""

from types import MappingProxyType

from ruvon.ir._nodes import BREAK, END, Graph, Loop
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr._nodes import Expr
from ruvon_dsl.python import _codes as codes
from ruvon_dsl.python._callees import RESULT, Wanted
from ruvon_dsl.python._context import After, Given, Place, Unit
from ruvon_dsl.python._lower_branches import branch_place
from ruvon_dsl.python._lower_choice import decision_id, step_of
from ruvon_dsl.python._lower_effects import lower_effect
from ruvon_dsl.python._lower_items import counted, unbracketed
from ruvon_dsl.python._lower_values import lower_value, read_expression
from ruvon_dsl.python._naming import variable_of
from ruvon_dsl.python._pieces import Attempt, Choose, Leave, Pieces, Stages, Step, Turns
from ruvon_dsl.python._surface import Awaiting, Each, ForLoop, WhileLoop

__all__ = ["breaks", "collecting_loop", "lower_for", "lower_while"]

_EMPTY = Graph(entry=END, nodes=MappingProxyType({}))


def _settle(unit: Unit, base: str, given: Given) -> str:
    if given.name is None:
        return unit.ids.derive(base)
    name, given.name = given.name, None
    return unit.ids.use(name)


def breaks(pieces: Pieces) -> bool:
    """Whether an edge to BREAK leaves the pieces, other than out of a loop among them."""
    for piece in pieces:
        match piece:
            case Leave(target=target, stage=False) if target == BREAK:
                return True
            case Choose(arms=arms, default=default):
                if breaks(default) or any(breaks(body) for _, body in arms):
                    return True
            case Attempt(body=body, catches=catches, orelse=orelse):
                if breaks(body) or breaks(orelse) or any(breaks(item.body) for item in catches):
                    return True
            case Turns(orelse=orelse):
                if breaks(orelse):
                    return True
            case Stages(stages=stages):
                if any(breaks(body) for _, body in stages):
                    return True
            case _:
                continue
    return False


def lower_for(unit: Unit, statement: ForLoop, place: Place, after: After, given: Given) -> Pieces:
    """`for target in over`, with `else`."""
    over = lower_value(unit, statement.over, place.frame, statement.span)
    node = _settle(unit, "for", given)
    item = read_expression(unit, statement.target.text, statement.target.span)
    if item is not None and not _is_names(item):
        unit.findings.error(
            codes.LOOP_TARGET,
            f"the loop assigns to `{statement.target.text}`, which is not a name",
            statement.target.span,
            help="loop over a name and assign it in the body",
        )
        item = None
    item = e.Name("_") if item is None else _renamed(item, place)
    over, index, item = counted(over, item)
    body = unit.block(statement.body, place.in_turn())
    orelse = () if statement.orelse is None else unit.block(statement.orelse, place, after)
    action = Loop(over=over, item=item, index=index, body=_EMPTY, max_iterations=given.max_iterations)
    automate = unit.automation(place, given.automate_next)
    return (Turns(node, action, body, orelse, statement.span, automate, breaks(body)),)


def _is_names(target: Expr) -> bool:
    match target:
        case e.Name(id=name):
            return name != "state"
        case e.Tuple(items=items) | e.List(items=items):
            return bool(items) and all(_is_names(item) for item in items)
        case _:
            return False


def _renamed(target: Expr, place: Place) -> Expr:
    match target:
        case e.Name(id=name, span=span):
            return e.Name(place.frame.rename.get(name, name), span)
        case e.Tuple(items=items, span=span):
            return e.Tuple(tuple(_renamed(item, place) for item in items), span)
        case e.List(items=items, span=span):
            return e.List(tuple(_renamed(item, place) for item in items), span)
        case _:
            return target


def lower_while(unit: Unit, statement: WhileLoop, place: Place, after: After, given: Given) -> Pieces:
    """`while test`; an awaited test is called at the head of every turn."""
    node = _settle(unit, "while", given)
    automate = unit.automation(place, given.automate_next)
    limit = given.max_iterations
    if isinstance(statement.test, Awaiting):
        body = _asked(unit, statement, statement.test, place)
        action = Loop(condition=e.Const(True, statement.span), body=_EMPTY, max_iterations=limit)
        return (Turns(node, action, body, (), statement.span, automate, leaves=True),)
    test = lower_value(unit, statement.test, place.frame, statement.span)
    body = unit.block(statement.body, place.in_turn())
    orelse = () if statement.orelse is None else unit.block(statement.orelse, place, after)
    action = Loop(condition=test, body=_EMPTY, max_iterations=limit)
    return (Turns(node, action, body, orelse, statement.span, automate, breaks(body)),)


def _asked(unit: Unit, statement: WhileLoop, test: Awaiting, place: Place) -> Pieces:
    inner = place.in_turn()
    if statement.orelse is not None:
        unit.findings.error(
            codes.WHILE_ELSE,
            "a `while` with an awaited condition has no `else`",
            statement.span,
            help="write `while True:` with `if not await ...: ...; break` at its head",
        )
    made = step_of(unit, test, inner, Given())
    if made is None:
        return unit.block(statement.body, inner)
    steps, result = made
    route, automate = decision_id(unit, "if", inner, Given(), steps[-1])
    body = unit.block(statement.body, inner)
    leave = (Leave(BREAK, statement.span),)
    return (*steps, Choose(route, ((result, body),), leave, statement.span, automate))


def collecting_loop(
    unit: Unit, each: Each, place: Place, given: Given, wanted: Wanted
) -> tuple[Pieces, Expr | None] | None:
    """`[await f(x) for x in xs if c]`: a LOOP that collects; None where it is reported."""
    element = each.element
    clause = each.clauses[0]
    over = lower_value(unit, clause.over, place.frame, each.span)
    target = read_expression(unit, clause.target.text, clause.target.span)
    if not isinstance(element, Awaiting) or len(each.clauses) != 1 or target is None or not _is_names(target):
        unit.findings.error(
            codes.DEEP_AWAIT,
            "a comprehension awaits exactly one call, for each item of one list",
            each.span,
            help="write `[await f(x) for x in xs if condition]`, or a `for` statement",
        )
        return None
    node = _settle(unit, "for", given)
    inner = branch_place(place, dict.fromkeys(_all_names(target), clause.target.span))
    inner.frame.rename = {**place.frame.rename, **_own_names(target, node, place)}
    target = _renamed(target, inner)
    tests = tuple(lower_value(unit, test, inner.frame, each.span) for test in clause.tests)
    if tests:
        target, index = unbracketed(target), None
        over = e.Comprehension("list", target, (e.Clause(target, over, tests),), clause.over.span)
    else:
        over, index, target = counted(over, target)
    effect = lower_effect(unit, element, inner, given=Given(), wanted=None)
    if effect is None:
        return None
    body = (Step(effect.id, effect.action, effect.span, None),)
    output = e.Name(variable_of(node, "result"), each.span) if wanted is None or wanted is RESULT else wanted
    limit = given.max_iterations
    action = Loop(over=over, item=target, index=index, body=_EMPTY, collect=True, output=output, max_iterations=limit)
    automate = unit.automation(place, given.automate_next)
    return (Turns(node, action, body, (), each.span, automate, leaves=False),), output


def _own_names(target: Expr, node: str, place: Place) -> dict[str, str]:
    """New names for variables of a comprehension that the function also has: in Python they are not the same ones."""
    return {name: variable_of(node, name) for name in _all_names(target) if place.frame.has(name)}


def _all_names(target: Expr) -> list[str]:
    match target:
        case e.Name(id=name):
            return [name]
        case e.Tuple(items=items) | e.List(items=items):
            return [name for item in items for name in _all_names(item)]
        case _:
            return []
