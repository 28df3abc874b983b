"""`if` and `match`: one DECISION each, whose arms join behind it."""

import ast
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from ruvon.ir._diagnostics import Severity
from ruvon.ir._nodes import Call, HumanSource, Join, Parallel, SignalSource, Start, TimerSource, Wait
from ruvon.ir._spans import Span
from ruvon.ir._verify import single_effect
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr import names, substitute
from ruvon.ir.expr._nodes import Expr
from ruvon_dsl.python import _codes as codes
from ruvon_dsl.python._callees import RESULT
from ruvon_dsl.python._context import After, Given, Place, Unit
from ruvon_dsl.python._lower_assign import assign_piece
from ruvon_dsl.python._lower_effects import lower_effect
from ruvon_dsl.python._lower_inline import block_of, inline
from ruvon_dsl.python._lower_values import lower_value
from ruvon_dsl.python._naming import variable_of
from ruvon_dsl.python._patterns import Matched, conjunction, read_match
from ruvon_dsl.python._pieces import Attempt, Choose, Piece, Pieces, Step, Turns
from ruvon_dsl.python._scopes import binds, statements_of
from ruvon_dsl.python._surface import (
    Awaiting,
    Block,
    Branching,
    Case,
    ClassPattern,
    LiteralPattern,
    Matching,
    NamePattern,
    OrPattern,
    Pattern,
)

__all__ = ["decision_id", "lower_if", "lower_match", "step_of"]


def step_of(unit: Unit, awaiting: Awaiting, place: Place, given: Given) -> tuple[Pieces, Expr] | None:
    """What is awaited in front of a statement, and the variable its result is in."""
    place = replace(place, after="node")
    use = block_of(unit, awaiting, place)
    if use is not None:
        made = inline(unit, use, place, given, RESULT)
        return None if made is None or made[1] is None else (made[0], made[1])
    effect = lower_effect(unit, awaiting, place, given=given, wanted=RESULT)
    if effect is None or effect.output is None:
        return None
    return (Step(effect.id, effect.action, effect.span, effect.automate),), effect.output


def decision_id(unit: Unit, base: str, place: Place, given: Given, previous: Piece | None) -> tuple[str, bool | None]:
    """The id of a DECISION and whether it goes on by itself; behind an effect it is that effect's route."""
    name, given.name = given.name, None
    if name is not None:
        return unit.ids.use(name), unit.automation(place, given.automate_next)
    match previous:
        case Step(action=Call() | Wait() | Start() | Parallel()) | Turns() | Attempt():
            automate = previous.automate if given.automate_next is None else given.automate_next
            return unit.ids.derive(f"{previous.id}.route"), unit.automation(place, automate)
        case _:
            return unit.ids.derive(base), unit.automation(place, given.automate_next)


def lower_if(
    unit: Unit, statement: Branching, place: Place, after: After, given: Given, previous: Piece | None
) -> Pieces:
    """`if` with its `elif` arms; an arm whose condition is awaited begins a decision of its own."""
    before: Pieces = ()
    first, *others = statement.arms
    condition: Expr
    if isinstance(first[0], Awaiting):
        made = step_of(unit, first[0], place, given.for_effect())
        if made is None:
            return _bodies(unit, statement, place, after)
        before, condition = made
        previous = before[-1]
    else:
        condition = lower_value(unit, first[0], place.frame, statement.span)
    node, automate = decision_id(unit, "if", place, given, previous)
    arms = [(condition, unit.block(first[1], place, after))]
    split = next((index for index, (test, _) in enumerate(others) if isinstance(test, Awaiting)), len(others))
    for test, body in others[:split]:
        value = lower_value(unit, test, place.frame, test.span)
        arms.append((value, unit.block(body, place, after)))
    if split < len(others):
        rest = Branching(tuple(others[split:]), statement.orelse, others[split][0].span)
        default = unit.block(Block((rest,), rest.span), place, after)
    else:
        default = () if statement.orelse is None else unit.block(statement.orelse, place, after)
    return (*before, Choose(node, tuple(arms), default, statement.span, automate, given.injected))


