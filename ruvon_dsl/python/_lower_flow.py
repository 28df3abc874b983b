"""`flow`: a flat graph in stages; it adds no node, its labels are ids of nodes."""

import ast
from collections.abc import Sequence
from difflib import get_close_matches

from ruvon.ir._nodes import BREAK, CONTINUE, END
from ruvon_dsl.python import _codes as codes
from ruvon_dsl.python._context import After, Flow, Given, Place, Unit
from ruvon_dsl.python._pieces import Leave, Pieces, Stages
from ruvon_dsl.python._surface import (
    Branching,
    Discarded,
    Dotted,
    FlowLoop,
    Invocation,
    Jump,
    Statement,
    Text,
)

__all__ = ["is_left", "left_after", "lower_flow", "lower_go"]


def left_after(unit: Unit, name: str, following: Sequence[Statement]) -> frozenset[str]:
    """Which exits the lines directly behind a flow repeat: `if at.left(BREAK): break`."""
    found: set[str] = set()
    for statement in following:
        kind = is_left(unit, statement, name)
        if kind is None:
            break
        found.add(kind)
    return frozenset(found)


def is_left(unit: Unit, statement: Statement, name: str | None = None) -> str | None:
    """BREAK or CONTINUE where the statement is `if at.left(...)` with that jump, else None."""
    if not isinstance(statement, Branching) or len(statement.arms) != 1 or statement.orelse is not None:
        return None
    test, body = statement.arms[0]
    if not isinstance(test, Invocation) or not isinstance(test.function, Dotted) or len(test.args) != 1:
        return None
    parts = test.function.parts
    if len(parts) != 2 or parts[1] != "left" or (name is not None and parts[0] != name):
        return None
    kind = _word(unit, test.args[0].value)
    jump = body.statements[0] if len(body.statements) == 1 else None
    return kind if isinstance(jump, Jump) and jump.kind.upper() == kind else None


def _word(unit: Unit, value: object) -> str | None:
    """BREAK, CONTINUE or END where a name means that constant of Ruvon."""
    name = unit.names.ruvon(value.parts) if isinstance(value, Dotted) else None
    return name if name in {BREAK, CONTINUE, END} else None


def lower_flow(unit: Unit, statement: FlowLoop, place: Place, after: After, following: Sequence[Statement]) -> Pieces:
    """The stages, each with its label on its first node."""
    labels = [label for label, _, _ in statement.stages]
    if statement.entry not in labels:
        _unknown(unit, statement.entry, labels, statement)
    left = left_after(unit, statement.name, following)
    flow = Flow(statement.name, frozenset(labels), place.follows(after), left)
    inner = place.in_stage(flow)
    stages: list[tuple[str, Pieces]] = []
    for label, body, span in statement.stages:
        if any(label == other for other, _ in stages):
            unit.findings.error(codes.FLOW, f"the stage `{label}` stands twice", span, help="give each stage one name")
            continue
        given = Given(name=label, span=span, first=True)
        stages.append((label, unit.block(body, inner, "end", given)))
    return (Stages(statement.entry, tuple(stages), statement.span),)


def _unknown(unit: Unit, name: str, labels: Sequence[str], statement: FlowLoop | Discarded) -> None:
    close = get_close_matches(name, labels, 1)
    hint = f"did you mean `{close[0]}`?" if close else f"its stages are {', '.join(f'`{item}`' for item in labels)}"
    unit.findings.error(codes.FLOW, f"`{name}` is no stage of this flow", statement.span, help=hint)


def lower_go(unit: Unit, statement: Discarded, place: Place, after: After) -> Pieces | None:
    """`at.go(...)`; None where the statement is something else."""
    call = statement.value
    if not isinstance(call, Invocation) or not isinstance(call.function, Dotted):
        return None
    parts = call.function.parts
    if len(parts) != 2 or parts[1] != "go" or place.flow is None or parts[0] != place.flow.name:
        return None
    if after != "end" or not place.tail:
        unit.findings.error(
            codes.FLOW,
            f"`{call.text}` is not the last statement of its path",
            statement.span,
            help="move it to the end, or put what follows into an `else`",
            reason="under Python the statements behind it would still run",
        )
        return ()
    value = call.args[0].value if len(call.args) == 1 else None
    word = _word(unit, value)
    if word == END:
        return ()
    if word is not None:
        return _out(unit, statement, place, place.flow, word)
    if not isinstance(value, Text) or value.text[:1] not in {'"', "'"}:
        unit.findings.error(
            codes.FLOW, "`go` takes the name of a stage as a literal text", statement.span, help='write `at.go("Name")`'
        )
        return ()
    label = str(ast.literal_eval(value.text))
    if label not in place.flow.stages:
        _unknown(unit, label, sorted(place.flow.stages), statement)
        return ()
    return (Leave(label, statement.span, stage=True),)


def _out(unit: Unit, statement: Discarded, place: Place, flow: Flow, word: str) -> Pieces:
    if not place.in_loop or word not in flow.left:
        jump = word.lower()
        unit.findings.error(
            codes.FLOW,
            f"`{flow.name}.go({word})` leaves the loop around the flow, which the lines behind the flow do not say",
            statement.span,
            help=f"write `if {flow.name}.left({word}): {jump}` directly behind the flow, inside the loop",
        )
        return ()
    return (Leave(word, statement.span),)
