"""TARGET as a type, as one of several workflows of a file, and as a name with a slip in it; what a file starts is known."""

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Command

TRIP = '''\
"""A trip, and the payment that it starts."""

from pydantic import BaseModel

from ruvon import human, workflow


class Trip(BaseModel):
    who: str


class Answer(BaseModel):
    ok: bool


@workflow("TripPayment")
async def trip_payment(state: Trip) -> str:
    answer = await human("pay", form=Answer)
    return state.who if answer.ok else "nobody"


@workflow("TripBooking")
async def trip_booking(state: Trip) -> str:
    return await trip_payment(Trip(who=state.who))
'''
WHO = ("-d", '{"who": "Ada"}')


@pytest.fixture(autouse=True)
def trip(place: Path) -> Iterator[Path]:
    """A folder `flows` with one file of two workflows, and things beside it that are none."""
    folder = place / "flows"
    folder.mkdir()
    (folder / "target_trip.py").write_text(TRIP)
    (place / ".venv").mkdir()
    (place / ".venv" / "target_hidden.py").write_text(
        'raise SystemExit("@workflow TripBooking must not be imported")\n'
    )
    (place / "env").mkdir()
    (place / "env" / "pyvenv.cfg").write_text("")
    (place / "env" / "target_hidden.py").write_text('raise SystemExit("@workflow TripBooking must not be imported")\n')
    (folder / "compose.yaml").write_text("services: {web: {image: nginx}}\n")
    yield folder
    for name in [name for name in sys.modules if name.startswith("target_")]:
        del sys.modules[name]


@pytest.mark.parametrize("where", [".", "flows", "flows/target_trip.py"], ids=["above", "folder", "file"])
def test_a_type_is_found_where_workflows_says(ruvon: Command, where: str) -> None:
    """`--workflows` names files and folders that may define TARGET; environments and hidden folders are left alone."""
    done = ruvon("run", "TripBooking", "--workflows", where, *WHO, "--json")
    assert done.code == 0, done.text
    assert done.json["status"] == "WAITING_CHILD_HUMAN_INPUT"


def test_what_a_file_starts_needs_no_option(ruvon: Command) -> None:
    """The other workflows of the file are known to the run, and to the commands that go on with it."""
    done = ruvon("run", "flows/target_trip.py", "--workflow", "TripBooking", *WHO, "--json")
    assert done.code == 0, done.text
    child = done.json["waiting_for"][0]["key"]
    answered = ruvon("resume", child, "--import-root", "flows", "-i", '{"ok": true}', "--auto")
    assert answered.code == 0, answered.text
    parent = ruvon("resume", done.json["workflow_id"], "--import-root", "flows", "--auto", "--json")
    assert parent.json["result"] == "Ada"


PARENT = """\
workflow_type: TripParent
module: target_trip
initial_state_model: Trip
automate_next: true
steps:
  - {name: pay, type: SUB_WORKFLOW, workflow_type: CHILD, inputs: {who: =state.who}, output: paid}
  - return: =paid
"""


def test_a_child_of_the_own_module_needs_no_option(ruvon: Command, trip: Path) -> None:
    """A YAML workflow starts a Python one of the module that it names."""
    (trip / "parent.yaml").write_text(PARENT.replace("CHILD", "TripPayment"))
    done = ruvon("run", "flows/parent.yaml", *WHO, "--json")
    assert done.code == 0, done.text
    assert done.json["status"] == "WAITING_CHILD_HUMAN_INPUT"


def test_an_unknown_child_is_told_before_anything_is_stored(ruvon: Command, trip: Path) -> None:
    """The message names who starts it, and the option."""
    (trip / "parent.yaml").write_text(PARENT.replace("CHILD", "Nobody"))
    done = ruvon("run", "flows/parent.yaml", *WHO)
    assert done.code == 4
    assert "`TripParent` starts `Nobody`, which nothing here defines" in done.err
    assert "--workflows PATH" in done.err
    assert ruvon("list", "--json").json == []


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (("flows/target_trip.py", "--workflow", "TripBoking"), "the target has no workflow `TripBoking`"),
        (("TripBoking", "--workflows", "flows"), "no workflow type `TripBoking` (looked in: flows)"),
    ],
    ids=["option", "target"],
)
def test_a_slip_in_a_type_is_answered_with_all_there_are(ruvon: Command, words: tuple[str, ...], where: str) -> None:
    """The near one first, then every type."""
    done = ruvon("run", *words, *WHO)
    assert done.code == 4
    assert f"{where}; did you mean `TripBooking`? there are `TripBooking`, `TripPayment`" in done.err


