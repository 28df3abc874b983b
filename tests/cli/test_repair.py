"""retry, rewind, fork, jump, signal, retry-compensation and bulk."""

import getpass
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command, masked
from tests.support.golden import GOLDEN

FLOWS = Path(__file__).parent / "flows" / "cli_repair.py"
ROOTS = ("--import-root", str(FLOWS.parent))
Begin = Callable[..., str]


@pytest.fixture
def begin(ruvon: Command, place: Path) -> Begin:
    """Start a workflow, drive it as far as it goes, and give its id."""

    def call(name: str = "Trip", *, is_open: bool = True, **data: Any) -> str:
        gate = place / "gate"
        if is_open:
            gate.touch()
        given = json.dumps({"gate": str(gate), **data})
        ruvon("start", str(FLOWS), "--workflow", name, "-d", given, "--auto")
        return str(ruvon("list", "--type", name, "--json").json[0]["workflow_id"])

    return call


def notes(ruvon: Command, run: str) -> list[str]:
    """What the history says of repairs."""
    rows = ruvon("logs", run, *ROOTS, "--json").json
    return [str(row.get("note") or row.get("message")) for row in rows if row["kind"] in ("repair", "rewind", "text")]


# rewind


def test_a_rewind_shows_its_plan_and_asks(
    ruvon: Command, begin: Begin, place: Path, golden: Callable[[Path, str], None]
) -> None:
    """Without a yes nothing is changed."""
    run = begin()

    refused = ruvon("rewind", run, "reserve", *ROOTS, given="n\n")

    assert refused.code == 1
    assert ruvon("show", run, "--json", *ROOTS).json["status"] == "COMPLETED"
    golden(GOLDEN / "cli" / "rewind_plan.txt", masked(refused.text, place))


def test_a_dry_run_of_a_rewind_changes_nothing(ruvon: Command, begin: Begin) -> None:
    """It tells what would be undone, and what would happen again."""
    run = begin()

    found = ruvon("rewind", run, "reserve", "--dry-run", "--json", *ROOTS).json

    assert (found["undone"], found["kept"]) == (["reserve"], ["check", "close"])
    assert found["state"]["seats"] == 0
    assert notes(ruvon, run) == []


def test_a_rewound_run_goes_on_with_the_edits(ruvon: Command, begin: Begin) -> None:
    """Who and why are in the history."""
    run = begin()

    done = ruvon(
        "rewind", run, "check", "-s", '{"price": 12}', "--yes", "--auto", "--actor", "ann", "--reason", "cheaper",
        "--json", *ROOTS,
    )  # fmt: skip

    assert (done.json["status"], done.json["result"]) == ("COMPLETED", "checked at 12, closed")
    assert notes(ruvon, run) == ["rewind by ann: cheaper", "by ann: cheaper"]


def test_a_rewind_to_the_number_of_an_entry(ruvon: Command, begin: Begin) -> None:
    """What `logs --json` calls seq."""
    run = begin()

    assert ruvon("rewind", run, "2", "--yes", "--json", *ROOTS).json["current_step"] == "check"


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (("chek", "--yes"), 1, "did you mean `check`"),
        (("check", "--yes", "-s", '{"price": "much"}'), 1, "price"),
        (("check", "--yes", "-s", "[1]"), 2, "--state takes the fields"),
        (("check", "--json"), 2, "add --yes"),
    ],
)
def test_a_rewind_that_cannot_be_is_refused(
    ruvon: Command, begin: Begin, args: tuple[str, ...], code: int, says: str
) -> None:
    """Nothing was changed."""
    run = begin()

    done = ruvon("rewind", run, *args, *ROOTS)

    assert (done.code, says in done.err) == (code, True), done.err
    assert notes(ruvon, run) == []


