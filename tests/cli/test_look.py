"""list, show, logs, metrics."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import FLOWS, LARGE, ORDER, ROOT, SMALL, Command, masked
from tests.support.golden import GOLDEN

ROOTS = ("--import-root", str(FLOWS.parent))
Starter = Callable[..., str]
Golden = Callable[[Path, str], None]


def test_list_by_status(ruvon: Command, started: Starter) -> None:
    """S3-056: only runs of the wanted status are listed, whatever its case."""
    waiting = started("Greet", {"name": "Ada"}, "--auto")
    active = started("Timer", {})

    assert [row["workflow_id"] for row in ruvon("list", "--status", "ACTIVE", "--json").json] == [active]
    assert [row["workflow_id"] for row in ruvon("list", "--status", "waiting_human", "--json").json] == [waiting]
    assert [row["workflow_id"] for row in ruvon("list", "--type", "Timer", "--json").json] == [active]


def test_list_pages(ruvon: Command, started: Starter) -> None:
    """Limit and offset cut the list, newest first."""
    ids = [started("Timer", {}) for _ in range(3)][::-1]

    assert [row["workflow_id"] for row in ruvon("list", "--limit", "1", "--offset", "1", "--json").json] == [ids[1]]


def test_list_for_people(ruvon: Command, started: Starter, place: Path, golden: Golden) -> None:
    """The table is what the golden file shows."""
    started("Greet", {"name": "Ada"}, "--auto")
    started("Timer", {})

    golden(GOLDEN / "cli" / "list.txt", masked(ruvon("list", "-v").out, place))


def test_the_statuses_are_those_of_the_engine() -> None:
    """The command line knows every status and no other."""
    from ruvon.cli._show import STATUSES
    from ruvon.models import WorkflowStatus

    assert set(STATUSES) == {status.value for status in WorkflowStatus}


def test_show_masks_secrets(ruvon: Command, started: Starter) -> None:
    """A secret is shown nowhere, in neither form, and not in logs."""
    workflow_id = started("Greet", {"name": "Ada", "token": "t0p-s3cret"}, "--auto")
    outputs = [
        ruvon("show", workflow_id, *ROOTS, "-v"),
        ruvon("show", workflow_id, *ROOTS, "-v", "--json"),
        ruvon("logs", workflow_id, *ROOTS, "--level", "DEBUG", "--json"),
    ]

    assert outputs[1].json["state"]["token"] == "*" * 3
    assert all("t0p-s3cret" not in done.text for done in outputs)


def test_show_for_people(ruvon: Command, started: Starter, place: Path, golden: Golden) -> None:
    """State, history, numbers and what is asked for are what the golden file shows."""
    workflow_id = started("Greet", {"name": "Ada"}, "--auto")
    text = masked(ruvon("show", workflow_id, *ROOTS, "--logs").out, place)

    golden(GOLDEN / "cli" / "show.txt", text)


def test_show_sections(ruvon: Command, started: Starter) -> None:
    """Each option adds its section, -v adds all."""
    workflow_id = started("Greet", {"name": "Ada"}, "--auto")

    plain = ruvon("show", workflow_id, *ROOTS, "--no-state", "--json").json
    full = ruvon("show", workflow_id, *ROOTS, "-v", "--json").json
    assert not {"state", "history", "metrics", "digest"} & set(plain)
    assert {"state", "history", "metrics", "digest", "children"} <= set(full)
    assert full["metrics"][0]["name"] == "duration_ms"


def test_show_works_without_the_code(ruvon: Command, shell: Command, started: Starter) -> None:
    """A process that may not load the code still shows status, wait and history."""
    workflow_id = started("Greet", {"name": "Ada"}, "--auto")

    shown = shell("show", workflow_id, "--logs", "--json")

    assert shown.json["status"] == "WAITING_HUMAN"
    assert "there is no module `cli_flows`; allow its package or folder with --import-root" in shown.json["state_error"]
    assert shown.json["history"][0]["step"] == "hello"
    assert shown.json["waiting_for"][0]["form"]["required"] == ["ok", "number"]


def test_logs_filters(ruvon: Command) -> None:
    """Step, level and number choose the entries."""
    data = {**SMALL, "customer": "nowhere"}
    workflow_id = ruvon("run", ORDER, "-d", json.dumps(data), "--json").json["workflow_id"]

    errors = ruvon("logs", workflow_id, "--level", "error", "--json").json
    assert [entry["kind"] for entry in errors] == ["error", "end"]
    assert {entry["step"] for entry in ruvon("logs", workflow_id, "--step", "charge", "--json").json} == {"charge"}
    assert [entry["kind"] for entry in ruvon("logs", workflow_id, "-n", "1", "--json").json] == ["end"]


def test_logs_follow_ends_with_the_workflow(ruvon: Command, started: Starter) -> None:
    """--follow of an ended workflow shows everything, an object a line, and ends."""
    workflow_id = started("Timer", {}, "--auto")

    lines = ruvon("logs", workflow_id, *ROOTS, "--follow", "--json").out.splitlines()

    assert json.loads(lines[-1])["kind"] == "end"


def test_follow_sees_what_another_process_does(shell: Command, place: Path) -> None:
    """--follow shows entries that are written while it looks, and ends with the workflow."""
    import os
    import subprocess

    from tests.cli.conftest import RUVON

    workflow_id = shell("start", ORDER, "-d", json.dumps(LARGE), "--auto", "--json").json["workflow_id"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [*RUVON, "logs", workflow_id, "-f"], cwd=place, env=env, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        shell("resume", workflow_id, "-i", '{"approved": true}')
        rest, _ = process.communicate(timeout=60)

    assert "created" in first
    assert "ship" in rest
    assert rest.rstrip().endswith("COMPLETED")


def test_text_lines_stand_among_the_history(ruvon: Command, started: Starter) -> None:
    """What an application wrote with log_execution is shown with the history, in order."""
    import asyncio

    from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider

    workflow_id = started("Timer", {}, "--auto")

    async def write() -> None:
        provider = SQLitePersistenceProvider("ruvon.db")
        await provider.initialize()
        await provider.log_execution(workflow_id, "count", "WARNING", "looked odd")
        await provider.close()

    asyncio.run(write())
    found = ruvon("logs", workflow_id, *ROOTS, "--level", "WARNING", "--json").json
    assert [(entry["kind"], entry["message"]) for entry in found] == [("text", "looked odd")]


def test_metrics(ruvon: Command, started: Starter) -> None:
    """The times of steps are recorded, listed by run and name, and summed up."""
    workflow_id = started("Timer", {}, "--auto")

    rows = ruvon("metrics", "-w", workflow_id, "--type", "duration_ms", "--json").json
    assert [row["step_name"] for row in rows] == ["count", "count_2"]
    assert ruvon("metrics", "--type", "nothing", "--json").json == []
    summary = ruvon("metrics", "--summary", "--json").json
    assert [(row["step_name"], row["count"]) for row in summary["metrics"]] == [("count", 1), ("count_2", 1)]
    assert [(row["workflow_type"], row["workflows"]) for row in summary["workflows"]] == [("Timer", 1)]
    counted = next(row for row in summary["steps"] if row["step"] == "count_2")
    assert (counted["workflow_type"], counted["started"], counted["completed"]) == ("Timer", 1, 1)
    assert ruvon("metrics", "--summary").code == 0


def test_metrics_of_steps_need_no_recorded_numbers(ruvon: Command, started: Starter) -> None:
    """They come from the logs of runs: of all, of the newest ones, or of one."""
    first, second = (started("Timer", {}, "--auto") for _ in range(2))

    rows = {row["step"]: row for row in ruvon("metrics", "--steps", "--json").json}
    assert (rows["count"]["completed"], rows[None]["completed"]) == (2, 2)
    assert rows["count"]["longest_s"] >= rows["count"]["p50_s"] >= 0
    newest = ruvon("metrics", "--steps", "--runs", "1", "--json").json
    assert {row["started"] for row in newest} == {1}
    assert ruvon("metrics", "--steps", "-w", first, "--json").json[0]["started"] == 1
    assert "(whole run)" in ruvon("metrics", "--steps").out
    assert ruvon("metrics", "--steps", "-w", second).code == 0


def test_steps_and_recorded_numbers_are_different_lists(ruvon: Command, started: Starter) -> None:
    """Asking for both at once is refused with the remedy."""
    started("Timer", {})
    for options in (("--type", "duration_ms"), ("--summary",)):
        refused = ruvon("metrics", "--steps", *options)
        assert (refused.code, "leave --type and --summary out" in refused.err) == (2, True)


@pytest.mark.parametrize("command", ["show", "logs", "resume", "retry", "cancel"])
def test_an_unknown_id_is_not_found(ruvon: Command, started: Starter, command: str) -> None:
    """Every command ends with code 4 for an id that is nobody's."""
    started("Timer", {})

    for unknown in ("00000000-0000-0000-0000-000000000000", "ffffffff", "no id at all", "x"):
        assert ruvon(command, unknown).code == 4
    assert ruvon("metrics", "-w", "00000000-0000-0000-0000-000000000000").code == 4