def _bodies(unit: Unit, statement: Branching, place: Place, after: After) -> Pieces:
    """Look at the arms of a statement whose condition was reported."""
    for _, body in statement.arms:
        unit.block(body, place, after)
    if statement.orelse is not None:
        unit.block(statement.orelse, place, after)
    return ()


# --- match ------------------------------------------------------------------------------------------------------------


def lower_match(
    unit: Unit, statement: Matching, place: Place, after: After, given: Given, previous: Piece | None
) -> Pieces:
    """`match`: the subject once, then a DECISION whose arms begin with what they capture."""
    before: list[Piece] = []
    if isinstance(statement.subject, Awaiting):
        made = step_of(unit, statement.subject, place, given.for_effect())
        if made is None:
            for case in statement.cases:
                unit.block(case.body, place, after)
            return ()
        before.extend(made[0])
        subject, previous = made[1], before[-1]
        if isinstance(previous, Step):
            _check_handled(unit, previous, statement)
    else:
        subject = lower_value(unit, statement.subject, place.frame, statement.span)
    captured = {name for case in statement.cases for name in _captures(case.pattern)}
    if _is_direct(subject) and not captured & names(subject):
        node, automate = decision_id(unit, "match", place, given, previous)
    else:
        own = Given() if given.first else given
        node, automate = decision_id(unit, "match", place, own, None)
        variable = e.Name(variable_of(node, "subject"), statement.subject.span)
        label = given if given.first else Given()
        before.append(assign_piece(unit, variable, subject, statement.subject.span, place, label))
        subject = variable
    choose = _cases(unit, statement, subject, node, automate, place, after)
    return (*before, replace(choose, injected=given.injected))


def _cases(
    unit: Unit, statement: Matching, subject: Expr, node: str, automate: bool | None, place: Place, after: After
) -> Choose:
    arms: list[tuple[Expr, Pieces]] = []
    default: Pieces = ()
    caught = False
    for case in statement.cases:
        found = read_match(unit, case.pattern, subject, place.frame)
        _check_guarded(unit, statement, case, found, place)
        condition = _condition(unit, case, found, place)
        if caught:
            unit.findings.error(
                codes.EARLY_WILDCARD,
                "this case can never be reached, because a case before it takes everything",
                case.span,
                help="move the case without conditions to the end",
            )
        body = (*_assigned(unit, found, case.span, place), *unit.block(case.body, place, after))
        if condition is None:
            default, caught = (body, True) if not caught else (default, True)
        else:
            arms.append((condition, body))
    return Choose(node, tuple(arms), default, statement.span, automate)


def _check_guarded(unit: Unit, statement: Matching, case: Case, found: Matched, place: Place) -> None:
    """Python binds what a pattern captures before it asks the guard, and keeps it where the guard says no."""
    body = place.frame.body
    if case.guard is None or not found.captures or body is None:
        return
    others = [item for item in statements_of(body) if item is not statement]
    for name in found.captures:
        if any(part == name for item in others for part, _ in binds(item)):
            unit.findings.error(
                codes.PATTERN,
                f"`{name}` would be bound by this case even where its guard says no",
                case.span,
                reason=f"under Python `{name}` keeps the captured value then, in the graph it keeps the one it had",
                help="capture it under another name",
            )


def _condition(unit: Unit, case: Case, found: Matched, place: Place) -> Expr | None:
    tests = list(found.tests)
    if case.guard is not None:
        guard = lower_value(unit, case.guard, place.frame, case.span)
        renamed = {place.frame.rename.get(name, name): value for name, value in found.captures.items()}
        tests.append(substitute(guard, renamed))
    return conjunction(tests, case.span)


def _assigned(unit: Unit, found: Matched, span: Span, place: Place) -> Iterator[Piece]:
    for name, value in found.captures.items():
        target = e.Name(place.frame.rename.get(name, name), span)
        yield assign_piece(unit, target, value, span, place, Given())


