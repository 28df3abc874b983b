"""`flow`: a flat graph in stages; it adds no node, its labels are ids of nodes."""

import ast
from collections.abc import Collection, Sequence
from difflib import get_close_matches

from ruvon.ir._nodes import BREAK, CONTINUE, END
from ruvon_dsl.python import _codes as codes
from ruvon_dsl.python._context import After, Behind, Flow, Given, Place, Unit
from ruvon_dsl.python._pieces import Leave, Pieces, Stages
from ruvon_dsl.python._scopes import does_something
from ruvon_dsl.python._surface import (
    Block,
    Branching,
    Discarded,
    Dotted,
    FlowLoop,
    Invocation,
    Jump,
    Statement,
    Text,
)

__all__ = ["after_go", "is_go", "is_left", "lower_flow", "lower_go", "stretch"]


def _left_after(unit: Unit, name: str, following: Sequence[Statement]) -> frozenset[str]:
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
    if place.reach(statement.name) is not None:
        unit.findings.error(
            codes.FLOW,
            f"`{statement.name}` is the name of the flow around this one too",
            statement.span,
            help=f"give this one another name: `async for {statement.name}_2 in flow(...)`",
        )
    flow = Flow(
        statement.name,
        frozenset(labels),
        place.follows(after),
        frozenset() if place.flow is not None else _left_after(unit, statement.name, following),
        _ends(unit, statement),
        place.flow,
        place.level,
        place.behind,
    )
    inner = place.in_stage(flow)
    stages: list[tuple[str, Pieces]] = []
    for label, body, span in statement.stages:
        if any(label == other for other, _ in stages):
            unit.findings.error(codes.FLOW, f"the stage `{label}` stands twice", span, help="give each stage one name")
            continue
        given = Given(name=label, span=span, first=True)
        stages.append((label, unit.block(body, inner, "end", given)))
    return (Stages(statement.entry, tuple(stages), statement.span, flow.exit),)


def _ends(unit: Unit, statement: FlowLoop) -> frozenset[str]:
    """Stages without a node that lead to the end of the flow."""
    found: set[str] = set()
    while True:
        more = {
            label for label, body, _ in statement.stages if label not in found and _is_end(unit, statement, body, found)
        }
        if not more:
            return frozenset(found)
        found |= more


def _is_end(unit: Unit, statement: FlowLoop, body: Block, ends: Collection[str]) -> bool:
    first = next((item for item in body.statements if does_something(Block((item,), item.span))), None)
    if first is None:
        return True
    call = _call(first, "go")
    value = call.args[0].value if call is not None and len(call.args) == 1 else None
    mine = call is not None and isinstance(call.function, Dotted) and call.function.parts[0] == statement.name
    return mine and (_word(unit, value) == END or _label(value) in ends)


def _unknown(unit: Unit, name: str, labels: Sequence[str], statement: FlowLoop | Discarded) -> None:
    close = get_close_matches(name, labels, 1)
    hint = f"did you mean `{close[0]}`?" if close else f"its stages are {', '.join(f'`{item}`' for item in labels)}"
    unit.findings.error(codes.FLOW, f"`{name}` is no stage of this flow", statement.span, help=hint)


# --- jumps ------------------------------------------------------------------------------------------------------------


def _call(statement: Statement, method: str) -> Invocation | None:
    """`at.<method>(...)` as a statement."""
    call = statement.value if isinstance(statement, Discarded) else None
    if not isinstance(call, Invocation) or not isinstance(call.function, Dotted):
        return None
    return call if len(call.function.parts) == 2 and call.function.parts[1] == method else None


def _reached(call: Invocation | None, place: Place) -> tuple[Flow, bool, Behind] | None:
    return place.reach(call.function.parts[0]) if call is not None and isinstance(call.function, Dotted) else None


def _label(value: object) -> str | None:
    if not isinstance(value, Text) or value.text[:1] not in {'"', "'"}:
        return None
    return str(ast.literal_eval(value.text))


def is_go(statement: Statement, place: Place) -> bool:
    """Whether the statement names the next stage of a flow around it."""
    return _reached(_call(statement, "go"), place) is not None


def stretch(statements: Sequence[Statement], place: Place) -> Behind:
    """What stands in statements: nothing that does anything, only `go`s, or more."""
    found: Behind = "nothing"
    for item in statements:
        if does_something(Block((item,), item.span)):
            if not is_go(item, place):
                return "more"
            found = "jumps"
    return found


def after_go(unit: Unit, statement: Statement, place: Place) -> After | None:
    """What follows a statement in front of a `go`; None where it is no `go`."""
    call = _call(statement, "go")
    found = _reached(call, place)
    if call is None or found is None:
        return None
    flow, level, _ = found
    value = call.args[0].value if len(call.args) == 1 else None
    ends = _word(unit, value) == END or _label(value) in flow.ends
    return flow.after if ends and level else "node"


def lower_go(unit: Unit, statement: Discarded, place: Place) -> Pieces | None:
    """`at.go(...)`; None where the statement is something else."""
    call = _call(statement, "go")
    found = _reached(call, place)
    if call is None or found is None:
        return None
    flow, level, behind = found
    if behind == "more":
        unit.findings.error(
            codes.FLOW,
            f"`{call.text}` is not the last statement of its path",
            statement.span,
            help="move it to the end, or put what follows into an `else`",
            reason="under Python the statements behind it would still run",
        )
        return ()
    value = call.args[0].value if len(call.args) == 1 else None
    word, label = _word(unit, value), _label(value)
    if word == END or label in flow.ends:
        return _end(unit, statement, flow, level=level, behind=behind)
    if word is not None:
        return _out(unit, statement, place, flow, word)
    if label is None:
        unit.findings.error(
            codes.FLOW, "`go` takes the name of a stage as a literal text", statement.span, help='write `at.go("Name")`'
        )
        return ()
    if label not in flow.stages:
        _unknown(unit, label, sorted(flow.stages), statement)
        return ()
    return (Leave(label, statement.span, stage=True),)


def _end(unit: Unit, statement: Discarded, flow: Flow, *, level: bool, behind: Behind) -> Pieces:
    """The end of a flow: an edge to what follows it, which inside a TRY must be a node."""
    if level or flow.after == "node":
        return (Leave(flow.exit, statement.span, stage=True),)
    if behind != "nothing":
        unit.findings.error(
            codes.FLOW,
            f"the end of `{flow.name}` is the end of the graph, which no edge out of a `try` can lead to",
            statement.span,
            help="go to a stage that ends the flow behind a node, or `return`",
        )
    return ()


def _out(unit: Unit, statement: Discarded, place: Place, flow: Flow, word: str) -> Pieces:
    jump, outer = word.lower(), flow
    while outer.around is not None:
        outer = outer.around
    if not place.in_loop or outer is not flow or word not in flow.left:
        unit.findings.error(
            codes.FLOW,
            f"`{flow.name}.go({word})` leaves the loop around the flow, which the lines behind the flow do not say",
            statement.span,
            help=(
                f"write `if {flow.name}.left({word}): {jump}` directly behind the flow, inside the loop"
                if outer is flow
                else f"write `{outer.name}.go({word})`, and `if {outer.name}.left({word}): {jump}` behind that flow"
            ),
        )
        return ()
    return (Leave(word, statement.span),)
