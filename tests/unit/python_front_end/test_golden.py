"""Programs in, graphs and findings out: one file for each construct (`pytest --regen` rewrites them)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ruvon.ir._diagnostics import Severity
from tests.unit.python_front_end.loading import GOLDEN_PYTHON, drafts_of, report

PROGRAMS = sorted(path for path in GOLDEN_PYTHON.glob("*.py") if path.stem != "golden_shop")
GOOD = [path for path in PROGRAMS if not path.stem.startswith("bad_")]
NOT_IMPORTABLE = {"bad_shape"}


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_lowering(path: Path, golden: Callable[[Path, str], None]) -> None:
    """Each program gives exactly its recorded graph and findings."""
    drafts = drafts_of(path, opaque=path.stem in NOT_IMPORTABLE)

    golden(path.with_suffix(".txt"), report(drafts))


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_accepted_programs_have_no_errors(path: Path) -> None:
    """Programs of the subset are lowered without an error, imported or not."""
    for opaque in (False, True):
        found = [item for draft in drafts_of(path, opaque=opaque) for item in draft.diagnostics]

        assert [item for item in found if item.severity is Severity.ERROR] == []


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_every_node_has_its_place(path: Path) -> None:
    """Nodes carry spans into their own file (or that of their block), in order of start and end."""
    from tests.unit.python_front_end.graphs import nodes_of

    for draft in drafts_of(path):
        for node in nodes_of(draft.definition.graph):
            span = node.display.source
            assert span is not None
            assert span.file in {path.name, str(GOLDEN_PYTHON / "golden_shop.py")}
            assert span.start < span.end
