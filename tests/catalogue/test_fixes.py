"""Every fix that a page's failing program is offered mends it, and changes nothing where it is made twice."""

from collections.abc import Sequence

import pytest

from ruvon.ir import Edit
from ruvon_dsl.diagnostics import catalogue
from tests.catalogue.pages import findings_of, run_page

WITH_FIX = (
    "RV0115",
    "RV0203",
    "RV0204",
    "RV0207",
    "RV0401",
    "RV0601",
    "RV0810",
    "RV0812",
    "RV0813",
    "RV0829",
    "RV0842",
)
"""Codes whose failing program is offered a mechanical repair."""


def applied(text: str, edits: Sequence[Edit]) -> str:
    """The text with edits made from the end to the start; their places are of the text before."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for edit in sorted(edits, key=lambda item: item.span.start, reverse=True):
        start = starts[edit.span.start.line - 1] + edit.span.start.column - 1
        end = starts[edit.span.end.line - 1] + edit.span.end.column - 1
        text = text[:start] + edit.text + text[end:]
    return text


def test_the_list_of_fixes_is_complete() -> None:
    """No page offers a fix that is not proved here."""
    offered = [code for code in catalogue() if any(item.fix for item in run_page(code, bad=True).findings)]
    assert offered == sorted(WITH_FIX)


@pytest.mark.parametrize("code", WITH_FIX)
def test_a_fix_mends_its_finding(code: str) -> None:
    """The fix applied, the program no longer gets the code, nor any finding that it did not have before."""
    found = run_page(code, bad=True)
    for item in found.findings:
        if item.fix is not None:
            text = applied(found.text, item.fix.edits)
            after = findings_of(code, catalogue()[code], text)
            assert code not in after.codes, text
            assert set(after.codes) <= set(found.codes)
            assert text != found.text
