"""`ruvon defaults` and `ruvon plugins`: what holds where nothing is said, and what is installed."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.support.golden import GOLDEN

PAGE = Path(__file__).parents[2] / "docs" / "defaults.md"


def test_the_defaults_are_those_of_the_documentation(ruvon: Command) -> None:
    """One table for both forms, in the terminal and on the page (section 12.16)."""
    options = ruvon("defaults", "--json").json["options"]
    page = {line.split("|")[1].strip(): line.split("|")[3:5] for line in PAGE.read_text().splitlines() if "| `" in line}

    def text(value: object) -> str:
        return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)

    assert len(options) > 15
    for item in options:
        assert [cell.strip(" `") for cell in page[item["what"]]] == [text(item["python"]), text(item["yaml"])]


def test_the_defaults_are_a_table(ruvon: Command, golden: Callable[[Path, str], None]) -> None:
    """With the defaults of a retry policy below."""
    done = ruvon("defaults")
    assert done.code == 0
    golden(GOLDEN / "cli" / "defaults.txt", done.out)


def test_a_retry_policy_has_defaults(ruvon: Command) -> None:
    """Those of the class."""
    retry = ruvon("defaults", "--json").json["retry"]
    assert (retry["max_attempts"], retry["delay"], retry["on"], retry["max_delay"]) == (3, "1s", ["Exception"], None)


def test_without_plugins_the_list_says_so(ruvon: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """And succeeds."""
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: ())
    done = ruvon("plugins")
    assert (done.code, re.sub(r"\s+", " ", done.out)) == (0, "no plugin is installed ")
    assert ruvon("plugins", "--json").json == {"plugins": [], "broken": []}
