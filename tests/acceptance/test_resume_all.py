"""`ruvon resume --all` and `ruvon scheduler --all`: runs that nobody drives go on, in real processes, each once."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from tests.acceptance import fleet_flow
from tests.acceptance.test_kill import ROOT, lines, wait_for

FLOWS = ROOT / "tests" / "acceptance" / "fleet_flow.py"
RUVON = str(Path(sys.executable).with_name("ruvon"))


def begin(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """A command over the database of the folder, as a process of its own."""
    command = [RUVON, *arguments, "--db", str(folder / "runs.db"), "--workflows", str(FLOWS)]
    variables = {**os.environ, "RUVON_IMPORT_ROOTS": str(ROOT), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def made(folder: Path, kinds: dict[str, int]) -> list[str]:
    """Instances that were made and never driven."""

    async def work() -> list[str]:
        builder = WorkflowBuilder(persistence_provider=SQLitePersistenceProvider(folder / "runs.db"), plugins=False)
        await builder.initialize()
        builder.register(fleet_flow.fleet_trip, fleet_flow.fleet_linger, fleet_flow.fleet_called)
        found: list[str] = []
        for name, count in kinds.items():
            for _ in range(count):
                data = {"ledger": str(folder / "ledger.txt"), "number": len(found)}
                run = await builder.create_workflow(name, data)
                found.append(run.id)
        await builder.close()
        return found

    return asyncio.run(work())


def rows(done: subprocess.Popen[str]) -> list[dict[str, Any]]:
    """What `resume --all --json` printed."""
    out, err = done.communicate(timeout=100)
    assert done.returncode in {0, 1}, err
    found: list[dict[str, Any]] = json.loads(out)
    return found


def status(folder: Path, workflow_id: str) -> str:
    """Where a run stands."""
    shown = begin(folder, "show", workflow_id, "--json")
    out, err = shown.communicate(timeout=60)
    assert shown.returncode == 0, err
    return str(json.loads(out)["status"])


def test_a_run_whose_process_was_killed_goes_on(tmp_path: Path) -> None:
    """Nobody called `run()` for it."""
    (workflow_id,) = made(tmp_path, {"FleetLinger": 1})
    first = begin(tmp_path, "resume", workflow_id, "--auto")
    assert wait_for(tmp_path / "ledger.txt", 2, first)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    (tmp_path / "go").touch()

    (row,) = rows(begin(tmp_path, "resume", "--all", "--json"))

    assert (row["workflow_id"], row["status"], row["problem"]) == (workflow_id, "COMPLETED", "")
    assert [line.split()[0] for line in lines(tmp_path / "ledger.txt")] == ["0/0", "lingers", "lingers"]


def test_two_processes_at_once_drive_no_run_twice(tmp_path: Path) -> None:
    """Every step of every run is there once, and every run has ended."""
    ids = made(tmp_path, {"FleetTrip": 24})
    both = [begin(tmp_path, "resume", "--all", "--json") for _ in range(2)]
    found = [rows(process) for process in both]

    written = Counter(line.split()[0] for line in lines(tmp_path / "ledger.txt"))
    assert written == Counter({f"{number}/{leg}": 1 for number in range(24) for leg in range(3)})
    ended = {row["workflow_id"] for part in found for row in part if row["status"] == "COMPLETED"}
    assert ended == set(ids)


def test_a_run_that_another_process_drives_is_left_to_it(tmp_path: Path) -> None:
    """It is told as driven, and nothing of it runs a second time."""
    (workflow_id,) = made(tmp_path, {"FleetLinger": 1})
    driver = begin(tmp_path, "resume", workflow_id, "--auto")
    assert wait_for(tmp_path / "ledger.txt", 2, driver)

    (row,) = rows(begin(tmp_path, "resume", "--all", "--json"))
    (tmp_path / "go").touch()
    driver.communicate(timeout=60)

    assert (row["driven"], row["status"]) == (True, "ACTIVE")
    assert status(tmp_path, workflow_id) == "COMPLETED"
    assert len(lines(tmp_path / "ledger.txt")) == 2


def test_a_scheduler_takes_up_what_another_one_left(tmp_path: Path) -> None:
    """`ruvon scheduler --all` drives runs that no schedule made; one that dies leaves them to the next one."""
    (workflow_id,) = made(tmp_path, {"FleetLinger": 1})
    first = begin(tmp_path, "scheduler", "--all")
    assert wait_for(tmp_path / "ledger.txt", 2, first)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    (tmp_path / "go").touch()

    second = begin(tmp_path, "scheduler", "--all", "--once", "--json")
    out, err = second.communicate(timeout=60)

    assert json.loads(out)["driven"] == 1, err
    assert status(tmp_path, workflow_id) == "COMPLETED"


def test_all_and_an_id_exclude_each_other(tmp_path: Path) -> None:
    """A mistake in the call is told, and nothing is driven."""
    made(tmp_path, {})
    done = begin(tmp_path, "resume", "--all", "3f2a9c41")
    _, err = done.communicate(timeout=60)
    assert (done.returncode, "takes no ID" in err) == (2, True)
