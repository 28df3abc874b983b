"""Whole sessions in real processes: from source to history, with a person, a rollback, and Ctrl-C."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

from tests.cli.conftest import FLOWS, LARGE, ORDER, ROOT, RUVON, SMALL, Command, masked
from tests.support.golden import GOLDEN
from tests.support.places import freeze


def test_from_source_to_history(shell: Command) -> None:
    """S3-055: compile, validate, start, list, show, resume and logs work as separate processes on one database."""
    compiled = shell("compile", ORDER, "-o", "order.json")
    assert compiled.code == 0, compiled.text
    assert shell("validate", "order.json").code == 0

    started = shell("start", "order.json", "-d", json.dumps(LARGE), "--auto", "--json")
    workflow_id = started.json["workflow_id"]
    assert started.code == 0
    assert started.json["status"] == "WAITING_HUMAN"

    listed = shell("list", "--status", "WAITING_HUMAN", "--json").json
    assert [row["workflow_id"] for row in listed] == [workflow_id]

    shown = shell("show", workflow_id, "--json").json
    assert shown["waiting_for"][0]["name"] == "finance.approve"
    assert shown["state"]["order_id"] == "A-2"

    resumed = shell("resume", workflow_id, "-i", '{"approved": true}', "--json")
    assert resumed.code == 0, resumed.text
    assert resumed.json["status"] == "COMPLETED"
    assert resumed.json["result"]["total"] == "11250.00"

    steps = [entry["step"] for entry in shell("logs", workflow_id, "--json").json if entry["kind"] == "step"]
    assert steps[0] == "quote"
    assert steps[-1] == "ship"


def test_a_refused_order(shell: Command) -> None:
    """A person's no fails the workflow, and the exit code says so."""
    workflow_id = shell("start", ORDER, "-d", json.dumps(LARGE), "--auto", "--json").json["workflow_id"]

    done = shell("resume", workflow_id, "-i", '{"approved": false, "reason": "too much"}')

    assert done.code == 1
    assert "Rejected: too much" in done.out


def test_a_rollback_is_told(shell: Command, place: Path, golden: object) -> None:
    """A failing last step undoes what was done, newest first, and each line of it is shown."""
    done = shell("run", ORDER, "-d", json.dumps({**SMALL, "customer": "nowhere"}))

    assert done.code == 1
    text = masked(done.out, place)
    lines = sorted(text.splitlines()[2:4])  # the two parallel checks may end in either order
    text = "\n".join([*text.splitlines()[:2], *lines, *text.splitlines()[4:]]) + "\n"
    golden(GOLDEN / "cli" / "rollback.txt", text)  # type: ignore[operator]


def test_what_steps_print_stays_out_of_json(shell: Command) -> None:
    """With --json standard output is one JSON text, whatever step functions print."""
    done = shell("run", str(FLOWS), "--workflow", "Greet", "-d", '{"name": "Ada"}', "--json")

    assert done.json["status"] == "WAITING_HUMAN"
    assert "printed by a step" in done.err