def _is_direct(subject: Expr) -> bool:
    """A name, a chain of attributes, or a tuple display of those: evaluated again at no cost and with the same value."""
    match subject:
        case e.Name():
            return True
        case e.Attribute(value=value):
            return not isinstance(value, e.Tuple) and _is_direct(value)
        case e.Tuple(items=items):
            return bool(items) and all(_is_direct(item) and not isinstance(item, e.Tuple) for item in items)
        case _:
            return False


def _captures(pattern: Pattern) -> Iterator[str]:
    match pattern:
        case NamePattern(name=name, pattern=inner):
            if name is not None:
                yield name
            if inner is not None:
                yield from _captures(inner)
        case ClassPattern(positional=positional, keywords=keywords):
            for item in (*positional, *(part for _, part in keywords)):
                yield from _captures(item)
        case OrPattern(choices=items):
            for item in items:
                yield from _captures(item)
        case LiteralPattern():
            return
        case _:
            yield from (
                name for item in pattern.items for name in _captures(item[1] if isinstance(item, tuple) else item)
            )
            if getattr(pattern, "rest", None) is not None:
                yield str(getattr(pattern, "rest", ""))


# --- unhandled results of a race --------------------------------------------------------------------------------------

_ELAPSED: Final = "Elapsed"


def _check_handled(unit: Unit, step: Step, statement: Matching) -> None:
    """Warn of a result of `first_of` that no case takes."""
    if not isinstance(step.action, Parallel) or step.action.join is not Join.FIRST:
        return
    wanted = {branch.label: _result_of(branch.won, single_effect(branch.graph)) for branch in step.action.branches}
    if any(name is None for name in wanted.values()):
        return
    taken: set[str] = set()
    for case in statement.cases:
        if case.guard is None:
            taken.update(_taken(case.pattern))
    if "*" in taken:
        return
    for label, name in wanted.items():
        won = name == "Won" and ("Won" in taken or f"Won:{label}" in taken)
        if name is not None and name not in taken and not won:
            shown = f'Won("{label}", ...)' if name == "Won" else f"{name}()"
            unit.findings.error(
                codes.UNHANDLED_CASE,
                f"no case takes the result `{name}` of the branch `{label}`",
                statement.span,
                severity=Severity.WARNING,
                help=f"add `case {shown}:`, or `case _:` for everything else",
                reason="the workflow would go on behind the `match` as if nothing had happened",
            )


def _result_of(won: bool, node: object) -> str | None:
    """The last part of the name of the class that a branch gives, or None where it is not known."""
    if won:
        return "Won"
    action = getattr(node, "action", None)
    match action:
        case Wait(source=TimerSource()):
            return _ELAPSED
        case Wait(source=SignalSource(model=model)):
            return _last(model)
        case Wait(source=HumanSource(form=str(form))):
            return _last(form)
        case Start(result=str(result)):
            return None if "|" in result or "[" in result else _last(result)
        case _:
            return None


def _last(path: str) -> str:
    return path.replace(":", ".").rpartition(".")[2]


def _taken(pattern: Pattern) -> Iterator[str]:
    """The classes that a pattern takes whole; `*` for everything."""
    match pattern:
        case NamePattern(pattern=None):
            yield "*"
        case NamePattern(pattern=inner) if inner is not None:
            yield from _taken(inner)
        case OrPattern(choices=choices):
            for choice in choices:
                yield from _taken(choice)
        case ClassPattern(cls=cls, positional=positional, keywords=keywords):
            parts = [*positional, *(part for _, part in keywords)]
            if cls.parts[-1] == "Won" and parts and isinstance(parts[0], LiteralPattern):
                if all("*" in set(_taken(part)) for part in parts[1:]):
                    yield f"Won:{ast.literal_eval(parts[0].value.text)}"
            elif all("*" in set(_taken(part)) for part in parts):
                yield cls.parts[-1]
        case _:
            return
