"""A run that takes its process down again and again is stopped; real processes, killed by SIGKILL in a step."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.acceptance.test_kill import ROOT, lines, start
from tests.support import postgres
from tests.support.redis import private_server

BUDGET = 3


@pytest.fixture(params=["sqlite", "postgres", "redis"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A folder whose `url.txt` names a store of one kind."""
    with ExitStack() as stack:
        url = str(tmp_path / "runs.db")
        if request.param == "redis":
            url = stack.enter_context(private_server(tmp_path)).url
        elif request.param == "postgres":
            url = postgres.emptied()
        (tmp_path / "url.txt").write_text(url, encoding="utf-8")
        yield tmp_path


def test_a_poison_run_is_stopped_shown_and_retried(folder: Path) -> None:
    """SEMANTICS 8.2: three processes die, the fourth lets the run fail, `show` says why, and `retry` goes on."""
    for _ in range(BUDGET):
        victim = start(folder, "tests.acceptance.poison_flow")
        victim.communicate(timeout=60)
        assert victim.returncode == -signal.SIGKILL
    survivor = start(folder, "tests.acceptance.poison_flow")
    out, err = survivor.communicate(timeout=60)
    workflow_id, status = out.split()

    assert status == "FAILED_WORKER_CRASH", err
    assert lines(folder / "ledger.txt") == ["crate", *["barrel"] * BUDGET]

    shown = json.loads(ruvon(folder, "show", workflow_id, "--json", "--logs"))
    assert shown["status"] == "FAILED_WORKER_CRASH"
    assert (shown["current_step"], shown["state"]["loaded"]) == ("load_2", ["crate"])
    assert shown["error"].startswith("WorkerCrashError: ")
    assert "died 3 times in a row while `load` was under way" in shown["error"]
    assert "ruvon retry" in ruvon(folder, "show", workflow_id)

    (folder / "mended").touch()
    assert "COMPLETED" in ruvon(folder, "retry", workflow_id)
    assert lines(folder / "ledger.txt")[-1] == "barrel"


def ruvon(folder: Path, *arguments: str) -> str:
    """What a command prints."""
    command = [str(Path(sys.executable).with_name("ruvon")), *arguments]
    command += ["--db", (folder / "url.txt").read_text(encoding="utf-8"), "--import-root", "tests"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode in {0, 1}, done.stderr
    return done.stdout
