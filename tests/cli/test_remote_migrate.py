"""`ruvon migrate` says the same of a database and of a server on that database."""

import json
from pathlib import Path

import pytest

from tests.cli.both import Both

NOBODY = "3f2a9c41-6a9b-4a55-8a27-0d2f5b1f1a11"
FLOW = """workflow_type: Shop
workflow_version: {version}
steps:
  - {{name: {step}, type: HUMAN_IN_LOOP, task: {step}}}
  - {{name: finish, type: RETURN, value: "{version}"}}
"""
FORMS: tuple[list[str], ...] = ([], ["--json"])


def write(place: Path, version: str, step: str = "approve") -> str:
    name = f"shop_{version.replace('.', '_')}.yaml"
    (place / name).write_text(FLOW.format(version=version, step=step))
    return name


@pytest.fixture
def shop(both: Both, place: Path) -> list[str]:
    """Two runs of the first version that wait, and two further versions: one that they fit, one that they do not."""
    uploaded = [both.there("definitions", "upload", write(place, "1.0.0"))]
    runs = [str(both.there("run", "Shop", "--json").json["workflow_id"]) for _ in range(2)]
    for version, step in (("1.1.0", "approve"), ("1.2.0", "sign")):
        uploaded.append(both.there("definitions", "upload", write(place, version, step)))
    assert [item.code for item in uploaded] == [0, 0, 0], [item.text for item in uploaded]
    return runs


def test_plans_and_checks_are_told_alike(both: Both, shop: list[str]) -> None:
    """Of what fits, of what does not and why, by stored version, by digest and by file; nothing is changed."""
    digest = both.there("definitions", "list", "--type", "Shop", "--json").json[1]["digest"]
    asked: dict[tuple[str, ...], int] = {}
    for to, code in (("Shop@1.1.0", 0), ("Shop@1.2.0", 1), (digest[:12], 0), ("shop_1_2_0.yaml", 1)):
        asked |= {("check", shop[0], "--to", to): code, ("plan", "Shop", "--to", to): code}
        asked |= {("apply", "Shop", "--to", to, "--dry-run"): 0}
    for chosen in (["--status", "COMPLETED"], ["--step", "approve", "--limit", "1"], ["--older-than", "1d"]):
        asked |= {("plan", "Shop", "--to", "Shop@1.1.0", *chosen): 0}
    asked |= {("plan", "Shop", "--to", "Shop@1.1.0", "--from", "9.9.9", "--owner", "ann"): 0}

    wrong = [both.difference("migrate", *args, *form, code=code) for args, code in asked.items() for form in FORMS]

    assert [item for item in wrong if item] == []
    assert {row["workflow_version"] for row in both.here("list", "--json").json} == {"1.0.0"}


def test_mistakes_are_told_alike(both: Both, shop: list[str]) -> None:
    """The sentence, its remedy and the exit code are those of the command on a database."""
    mistakes = {
        ("check", NOBODY, "--to", "Shop@1.1.0"): 4,
        ("check", "nothing", "--to", "Shop@1.1.0"): 4,
        ("check", shop[0], "--to", "Shop@9.9.9"): 4,
        ("plan", "Ship", "--to", "Shop@1.1.0"): 2,
        ("plan", "Shop", "--to", "abcdef99"): 4,
        ("plan", "Shop", "--to", "nowhere.yaml"): 4,
        ("apply", "Shop", "--to", "Shop@1.1.0", "--json"): 2,
        ("apply", "Shop"): 2,
    }

    wrong = [both.difference("migrate", *args, code=code) for args, code in mistakes.items()]

    assert [item for item in wrong if item] == []


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_moves_are_told_alike(both: Both, shop: list[str], form: list[str]) -> None:
    """One run is moved on the database, the other one by the server; both go on with the new definition."""
    args = ("migrate", "apply", "Shop", "--to", "Shop@1.1.0", "--limit", "1", "--yes", "--reason", "no audits")
    here, there = both.here(*args, "--actor", "local", *form), both.there(*args, *form)

    assert both.said(there) == both.said(here)
    assert here.code == 0
    notes = [
        [row["note"].rpartition(")")[2] for row in both.here("logs", run, "--json").json if row["kind"] == "repair"]
        for run in shop
    ]
    ended = [both.there("resume", run, "-i", "{}", "--auto", "--json").json["result"] for run in shop]
    assert (notes, ended) == ([[" by local: no audits"]] * 2, ["1.1.0"] * 2)


def test_a_move_is_asked_about(both: Both, shop: list[str]) -> None:
    """Without a yes the server moves nothing."""
    del shop
    args = ("migrate", "apply", "Shop", "--to", "Shop@1.1.0")
    here, there = both.here(*args, given="n\n"), both.there(*args, given="n\n")

    assert (there.code, both.said(there)) == (1, both.said(here))
    assert {row["workflow_version"] for row in both.there("list", "--json").json} == {"1.0.0"}


def test_a_file_that_the_server_does_not_have_is_a_sentence(both: Both, place: Path, shop: list[str]) -> None:
    """It says how to give it to the server; then it is known there."""
    name = write(place, "1.3.0")

    before = both.there("migrate", "check", shop[0], "--to", name)
    both.there("definitions", "upload", name)
    after = both.there("migrate", "check", shop[0], "--to", name)

    assert (before.code, "the server has no Shop 1.3.0" in before.err, "definitions upload" in before.err) == (
        4,
        True,
        True,
    )
    assert (after.code, "can be moved to Shop 1.3.0" in after.out) == (0, True), after.text


def test_a_server_takes_so_many_runs_at_a_time(both: Both, shop: list[str]) -> None:
    """More is refused before anything is asked."""
    del shop
    done = both.there("migrate", "plan", "Shop", "--to", "Shop@1.1.0", "--limit", "1001")

    assert (done.code, "1000 runs at a time" in done.err) == (2, True)
    assert json.loads(both.there("migrate", "plan", "Shop", "--to", "Shop@1.1.0", "--json").out)["counts"] == {
        "planned": 2
    }