def test_effects_can_be_left_standing(ruvon: Command, begin: Begin) -> None:
    """--no-compensate undoes nothing, and the plan says so."""
    run = begin()

    shown = ruvon("rewind", run, "reserve", "--no-compensate", "--yes", *ROOTS)

    assert "undone, in this order: nothing" in shown.out
    assert "done again: reserve, check, close" in shown.out
    kinds = [row["kind"] for row in ruvon("logs", run, "--json", *ROOTS).json]
    assert "compensate" not in kinds


# The others


def test_a_fork_is_a_run_of_its_own(ruvon: Command, begin: Begin) -> None:
    """Both logs name the other one, who asked and why."""
    run = begin()

    done = ruvon(
        "fork", run, "check", "-s", '{"price": 5}', "--auto", "--actor", "ann", "--reason", "what if", "--json", *ROOTS
    )

    assert (done.json["result"], done.json["workflow_id"] == run) == ("checked at 5, closed", False)
    assert notes(ruvon, run) == [f"forked at check as {done.json['workflow_id']} by ann: what if"]
    assert notes(ruvon, done.json["workflow_id"]) == [f"forked from {run} at check by ann: what if"]


def test_a_jump_stands_at_the_step(ruvon: Command, begin: Begin) -> None:
    """It is a live run's; an ended one is refused."""
    run = begin("Waiting")

    assert ruvon("jump", run, "reserve", "--actor", "ann", "--json", *ROOTS).json["current_step"] == "reserve"
    assert notes(ruvon, run) == ["jump by ann"]
    refused = ruvon("jump", run, "nowhere", *ROOTS)
    assert refused.code == 1
    assert "there are" in refused.err
    assert "`reserve`" in refused.err


def test_a_signal_is_received(ruvon: Command, begin: Begin) -> None:
    """By its key; a dedup key is taken once."""
    run = begin("Waiting")

    for _ in range(2):
        ruvon("signal", run, "Paid", '{"amount": 3}', "--key", "k", "--dedup", "one", "--actor", "ann", *ROOTS)
    done = ruvon("resume", run, "-i", '{"ok": true}', "--auto", "--json", *ROOTS).json

    assert done["status"] == "COMPLETED"
    assert [text for text in notes(ruvon, run) if "signal" in text] == ["signal Paid sent by ann"]
    assert ruvon("show", run, "--json", *ROOTS).json["state"]["price"] == 3


@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        (("signal", "3f2a9c41", "Paid"), "ruvon signal 3f2a9c41 Paid"),
        (("bulk", "signal", "Paid"), "ruvon bulk signal Paid"),
    ],
    ids=["signal", "bulk signal"],
)
def test_a_payload_that_is_no_json_is_said_with_a_right_call(
    ruvon: Command, arguments: tuple[str, ...], call: str
) -> None:
    """What is wrong with which argument, and how it is written."""
    done = ruvon(*arguments, "nojson")

    assert done.code == 2
    assert done.err.startswith("error: the payload is no JSON: ")
    assert f"""write it like {call} '{{"name": "value"}}', or {call} @FILE""" in done.err


def test_a_signal_with_another_key_is_told(ruvon: Command, begin: Begin) -> None:
    """It lies in the mailbox for a later receive, so it is no error; which key is wanted is said before and after."""
    run = begin("Waiting")
    ruvon("resume", run, "-i", '{"ok": true}', "--auto", *ROOTS)
    assert "waits for the signal Paid with the key k (step " in ruvon("show", run).out

    done = ruvon("signal", run, "Paid", '{"amount": 3}', *ROOTS)

    assert done.code == 0, done.text
    assert "the signal without a key lies in the mailbox; the run waits for Paid with `--key k`" in done.err
    assert "lies in the mailbox" not in ruvon("signal", run, "Paid", '{"amount": 3}', "--key", "k", *ROOTS).text


def test_a_signal_that_nobody_receives_is_refused(ruvon: Command, begin: Begin) -> None:
    """The message names what is received."""
    done = ruvon("signal", begin("Waiting"), "Payed", "{}", *ROOTS)

    assert (done.code, "it receives `Paid`" in done.err) == (1, True)


