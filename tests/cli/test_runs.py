"""run, start, resume, retry, cancel."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import FLOWS, LARGE, ORDER, SMALL, Command, masked
from tests.support.golden import GOLDEN

ROOTS = ("--import-root", str(FLOWS.parent))
Starter = Callable[..., str]


def test_run_shows_each_step_and_the_result(ruvon: Command, place: Path, golden: Callable[[Path, str], None]) -> None:
    """`run` drives to a person, shows what was done, what is asked and how to answer."""
    done = ruvon("run", ORDER, "-d", json.dumps(LARGE))

    assert done.code == 0
    golden(GOLDEN / "cli" / "run_approval.txt", masked(done.out, place))


def test_run_in_memory_leaves_no_file(ruvon: Command, place: Path) -> None:
    """With the database `memory` nothing is written."""
    done = ruvon("run", ORDER, "-d", json.dumps(SMALL), "--db", "memory", "--json")

    assert done.json["status"] == "COMPLETED"
    assert not list(place.glob("*.db"))


def test_timers_are_waited_for(ruvon: Command) -> None:
    """`run` goes on through a timer."""
    done = ruvon("run", str(FLOWS), "--workflow", "Timer", "--json")

    assert done.json["status"] == "COMPLETED"


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_data_from_a_file(ruvon: Command, place: Path, suffix: str) -> None:
    """Initial data may come from a JSON or YAML file, named either way."""
    import yaml

    text = json.dumps(SMALL) if suffix == "json" else yaml.safe_dump(SMALL)
    (place / f"order.{suffix}").write_text(text)

    assert ruvon("start", ORDER, "--data-file", f"order.{suffix}").code == 0
    assert ruvon("start", ORDER, "-d", f"@order.{suffix}").code == 0


def test_data_from_standard_input(ruvon: Command) -> None:
    """`@-` reads the data from standard input."""
    assert ruvon("start", ORDER, "-d", "@-", given=json.dumps(SMALL)).code == 0


@pytest.mark.parametrize("command", ["run", "start"])
def test_who_has_started_a_run_and_why(ruvon: Command, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are in its metadata; without a name the login name is taken, and without a reason there is none."""
    monkeypatch.setattr("getpass.getuser", lambda: "ada")

    def metadata(*options: str) -> dict[str, str]:
        found = ruvon(command, ORDER, "-d", json.dumps(SMALL), *options, "--json").json["workflow_id"]
        kept: dict[str, str] = ruvon("show", found, "--verbose", "--json").json["metadata"]
        return kept

    assert metadata() == {"started_by": "ada"}
    assert metadata("--actor", "ann", "--reason", "by telephone") == {
        "started_by": "ann",
        "started_why": "by telephone",
    }


@pytest.mark.parametrize("command", ["run", "start"])
def test_whose_a_run_is(ruvon: Command, command: str) -> None:
    """The owner, the organisation and the region are kept with the run."""
    options = ("--owner", "ann", "--org", "acme", "--data-region", "eu")
    found = ruvon(command, ORDER, "-d", json.dumps(SMALL), *options, "--json").json

    shown = ruvon("show", found["workflow_id"], "-v", "--json").json
    assert (shown["owner_id"], shown["org_id"], shown["data_region"]) == ("ann", "acme", "eu")


def test_start_runs_nothing_yet(ruvon: Command) -> None:
    """Without --auto the workflow stands at its first step."""
    found = ruvon("start", ORDER, "-d", json.dumps(SMALL), "--json").json

    assert (found["status"], found["current_step"]) == ("ACTIVE", "quote")


def test_a_dry_run_stores_nothing(ruvon: Command, place: Path) -> None:
    """--dry-run checks definition and data and leaves no database."""
    assert ruvon("start", ORDER, "--dry-run", "-d", json.dumps(SMALL)).code == 0
    assert ruvon("start", ORDER, "--dry-run", "-d", "{}").code == 1
    assert ruvon("start", ORDER, "--dry-run", "-d", json.dumps(SMALL), "--json").json["dry_run"] is True
    assert not list(place.glob("*.db"))


