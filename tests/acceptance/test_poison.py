"""A run that takes its process down again and again is stopped; real processes, killed by SIGKILL in a step."""

import json
import signal
import subprocess
import sys
from pathlib import Path

from tests.acceptance.test_kill import ROOT, lines, start

BUDGET = 3


def test_a_poison_run_is_stopped_shown_and_retried(tmp_path: Path) -> None:
    """SEMANTICS 8.2: three processes die, the fourth lets the run fail, `show` says why, and `retry` goes on."""
    for _ in range(BUDGET):
        victim = start(tmp_path, "tests.acceptance.poison_flow")
        victim.communicate(timeout=60)
        assert victim.returncode == -signal.SIGKILL
    survivor = start(tmp_path, "tests.acceptance.poison_flow")
    out, err = survivor.communicate(timeout=60)
    workflow_id, status = out.split()

    assert status == "FAILED_WORKER_CRASH", err
    assert lines(tmp_path / "ledger.txt") == ["crate", *["barrel"] * BUDGET]

    shown = json.loads(ruvon(tmp_path, "show", workflow_id, "--json", "--logs"))
    assert shown["status"] == "FAILED_WORKER_CRASH"
    assert (shown["current_step"], shown["state"]["loaded"]) == ("load_2", ["crate"])
    assert shown["error"].startswith("WorkerCrashError: ")
    assert "died 3 times in a row while `load` was under way" in shown["error"]
    assert "ruvon retry" in ruvon(tmp_path, "show", workflow_id)

    (tmp_path / "mended").touch()
    assert "COMPLETED" in ruvon(tmp_path, "retry", workflow_id)
    assert lines(tmp_path / "ledger.txt")[-1] == "barrel"


def ruvon(folder: Path, *arguments: str) -> str:
    """What a command prints."""
    command = [str(Path(sys.executable).with_name("ruvon")), *arguments]
    command += ["--db", str(folder / "runs.db"), "--import-root", "tests"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode in {0, 1}, done.stderr
    return done.stdout