def test_a_history_reads_from_creation_to_the_present_wait(ruvon: Command, started: Starter) -> None:
    """Created, done, and what it waits for now; then who answered, and how it ended."""
    workflow_id = started("Greet", {"name": "Ada"}, "--auto")
    waiting = [line[33:] for line in ruvon("logs", workflow_id, *ROOTS).out.splitlines()]

    assert waiting[0].split() == ["created", "Greet", "1.0.0"]
    assert waiting[1].split()[:2] == ["done", "hello"]
    assert waiting[-1].split() == ["waits", "human", "for", "the", "answer", "guest.answer"]

    answer = ('{"ok": true, "number": 4}', "--auto", "--actor", "Grace", "--reason", "a guest")
    ruvon("resume", workflow_id, *ROOTS, "-i", *answer)
    later = ruvon("show", workflow_id, *ROOTS, "--logs").out
    assert "answered    human" in later
    assert "note        human  answer sent by Grace: a guest" in later
    assert "waits       receive  for the signal Paid" in later

    ruvon("resume", workflow_id, *ROOTS, "-i", '{"amount": 3}', "--auto")
    ended = ruvon("show", workflow_id, *ROOTS, "--logs").out
    assert "received    receive" in ended
    assert "note        receive  signal Paid sent by" in ended
    assert "ended       -  COMPLETED" in ended
    assert "waits" not in ended.partition("history")[2]


