"""Real processes killed with SIGKILL at random moments: nothing committed is lost, nothing committed is repeated."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("seed", range(4))
def test_a_run_survives_being_killed_again_and_again(tmp_path: Path, seed: int) -> None:
    """However often it is killed, the run ends with the result of an undisturbed one (S4-031, S3-038)."""
    chance = random.Random(seed)
    ledger = tmp_path / "ledger.txt"
    kills = 0
    while kills < 8:
        child = start(tmp_path)
        wanted = len(lines(ledger)) + chance.randint(0, 3)
        if not wait_for(ledger, wanted, child):
            break
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
        kills += 1
    last = start(tmp_path)
    out, err = last.communicate(timeout=60)

    assert out.split(maxsplit=2)[:2] == ["COMPLETED", str(sum(n * n + (n + 1) ** 2 for n in range(12)))], err
    assert out.split(maxsplit=2)[2].strip() == str(list(range(12)))
    written = Counter(line.split()[0] for line in lines(ledger))
    assert set(written) == {str(n) for n in range(12)}
    assert sum(written.values()) - 12 <= kills
    keys = {
        line.split()[0]: {other.split()[1] for other in lines(ledger) if other.split()[0] == line.split()[0]}
        for line in lines(ledger)
    }
    assert all(len(found) == 1 for found in keys.values()), "a repeated attempt has the same idempotency key"


def start(folder: Path, flow: str = "tests.acceptance.killed_flow") -> subprocess.Popen[str]:
    """One process that goes on with the run."""
    command = [sys.executable, "-m", flow, str(folder)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def lines(ledger: Path) -> list[str]:
    """What the steps have written so far."""
    return ledger.read_text(encoding="utf-8").splitlines() if ledger.exists() else []


def wait_for(ledger: Path, count: int, child: subprocess.Popen[str]) -> bool:
    """Until so many lines are there; False when the process ended by itself first."""
    deadline = time.monotonic() + 60
    while len(lines(ledger)) < count:
        if child.poll() is not None:
            child.communicate()
            return False
        assert time.monotonic() < deadline, "the process does nothing"
        time.sleep(0.001)
    return True
