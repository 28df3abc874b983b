"""Every page of the catalogue is true: its first program gets the code, its second gets nothing, and both say why."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ruvon.ir import CodeInfo
from ruvon_dsl.diagnostics import catalogue, render_terminal
from tests.catalogue.pages import run_page
from tests.support.golden import GOLDEN

CODES = sorted(catalogue())


@pytest.mark.parametrize("code", CODES)
def test_the_failing_program_gets_its_code(code: str) -> None:
    """`bad` gets its code and nothing else, so that the page shows one mistake."""
    found = run_page(code, bad=True)
    assert set(found.codes) == {code}


@pytest.mark.parametrize("code", CODES)
def test_the_mended_program_gets_nothing(code: str) -> None:
    """`good` gets no finding at all, warnings and notes included."""
    found = run_page(code, bad=False)
    assert [f"{item.code} {item.span}: {item.message}" for item in found.findings] == []


@pytest.mark.parametrize("code", CODES)
def test_the_terminal_shows_the_finding(code: str, golden: Callable[[Path, str], None]) -> None:
    """The headline, excerpt, carets, reason, help and fix of the failing program read as reviewed."""
    found = run_page(code, bad=True)
    golden(GOLDEN / "diagnostics" / f"{code}.txt", render_terminal(found.findings, found.texts))


@pytest.mark.parametrize("code", CODES)
def test_a_finding_says_where_it_is_and_what_to_do(code: str) -> None:
    """A finding has a place in its program's text, a message without a full stop, and a help or a fix."""
    found = run_page(code, bad=True)
    for item in found.findings:
        assert item.span is not None or catalogue()[code].language in ("definition", "versions")
        assert item.span is None or item.span.file == found.file
        assert item.message
        assert not item.message.endswith(".")
        assert item.help or item.fix or item.reason


@pytest.mark.parametrize("code", CODES)
def test_a_page_is_complete(code: str) -> None:
    """Each page is a `CodeInfo` with a lower-case title, sentences that explain, and two programs that differ."""
    info = catalogue()[code]
    assert isinstance(info, CodeInfo)
    assert info.title
    assert not info.title.endswith(".")
    assert info.title[0] == info.title[0].lower() or info.title.split()[0] in {"BREAK", "Python"}
    assert info.explanation.endswith(".")
    assert info.bad.strip()
    assert info.good.strip()
    assert info.bad != info.good


def test_no_golden_file_is_left_over() -> None:
    """Every golden file of a finding belongs to a code."""
    assert sorted(file.stem for file in (GOLDEN / "diagnostics").glob("RV*.txt")) == CODES