def test_what_was_refused_is_in_no_history(ruvon: Command, started: Starter) -> None:
    """A note says that an answer or a signal was sent only where it was taken."""
    workflow_id = started("Greet", {"name": "Ada"}, "--auto")
    refused = ruvon("resume", workflow_id, *ROOTS, "-i", '{"ok": true, "number": 1}')
    assert (refused.code, "greater than 3" in refused.err) == (1, True)
    assert "sent by" not in ruvon("logs", workflow_id, *ROOTS).out

    ruvon("resume", workflow_id, *ROOTS, "-i", '{"ok": true, "number": 4}')
    for arguments in (("resume", "-i", '{"amount": "much"}'), ("signal", "Paid", '{"amount": "much"}')):
        command, *rest = arguments
        assert ruvon(command, workflow_id, *rest, *ROOTS).code == 1
    assert ruvon("signal", workflow_id, "Pid", "{}", *ROOTS).code == 1
    assert ruvon("logs", workflow_id, *ROOTS).out.count("sent by") == 1


def test_the_keys_of_a_listed_run_are_documented(ruvon: Command, started: Starter) -> None:
    """docs/cli.md names every key of `list --json`."""
    started("Timer", {})
    (row,) = ruvon("list", "--json").json
    page = (ROOT / "docs" / "cli.md").read_text()
    (line,) = [line for line in page.splitlines() if line.startswith("| `list`")]
    assert [key for key in row if f"`{key}`" not in line] == []


def test_a_wait_that_nobody_ended_timed_out(capsys: pytest.CaptureFixture[str]) -> None:
    """An entry of a person's wait without an answer says so."""
    from ruvon.cli._observe import print_history

    entry = {"at": "t", "level": "INFO", "kind": "wait", "step": "ask", "type": "HUMAN_IN_LOOP"}
    print_history([entry, {**entry, "result": {"ok": True}}, {**entry, "type": "SLEEP"}])
    assert [line.split()[2] for line in capsys.readouterr().out.splitlines()] == ["timed", "answered", "woke"]