def test_a_type_without_a_place_is_told_the_option(ruvon: Command) -> None:
    """There is no workflow folder: name a place."""
    done = ruvon("run", "TripBooking", *WHO)
    assert done.code == 4
    assert "--workflows" in done.err


def test_a_type_whose_file_has_mistakes_shows_them(ruvon: Command, trip: Path) -> None:
    """It is not called unknown; its findings are printed."""
    file = trip / "target_trip.py"
    file.write_text(
        TRIP.replace("state.who if", "state.whoo if").replace(
            "return await trip_payment(Trip(who", "return str(Trip(who"
        )
    )
    done = ruvon("run", "TripBooking", "--workflows", "flows", *WHO)
    assert done.code == 1
    assert "RV0" in done.err
    assert "whoo" in done.err


def test_two_files_that_define_a_type_differently(ruvon: Command, trip: Path) -> None:
    """`validate` and `run` name both files; equal files are sound."""
    copy = TRIP.replace('"nobody"', '"no one"')
    (trip / "target_other.py").write_text(copy)
    for words in (("validate", "flows"), ("run", "TripPayment", "--workflows", "flows", *WHO)):
        done = ruvon(*words)
        assert done.code == 1
        assert "`TripPayment` 1.0.0 is defined twice and differently" in done.text
        assert "target_trip.py" in done.text
        assert "target_other.py" in done.text


def test_suggested_commands_can_be_copied(ruvon: Command, place: Path) -> None:
    """Each command that a message suggests has the options of the one that was typed."""
    options = ("--db", "my runs.db", "--import-root", "flows")
    done = ruvon("run", "flows/target_trip.py", "--workflow", "TripPayment", *WHO, *options)
    suggested = next(line for line in done.out.splitlines() if "answer: " in line).partition("answer: ruvon ")[2]
    assert "--db 'my runs.db'" in suggested
    answered = ruvon(*shlex.split(suggested))
    assert answered.code == 0, answered.text
    assert "COMPLETED" in answered.out


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("show", "beef"), "`ruvon list --db 'my runs.db'`"),
        (("show", "00000000-0000-4000-8000-000000000000"), "`ruvon list --db 'my runs.db'`"),
        (
            ("resume", "ID", "--import-root", "flows", "-i", "{}", "--step", "nothing"),
            "`ruvon show ID --db 'my runs.db'",
        ),
    ],
    ids=["prefix", "unknown", "step"],
)
def test_suggestions_in_errors_name_the_database(ruvon: Command, words: tuple[str, ...], hint: str) -> None:
    """What an error suggests looks into the same database."""
    db = ("--db", "my runs.db")
    made = ruvon("start", "flows/target_trip.py", "--workflow", "TripPayment", *WHO, *db, "--json").json["workflow_id"]
    done = ruvon(*(made if word == "ID" else word for word in words), *db)
    assert done.code != 0
    assert hint.replace("ID", made) in done.err


def test_a_failed_run_is_brought_back_by_the_suggested_command(ruvon: Command, trip: Path) -> None:
    """`resume` of a failed run suggests `retry` with the options that were given."""
    file = trip / "target_fails.py"
    file.write_text(TRIP.replace("TripPayment", "TripFails").partition('@workflow("TripBooking")')[0] + FAILING)
    db = ("--db", "my runs.db")
    made = ruvon("run", str(file), "--workflow", "Fails", *WHO, *db, "--json").json["workflow_id"]
    done = ruvon("resume", made, "--import-root", "flows", *db)
    assert f"`ruvon retry {made} --db 'my runs.db' --import-root flows`" in done.err


FAILING = """\
@workflow("Fails")
async def fails(state: Trip) -> str:
    raise ValueError(state.who)
"""
