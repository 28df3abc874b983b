"""The ten realistic programs lower without errors, with and without importing them."""

from pathlib import Path

import pytest

from ruvon.ir._diagnostics import Severity
from ruvon.ir._verify import verify
from ruvon_dsl._draft import SourceText
from ruvon_dsl.python import find_workflows, lower_module
from tests.unit.python_front_end.loading import drafts_of

PROGRAMS = sorted((Path(__file__).parents[2] / "programs").glob("*.py"))


def test_the_programs_are_there() -> None:
    """There are ten of them."""
    assert len(PROGRAMS) == 10


@pytest.mark.parametrize("opaque", [False, True], ids=["imported", "opaque"])
@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_a_program_lowers(path: Path, opaque: bool) -> None:
    """No error, and a graph that keeps every rule of the IR."""
    for draft in drafts_of(path, opaque=opaque):
        assert [item.message for item in draft.diagnostics if item.severity is Severity.ERROR] == []
        assert verify(draft.definition) == ()


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_both_modes_give_the_same_nodes(path: Path) -> None:
    """Import adds types and paths, never nodes."""
    imported = [sorted(draft.definition.graph.nodes) for draft in drafts_of(path)]
    opaque = [sorted(draft.definition.graph.nodes) for draft in drafts_of(path, opaque=True)]

    if path.stem != "w03_loan":  # imports nothing that is named differently
        assert imported == opaque


def test_workflows_are_found_without_import() -> None:
    """Function and type of each workflow, in source order."""
    source = SourceText("w02.py", (PROGRAMS[1]).read_text(encoding="utf-8"))

    assert [(item.function, item.workflow_type) for item in find_workflows(source)] == [
        ("visa_check", "VisaCheck"),
        ("trip_booking", "TripBooking"),
    ]


def test_only_one_workflow_on_request() -> None:
    """`only` picks a function."""
    source = SourceText("w02.py", (PROGRAMS[1]).read_text(encoding="utf-8"))

    assert [draft.definition.workflow_type for draft in lower_module(source, None, only="visa_check")] == ["VisaCheck"]