def test_ctrl_c_leaves_a_workflow_that_goes_on(shell: Command, place: Path) -> None:
    """Ctrl-C ends the command with code 130 and a sentence; what was committed stays, and `resume` would go on."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    # A shell starts what runs behind it deaf to Ctrl-C; the command under test hears it wherever the tests run.
    hearing = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    arguments = [RUVON[0], "-c", hearing + RUVON[2], "run", str(FLOWS), "--workflow", "Long"]
    with subprocess.Popen(
        arguments, cwd=place, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("done"):
                break
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "ruvon resume" in err
    assert "Traceback" not in err
    listed = shell("list", "--json").json
    assert [(row["status"], row["current_step"]) for row in listed] == [("ACTIVE", "long")]


def test_processes_that_begin_with_one_database_at_once(shell: Command, place: Path) -> None:
    """Several processes that find no database create it once, and each keeps its run in it."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    arguments = [*RUVON, "run", str(FLOWS), "--workflow", "Greet", "-d", '{"name": "Ada"}', "--json"]
    processes = [
        subprocess.Popen(arguments, cwd=place, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    done = [process.communicate(timeout=60) for process in processes]

    assert [process.returncode for process in processes] == [0, 0, 0], done
    ids = {json.loads(out)["workflow_id"] for out, _ in done}
    assert {row["workflow_id"] for row in shell("list", "--json").json} == ids
    assert len(ids) == 3


def test_a_busy_workflow_is_left_alone_but_can_be_cancelled(shell: Command, place: Path) -> None:
    """While one process drives a workflow, `resume` in another is refused and `cancel` ends it there."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    arguments = [*RUVON, "run", str(FLOWS), "--workflow", "Long", "--json"]
    with subprocess.Popen(
        arguments, cwd=place, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        workflow_id = _wait_for_step(shell, "long")
        roots = ("--import-root", str(FLOWS.parent))
        busy = shell("resume", workflow_id, *roots)
        shell("cancel", workflow_id, *roots, "--reason", "enough")
        out, _ = process.communicate(timeout=60)

    assert busy.code == 1
    assert "driven by another process" in busy.err
    assert json.loads(out)["status"] == "CANCELLED"


def _wait_for_step(shell: Command, step: str) -> str:
    """The id of the workflow that stands at a step, once it does."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        listed = shell("list", "--json")
        if listed.code == 0 and listed.json and listed.json[0]["current_step"] == step:
            return str(listed.json[0]["workflow_id"])
    raise AssertionError(f"nothing came to {step}")


def test_a_closed_pipe_is_no_error(place: Path) -> None:
    """A reader that goes away, such as `head`, brings no traceback."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    arguments = [*RUVON, "compile", ORDER]
    with subprocess.Popen(
        arguments, cwd=place, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        err = process.stderr.read()

    assert "Traceback" not in err


def test_no_color_and_pipes_are_plain(shell: Command) -> None:
    """Output that is not a terminal's, and any output under NO_COLOR, has no escape sequences."""
    outputs = [shell("--help"), shell("--help", NO_COLOR="1"), shell("run", "nothing.yaml", NO_COLOR="1")]

    assert all("\x1b" not in done.text for done in outputs)


def test_help_loads_nothing_heavy(shell: Command) -> None:
    """`ruvon --help` imports no compiler, no engine, no database driver."""
    code = (
        "import sys\nfrom ruvon.cli._app import cli\n"
        "try:\n    cli.main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'libcst', 'yaml', 'sqlite3', 'aiosqlite', 'jinja2', 'ruvon.builder', 'ruvon.engine', 'ruvon_dsl'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [RUVON[0], "-c", code], capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )

    assert done.stdout.splitlines()[-1] == "[]"


def test_completion_knows_commands_and_statuses(shell: Command) -> None:
    """Shell completion offers commands and the values of options."""
    commands = shell(given="", _RUVON_COMPLETE="bash_complete", COMP_WORDS="ruvon re", COMP_CWORD="1")
    statuses = shell(given="", _RUVON_COMPLETE="bash_complete", COMP_WORDS="ruvon list --status WAIT", COMP_CWORD="3")

    assert {"plain,resume", "plain,retry"} <= set(commands.out.split())
    assert "plain,WAITING_HUMAN" in statuses.out.split()


def test_a_busy_workflow_says_who_must_stop_it(shell: Command, place: Path) -> None:
    """`list`, `show` and `cancel` say that another process drives it, and none of them hints at `resume`."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    arguments = [*RUVON, "run", str(FLOWS), "--workflow", "Long", "--json"]
    with subprocess.Popen(
        arguments, cwd=place, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        workflow_id = _wait_for_step(shell, "long")
        roots = ("--import-root", str(FLOWS.parent))
        listed, data = shell("list"), shell("list", "--json").json
        shown = shell("show", workflow_id, *roots)
        freeze(process, next(place.glob("*.db")))
        cancelled = shell("cancel", workflow_id, *roots)
        process.send_signal(signal.SIGCONT)
        out, _ = process.communicate(timeout=60)

    assert "ACTIVE (driven)" in listed.out
    assert [row["driven"] for row in data] == [True]
    assert "another process drives it" in shown.out
    assert "it was asked to end; the process that drives it will stop it" in cancelled.out
    assert "ruvon resume" not in listed.out + shown.out + cancelled.out
    assert json.loads(out)["status"] == "CANCELLED"