def test_a_key_is_taken_once(ruvon: Command) -> None:
    """A second start with the same key is refused with code 1, and makes nothing."""
    ruvon("start", ORDER, "-d", json.dumps(SMALL), "--key", "k")

    assert ruvon("start", ORDER, "-d", json.dumps(SMALL), "--key", "k").code == 1
    assert len(ruvon("list", "--json").json) == 1


def test_resume_by_the_first_characters_of_an_id(ruvon: Command, started: Starter) -> None:
    """An id may be cut, as long as it is one workflow's alone."""
    workflow_id = started("Timer", {})

    assert ruvon("resume", workflow_id[:30], "--auto", *ROOTS, "--json").json["status"] == "COMPLETED"


def test_an_ambiguous_id_is_refused(ruvon: Command, started: Starter) -> None:
    """Two workflows that begin alike need more of the id."""
    first, second = started("Timer", {}), started("Timer", {})
    common = next(first[:end] for end in range(36, 3, -1) if first[:end] == second[:end])

    assert ruvon("show", common).code == 2


def test_answer_and_signal(ruvon: Command, started: Starter) -> None:
    """`resume -i` answers a person's form, and sends the signal that a workflow waits for."""
    workflow_id = started("Greet", {"name": "Ada"}, "--auto")

    assert ruvon("resume", workflow_id, *ROOTS, "-i", '{"ok": true, "number": 2}').code == 1
    answered = ruvon("resume", workflow_id, *ROOTS, "-i", '{"ok": true, "number": 7}', "--json").json
    assert (answered["status"], answered["waiting_for"][0]["kind"]) == ("PAUSED", "signal")
    assert ruvon("resume", workflow_id, *ROOTS, "-i", '{"amount": 5}', "--json").json["status"] == "COMPLETED"


def test_input_for_a_step_that_does_not_wait(ruvon: Command, started: Starter) -> None:
    """--step must name a step that waits."""
    workflow_id = started("Greet", {"name": "Ada"}, "--auto")

    done = ruvon("resume", workflow_id, *ROOTS, "--step", "hello", "-i", "{}")

    assert done.code == 1
    assert "no step `hello` waits for anything; those that do: `" in done.err


def test_resume_without_input_changes_nothing(ruvon: Command, started: Starter) -> None:
    """A workflow that waits for a person goes on waiting."""
    workflow_id = started("Greet", {"name": "Ada"}, "--auto")

    assert ruvon("resume", workflow_id, *ROOTS, "--json").json["status"] == "WAITING_HUMAN"


def test_retry_where_it_failed(ruvon: Command, started: Starter, place: Path) -> None:
    """A failed step is tried again when the reason has gone."""
    workflow_id = started("Gated", {"gate": str(place / "open")}, "--auto")
    assert ruvon("retry", workflow_id, *ROOTS).code == 1
    (place / "open").touch()

    assert ruvon("retry", workflow_id, *ROOTS, "--json").json["status"] == "COMPLETED"


def test_retry_from_a_step(ruvon: Command, started: Starter, place: Path) -> None:
    """S3-057: a failed run restarts at a named step and goes on; an unknown step is refused with the known ones."""
    workflow_id = started("Gated", {"gate": str(place / "open")}, "--auto")
    (place / "open").touch()
    refused = ruvon("retry", workflow_id, *ROOTS, "--from-step", "Nope")
    step = refused.err.rsplit("there are ", 1)[1].split("`")[1]

    assert refused.code == 1
    assert ruvon("retry", workflow_id, *ROOTS, "--from-step", step, "--json").json["status"] == "COMPLETED"


def test_what_was_rolled_back_is_not_retried(ruvon: Command) -> None:
    """Going on behind steps that were undone would build on nothing: it is refused and nothing changes."""
    data = {**SMALL, "customer": "nowhere"}
    workflow_id = ruvon("run", ORDER, "-d", json.dumps(data), "--json").json["workflow_id"]

    refused = ruvon("retry", workflow_id, "--from-step", "set")

    assert refused.code == 1
    assert "start a new one" in refused.err
    assert ruvon("show", workflow_id, "--json").json["status"] == "FAILED_ROLLED_BACK"
    resumed = ruvon("resume", workflow_id).err
    assert "start a new one" in resumed
    assert "ruvon retry" not in resumed


