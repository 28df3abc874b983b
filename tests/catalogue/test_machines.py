"""What machines read: JSON, SARIF and GitHub annotations of three findings, as golden files and by their shape."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ruvon.ir import Diagnostic, Severity
from ruvon_dsl.diagnostics import catalogue, render_github, render_json, render_sarif, render_terminal, summary
from tests.catalogue.pages import run_page
from tests.support.golden import GOLDEN

SHOWN = ("RV0203", "RV0302", "RV0406")
"""An error with a fix, one with related places, and a warning."""


def _shown() -> list[Diagnostic]:
    return [item for code in SHOWN for item in run_page(code, bad=True).findings]


@pytest.mark.parametrize(
    ("name", "render"),
    [("findings.json", render_json), ("findings.sarif", render_sarif), ("findings.github", render_github)],
)
def test_the_text_is_as_reviewed(
    name: str, render: Callable[[Sequence[Diagnostic]], str], golden: Callable[[Path, str], None]
) -> None:
    """Each renderer gives the reviewed text for the three findings."""
    golden(GOLDEN / "diagnostics" / name, render(_shown()))


def test_sarif_has_the_shape_that_readers_want() -> None:
    """Version, rules for all results, levels, and regions that count from 1 and end behind their start."""
    log = json.loads(render_sarif([item for code in catalogue() for item in run_page(code, bad=True).findings]))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    rules = {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}
    assert run["tool"]["driver"]["name"] == "ruvon"
    for rule in rules.values():
        assert rule["shortDescription"]["text"]
        assert rule["fullDescription"]["text"]
    assert {result["ruleId"] for result in run["results"]} == set(rules) == set(catalogue())
    for result in run["results"]:
        assert result["level"] in {"error", "warning", "note"}
        assert result["message"]["text"]
        places = [*result.get("locations", []), *result.get("relatedLocations", [])]
        assert places or catalogue()[result["ruleId"]].language in ("definition", "versions")
        for place in places:
            physical = place["physicalLocation"]
            region = physical["region"]
            assert physical["artifactLocation"]["uri"]
            assert region["startLine"] >= 1
            assert region["startColumn"] >= 1
            assert (region["endLine"], region["endColumn"]) > (region["startLine"], region["startColumn"])


def test_json_gives_every_part() -> None:
    """The first finding's tree has its code, severity, span, reason, help and the edits of its fix."""
    first = json.loads(render_json(_shown()))[0]
    assert (first["code"], first["severity"]) == ("RV0203", "error")
    assert first["span"]["file"] == "example.py"
    assert first["reason"]
    assert first["help"]
    assert [set(edit) for edit in first["fix"]["edits"]] == [{"span", "text"}] * len(first["fix"]["edits"])


def test_github_escapes_what_would_end_a_command() -> None:
    """A message with a line break and a percent sign stays one command."""
    text = render_github([Diagnostic(code="RV0101", message="100 %\nof it", severity=Severity.NOTE)])
    assert text == "::notice title=RV0101::100 %25%0Aof it\n"


def test_the_terminal_shows_a_finding_without_its_text() -> None:
    """Where the file's text is not at hand, headline, place and help are still there."""
    found = run_page("RV0204", bad=True)
    assert render_terminal(found.findings, {}).startswith("error[RV0204]: `charge(...)` is not awaited")


def test_the_summary_counts_what_was_found() -> None:
    """Errors, warnings and fixes are counted."""
    assert summary(_shown()) == "2 errors, 1 warning (1 with a fix)"
    assert summary([]) == ""