def test_a_retry_says_who_asked(ruvon: Command, begin: Begin, place: Path) -> None:
    """The login name where nobody is named."""
    run = begin(is_open=False)
    (place / "gate").touch()

    assert ruvon("retry", run, "--reason", "it is open", "--json", *ROOTS).json["status"] == "COMPLETED"
    assert notes(ruvon, run) == [f"retry by {getpass.getuser()}: it is open"]


def test_failed_compensations_are_tried_again(ruvon: Command, begin: Begin, place: Path) -> None:
    """Code 0 when everything is undone in the end."""
    run = begin("Stuck", is_open=False)
    assert ruvon("retry-compensation", run, *ROOTS).code == 1
    (place / "gate").touch()

    done = ruvon("retry-compensation", run, "--actor", "ann", "--reason", "oiled", "--json", *ROOTS)

    assert (done.code, done.json["status"]) == (0, "FAILED_ROLLED_BACK")
    assert notes(ruvon, run)[-1] == "retry-compensation by ann: oiled"


# bulk


def test_a_bulk_cancel_shows_each_run_and_asks(
    ruvon: Command, begin: Begin, place: Path, golden: Callable[[Path, str], None]
) -> None:
    """What has ended is skipped."""
    begin("Waiting")
    begin("Trip")

    refused = ruvon("bulk", "cancel", "--all", *ROOTS, given="n\n")

    assert refused.code == 1
    assert [row["status"] for row in ruvon("list", "--json").json] == ["COMPLETED", "WAITING_HUMAN"]
    golden(GOLDEN / "cli" / "bulk_cancel.txt", masked(refused.text, place))


def test_a_bulk_cancel_is_done(ruvon: Command, begin: Begin) -> None:
    """With --yes nobody is asked."""
    begin("Waiting")
    begin("Waiting")

    done = ruvon("bulk", "cancel", "--status", "WAITING_HUMAN", "--yes", "--json", *ROOTS)

    assert (done.code, done.json["counts"]) == (0, {"done": 2})
    assert {row["status"] for row in ruvon("list", "--json").json} == {"CANCELLED"}


def test_one_failure_makes_the_code_1(ruvon: Command, begin: Begin) -> None:
    """The others are done all the same."""
    begin("Waiting")
    begin("Trip")

    done = ruvon("bulk", "rewind", "check", "--all", "--yes", "--json", *ROOTS)

    assert (done.code, done.json["counts"]) == (1, {"done": 1, "failed": 1})


def test_a_bulk_retry_and_a_bulk_signal(ruvon: Command, begin: Begin, place: Path) -> None:
    """Each goes to the runs that it fits."""
    begin("Trip", is_open=False)
    begin("Waiting")

    assert (
        ruvon("bulk", "signal", "Paid", '{"amount": 1}', "--key", "k", "--type", "Waiting", "--yes", *ROOTS).code == 0
    )
    assert ruvon("bulk", "retry", "--status", "FAILED", "--yes", "--json", *ROOTS).json["counts"] == {"done": 1}


def test_a_purge_deletes_what_has_ended_long_ago(ruvon: Command, begin: Begin) -> None:
    """--older-than counts from the last change."""
    begin("Trip")

    assert ruvon("bulk", "purge", "--type", "Trip", "--older-than", "1h", "--yes", "--json", *ROOTS).json["runs"] == []
    assert ruvon("bulk", "purge", "--type", "Trip", "--older-than", "0s", "--yes", *ROOTS).code == 0
    assert ruvon("list", "--json").json == []


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ((), "say which runs"),
        (("--older-than", "soon"), "no span of time"),
        (("--status", "WAITNG_HUMAN"), "did you mean WAITING_HUMAN"),
        (("--all", "--json"), "add --yes"),
    ],
)
def test_a_bulk_command_must_say_which_runs(ruvon: Command, begin: Begin, args: tuple[str, ...], says: str) -> None:
    """Nothing is done by accident."""
    begin("Waiting")

    done = ruvon("bulk", "cancel", *args, *ROOTS)

    assert (done.code, says in done.err) == (2, True), done.err