def test_a_completed_workflow_is_left_alone(ruvon: Command, started: Starter) -> None:
    """Resume, retry and cancel of an ended workflow are refused with code 1."""
    workflow_id = started("Timer", {}, "--auto")

    assert [ruvon(name, workflow_id, *ROOTS).code for name in ("resume", "retry", "cancel")] == [1, 1, 1]


def test_cancel_undoes_what_was_done(ruvon: Command) -> None:
    """Cancelling keeps the reason and ends the workflow, whatever it waits for."""
    workflow_id = ruvon("start", ORDER, "-d", json.dumps(LARGE), "--auto", "--json").json["workflow_id"]

    done = ruvon("cancel", workflow_id, "--reason", "ordered twice", "--json")

    assert done.code == 0
    assert done.json["status"] in {"CANCELLED", "FAILED_ROLLED_BACK"}
    assert done.json["error"] == "cancelled: ordered twice"


def test_force_runs_no_compensation(ruvon: Command) -> None:
    """`cancel --force` ends the workflow as it is."""
    workflow_id = ruvon("start", ORDER, "-d", json.dumps(LARGE), "--auto", "--json").json["workflow_id"]

    assert ruvon("cancel", workflow_id, "--force", "--json").json["status"] == "CANCELLED"


def test_a_child_that_waits_is_pointed_at(ruvon: Command, started: Starter) -> None:
    """A parent that waits for its child's person names the child, whose answer lets both go on."""
    workflow_id = started("Outer", {"name": "Ada"}, "--auto", "--workflows", str(FLOWS))
    shown = ruvon("show", workflow_id, *ROOTS, "-v", "--json").json
    child = shown["waiting_for"][0]["key"]

    assert shown["status"] == "WAITING_CHILD_HUMAN_INPUT"
    assert [item["workflow_id"] for item in shown["children"]] == [child]
    options = ("--workflows", str(FLOWS))
    ruvon("resume", child, *options, "-i", '{"ok": true, "number": 7}')
    ruvon("resume", child, *options, "-i", '{"amount": 5}')
    assert ruvon("show", workflow_id, *ROOTS, "--json").json["status"] == "COMPLETED"


def test_a_target_outside_the_folder_says_how_to_come_back(ruvon: Command) -> None:
    """The command that goes on carries the import root that the code needs."""
    done = ruvon("run", str(FLOWS), "--workflow", "Greet", "-d", '{"name": "Ada"}')

    assert f"--import-root {FLOWS.parent}" in done.out


def test_steps_that_wait_to_be_asked(ruvon: Command) -> None:
    """A YAML workflow goes one step with each `resume`, waits for declared input, and names the missing key."""
    flow = str(FLOWS.parent / "cli_steps.yaml")
    workflow_id = ruvon("start", flow, "-d", '{"a": 1}', "--json").json["workflow_id"]

    assert ruvon("resume", workflow_id, "--json").json["current_step"] == "sign"
    waiting = ruvon("resume", workflow_id, "--json").json
    assert (waiting["status"], waiting["waiting_for"][0]["answer"]) == ("WAITING_HUMAN_INPUT", {"signature": "..."})
    assert "`signature` is required" in ruvon("resume", workflow_id, "-i", "{}").err
    done = ruvon("resume", workflow_id, "-i", '{"signature": "me"}', "--json").json
    assert done["status"] == "COMPLETED"
    assert done["result"] == {"a": 1, "seen": True, "signed_by": "me", "done": True}


def test_templates_and_secrets(ruvon: Command, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Templates are rendered, and secret("NAME") is the environment variable NAME, stored nowhere but as given on."""
    (place / "cards.yaml").write_text(
        "workflow_type: Cards\nautomate_next: true\nsteps:\n"
        "  - name: greet\n    function: tests.cli.flows.cli_functions:greet\n"
        "    inputs: {text: 'Hello {{ state.name | upper }}!', token: '=secret(\"CARD_TOKEN\")'}\n"
    )
    missing = ruvon("run", "cards.yaml", "-d", '{"name": "ada"}')
    assert missing.code == 1
    assert "CARD_TOKEN" in missing.out

    monkeypatch.setenv("CARD_TOKEN", "abc")
    assert ruvon("run", "cards.yaml", "-d", '{"name": "ada"}', "--json").json["result"]["card"] == "Hello ADA! (3)"
