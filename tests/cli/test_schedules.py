"""`ruvon schedule` and `ruvon scheduler`."""

import json
import os
import re
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, RUVON, Command
from tests.support.golden import GOLDEN

FLOW = Path(__file__).parent / "flows" / "planned" / "planned_flow.py"


@pytest.fixture
def flow(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workflow file in the workflow folder."""
    monkeypatch.setenv("RUVON_WORKFLOWS", str(FLOW.parent))
    return FLOW


@pytest.fixture
def add(ruvon: Command, flow: Path) -> Callable[..., None]:
    """Plan the flow."""

    def plan(name: str = "notes", *options: str, workflow: str = "Planned", cron: str = "0 9 * * MON") -> None:
        done = ruvon("schedule", "add", name, str(flow), "--workflow", workflow, "--cron", cron, *options)
        assert done.code == 0, done.text

    return plan


def _overdue(place: Path, name: str = "notes", hours: int = 24 * 7) -> None:
    """Move the next planned moment of a schedule into the past, as an outage does."""
    with sqlite3.connect(place / "ruvon.db") as connection:
        connection.execute(
            "UPDATE workflow_schedules SET next_us = next_us - ?, created_us = 0 WHERE schedule_id = ?",
            (hours * 3_600_000_000, name),
        )
    connection.close()


def test_next_says_it_in_words(ruvon: Command, place: Path, golden: Callable[[Path, str], None]) -> None:
    """Five dates in the zone, over the night when the clock goes forward."""
    done = ruvon("schedule", "next", "0 9 * * MON", "--tz", "Europe/Rome", "--after", "2026-03-16")

    assert done.code == 0
    golden(GOLDEN / "cli" / "schedule_next.txt", done.out)


def test_next_as_json(ruvon: Command) -> None:
    """With the words and as many dates as asked for."""
    found = ruvon("schedule", "next", "30 2 * * *", "--count", "2", "--after", "2026-01-01", "--json").json

    assert found["words"] == "every day at 02:30 (UTC)"
    assert found["next"] == ["2026-01-01T02:30:00+00:00", "2026-01-02T02:30:00+00:00"]


def test_next_that_never_comes(ruvon: Command) -> None:
    """A sentence where there is no date."""
    assert "never within fifty years" in ruvon("schedule", "next", "0 0 */31 2 MON#5").out


@pytest.mark.parametrize(
    ("options", "words"),
    [(("9am",), "`9am` is no cron expression"), (("0 9 * * *", "--tz", "Rome"), "there is no time zone `Rome`")],
)
def test_next_of_nonsense(ruvon: Command, options: tuple[str, ...], words: str) -> None:
    """A sentence and an exit code."""
    done = ruvon("schedule", "next", *options)

    assert (done.code, words in done.err) == (2, True)


def test_a_schedule_is_added_listed_and_shown(
    ruvon: Command, add: Callable[..., None], golden: Callable[[Path, str], None]
) -> None:
    """In words, with its dates."""
    add("notes", "--tz", "Europe/Rome", "-d", '{"text": "hello"}', "--overlap", "buffer_one", "--owner", "ada")
    found = ruvon("schedule", "list", "--json").json
    assert [(item["schedule"], item["state"], item["overlap"]) for item in found] == [("notes", "active", "buffer_one")]
    assert len(ruvon("schedule", "show", "notes", "--json").json["next"]) == 5
    shown = ruvon("schedule", "show", "notes").out
    shown = re.sub(r"\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d)[+]0[12]:00", r"<date>\1<offset>", shown)
    golden(GOLDEN / "cli" / "schedule_show.txt", shown)


def test_whose_the_runs_of_a_schedule_are_and_where_their_data_is_kept(
    ruvon: Command, add: Callable[..., None]
) -> None:
    """Owner, organisation and region of every run that it starts."""
    add("notes", "--owner", "ada", "--org", "shop", "--data-region", "eu-1")

    found = ruvon("schedule", "show", "notes", "--json").json

    assert (found["owner_id"], found["org_id"], found["data_region"]) == ("ada", "shop", "eu-1")
    assert "  data region: eu-1" in ruvon("schedule", "show", "notes").out


def test_adding_again_changes_it(ruvon: Command, add: Callable[..., None]) -> None:
    """The same name, another plan."""
    add("notes")
    add("notes", cron="0 10 * * *")
    (found,) = ruvon("schedule", "list", "--json").json
    assert found["cron"] == "0 10 * * *"


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--cron", "often"), 2, "`often` is no cron expression"),
        (("--cron", "0 9 * * *", "--tz", "Rome"), 2, "there is no time zone `Rome`"),
        (("--cron", "0 9 * * *", "--overlap", "queue"), 2, "there is no overlap policy `queue`"),
        (("--cron", "0 9 * * *", "-d", '{"text": 1}'), 1, "text"),
        (("--cron", "0 9 * * *", "-d", '{"txt": "x"}'), 1, "there is no field `txt`; did you mean `text`?"),
    ],
)
def test_what_cannot_be_added(ruvon: Command, flow: Path, options: tuple[str, ...], code: int, words: str) -> None:
    """A sentence, 2 for an option and 1 for data that do not fit, and nothing is stored."""
    done = ruvon("schedule", "add", "x", str(flow), "--workflow", "Planned", *options)

    assert (done.code, words in done.err) == (code, True), done.text
    assert ruvon("schedule", "list", "--json").json == []


def test_pause_resume_remove(ruvon: Command, add: Callable[..., None]) -> None:
    """Each is told; a paused one says why and starts nothing."""
    add()
    assert ruvon("schedule", "pause", "notes", "--reason", "holidays").out == "notes: paused\n"
    assert "note: holidays" in ruvon("schedule", "show", "notes").out
    assert ruvon("schedule", "resume", "notes").out.startswith("notes: next 20")
    assert ruvon("schedule", "remove", "notes").out == "notes: removed\n"


@pytest.mark.parametrize("command", ["show", "pause", "resume", "remove"])
def test_an_unknown_schedule(ruvon: Command, add: Callable[..., None], command: str) -> None:
    """Exit code 4, and the one that is spelt nearly like it."""
    add()
    done = ruvon("schedule", command, "nots", "--db", "ruvon.db")

    assert done.code == 4
    assert "there is no schedule named `nots`; did you mean `notes`?" in done.err
    assert "`ruvon schedule list --db ruvon.db`" in done.err


def test_the_scheduler_once_ends_with_1_where_a_run_cannot_be_driven(
    ruvon: Command, add: Callable[..., None], place: Path
) -> None:
    """It says which, and why; what can be done is done."""
    add("notes")
    lost, sound = (ruvon("start", str(FLOW), "--workflow", "Later", "--json").json["workflow_id"] for _ in range(2))
    with sqlite3.connect(place / "ruvon.db") as connection:
        connection.execute("UPDATE workflow_executions SET due_us = 1")
        connection.execute("UPDATE workflow_executions SET digest = x'00' WHERE id = ?", (lost,))
    connection.close()
    _overdue(place)

    done = ruvon("scheduler", "--once", "--json")
    told = ruvon("scheduler", "--once")

    assert (done.code, done.json["started"], list(done.json["problems"])) == (1, 1, [lost])
    assert told.code == 1
    assert f"{lost} could not go on: " in told.err
    assert sound not in told.err


def test_the_scheduler_once_ends_with_1_where_a_schedule_cannot_be_started(
    ruvon: Command, add: Callable[..., None], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its type is not known any more."""
    add("notes")
    _overdue(place)
    monkeypatch.setenv("RUVON_WORKFLOWS", str(place))

    done = ruvon("scheduler", "--once")

    assert done.code == 1
    assert "notes could not go on: " in done.err
    assert "no workflow is known here: name the files or folders of workflows with --workflows" in done.err
    assert "Traceback" not in done.text


def test_the_scheduler_once(ruvon: Command, add: Callable[..., None], place: Path) -> None:
    """What is overdue is started and driven, what was published is delivered, and a second call does nothing more."""
    add("notes", "-d", '{"text": "hello"}')
    add("later", workflow="Later")
    _overdue(place)
    _overdue(place, "later")
    delivering = ("--publisher", "planned_flow:OUTLET", "--import-root", str(FLOW.parent))

    done = ruvon("scheduler", "--once", "--json", *delivering)
    assert done.code == 0, done.text
    assert done.json["started"] == 2
    while any(item["status"] != "COMPLETED" for item in ruvon("list", "--json").json):
        ruvon("scheduler", "--once", *delivering)
    again = ruvon("scheduler", "--once", *delivering)

    assert again.out == "started: 0, driven: 0, delivered: 0, deleted: 0\n"
    assert sorted((place / "delivered.txt").read_text().splitlines()) == [
        'notes {"text":"-"}',
        'notes {"text":"hello"}',
    ]


def test_old_runs_are_deleted(ruvon: Command, add: Callable[..., None], place: Path) -> None:
    """With `--retention 0` whatever has ended goes."""
    add()
    _overdue(place)
    assert ruvon("scheduler", "--once", "--json").json["started"] == 1
    assert ruvon("scheduler", "--once", "--json", "--retention", "0").json["deleted"] == 1
    assert ruvon("list", "--json").json == []


def test_a_publisher_that_is_none(ruvon: Command, flow: Path) -> None:
    """A class, or anything else without `publish`, is refused."""
    done = ruvon("scheduler", "--once", "--publisher", "planned_flow:Outlet", "--import-root", str(flow.parent))

    assert (done.code, "no object with a method `publish" in done.err) == (2, True)


def test_a_signal_ends_the_scheduler(add: Callable[..., None], place: Path) -> None:
    """SIGTERM: it says so and leaves with 0, after what it was driving."""
    add()
    _overdue(place)
    process = subprocess.Popen(
        [*RUVON, "scheduler", "--poll", "0.05"],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    lines: list[str] = []
    for line in process.stderr:
        lines.append(line)
        if "started" in line:
            process.send_signal(signal.SIGTERM)
            break
    rest = process.stderr.read()
    assert process.wait(60) == 0
    process.stderr.close()
    assert "the scheduler runs" in lines[0]
    assert "`notes` started" in lines[-1]
    assert rest.endswith("stopped\n")
    with sqlite3.connect(place / "ruvon.db") as connection:
        assert connection.execute("SELECT status FROM workflow_executions").fetchall() == [("COMPLETED",)]
    connection.close()


def test_json_of_a_schedule_has_its_data_no_more_than_needed(ruvon: Command, add: Callable[..., None]) -> None:
    """The initial data of runs may hold what nobody should read on a screen."""
    add("notes", "-d", '{"text": "hello"}')
    assert "hello" not in json.dumps(ruvon("schedule", "show", "notes", "--json").json)
