"""Expressions know exactly where they stand, also over several lines and behind letters of several bytes."""

from ruvon.ir._nodes import Assign, Call, Decision
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr import walk
from ruvon_dsl._draft import SourceText
from ruvon_dsl.python import lower_module
from ruvon_dsl.python._findings import Findings
from ruvon_dsl.python._source import read_source
from tests.unit.python_front_end.graphs import nodes_of
from tests.unit.python_front_end.loading import GOLDEN_PYTHON

TEXT = """\
from ruvon import step, workflow


@step
async def use(value, other): ...


@workflow("Spans")
async def spans(state):
    größe = state.größe; höhe = (
        state.breite  # a comment
        + größe
    )
    if höhe > 3 and (
        state.offen or
        größe
    ):
        await use(
            höhe *
                größe,
            other=[höhe
                   for höhe in state.liste],
        )
"""


def names_match(text: str, file: str) -> int:
    """Compare each plain name of the graph with the text at its span; gives how many there were."""
    source = SourceText(file, text)
    read = read_source(source, Findings())
    assert read is not None
    count = 0
    for draft in lower_module(source, None):
        for node in nodes_of(draft.definition.graph):
            match node.action:
                case Assign(value=value):
                    found = [value]
                case Call(args=args):
                    found = list(args.values())
                case Decision(routes=routes):
                    found = [route.condition for route in routes]
                case _:
                    found = []
            for expr in found:
                for part in walk(expr):
                    if isinstance(part, e.Name) and part.span is not None and "_result" not in part.id:
                        at = read.slice(part.span)
                        if at.isidentifier():
                            count += 1
                            assert at == part.id, (file, str(part.span))
    return count


def test_names_stand_where_their_spans_say() -> None:
    """The text at the span of a name is the name."""
    assert names_match(TEXT, "spans.py") >= 10


def test_golden_programs_have_exact_spans() -> None:
    """So in the programs of the golden folder that have no aliases, captures or f-strings."""
    for name in ("assignments", "loops", "jumps", "comprehension", "gather_options"):
        path = GOLDEN_PYTHON / f"{name}.py"

        assert names_match(path.read_text(encoding="utf-8"), path.name) > 0


def test_findings_point_at_code_points() -> None:
    """Columns count code points from 1, behind an umlaut too."""
    text = TEXT.replace("state.offen or", "(größe := 1) or")
    (draft,) = lower_module(SourceText("spans.py", text), None)
    spans = [item.span for item in draft.diagnostics if item.code == "RV0215"]

    assert [(span.start.line, span.start.column) for span in spans if span is not None] == [(15, 10)]
