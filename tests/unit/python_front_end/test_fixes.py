"""Fixes are edits that mend what they are offered for."""

from pathlib import Path

import pytest

from ruvon.ir._diagnostics import Diagnostic, Edit
from ruvon_dsl._draft import SourceText
from ruvon_dsl.python import lower_module
from tests.unit.python_front_end.loading import GOLDEN_PYTHON

SOURCES = [GOLDEN_PYTHON / f"{name}.py" for name in ("bad_calls", "bad_state", "bad_shape")]


def applied(text: str, edits: tuple[Edit, ...]) -> str:
    """The text with the edits, the last one first so that the others keep their places."""
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    for edit in sorted(edits, key=lambda item: item.span.start, reverse=True):
        start = starts[edit.span.start.line - 1] + edit.span.start.column - 1
        end = starts[edit.span.end.line - 1] + edit.span.end.column - 1
        text = text[:start] + edit.text + text[end:]
    return text


def fixable(path: Path) -> list[Diagnostic]:
    """The findings of a file that have a fix."""
    drafts = lower_module(SourceText(path.name, path.read_text(encoding="utf-8")), None)
    return [item for draft in drafts for item in draft.diagnostics if item.fix is not None]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_fix_removes_its_finding(path: Path) -> None:
    """After the edits there is one finding less of that code, and the text is still Python."""
    text = path.read_text(encoding="utf-8")
    found = fixable(path)
    assert found

    for item in found:
        assert item.fix is not None
        mended = applied(text, item.fix.edits)
        drafts = lower_module(SourceText(path.name, mended), None)
        left = [other for draft in drafts for other in draft.diagnostics if other.code == item.code]
        before = lower_module(SourceText(path.name, text), None)
        count = sum(other.code == item.code for draft in before for other in draft.diagnostics)
        assert not any(other.code == "RV0101" for other in left), mended
        assert len(left) < count, item.message
