"""Real processes killed between the statements of a step: every row is there once, and no half of a pair."""

import os
import random
import signal
from pathlib import Path

import pytest

from tests.acceptance.test_kill import lines, start, wait_for

FLOW = "tests.acceptance.booking_flow"


@pytest.mark.parametrize("seed", range(2))
def test_rows_are_exactly_once_however_often_it_is_killed(tmp_path: Path, seed: int) -> None:
    """The body runs again; what it wrote before was never there."""
    chance = random.Random(seed)
    ledger = tmp_path / "ledger.txt"
    kills = 0
    while kills < 6:
        child = start(tmp_path, FLOW)
        wanted = len(lines(ledger)) + chance.randint(1, 3)
        if not wait_for(ledger, wanted, child):
            break
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
        kills += 1
    out, err = start(tmp_path, FLOW).communicate(timeout=60)

    pairs = [(number, part) for number in range(12) for part in ("first", "second")]
    assert out.strip() == f"COMPLETED {pairs}", err
    assert kills
    assert len(lines(ledger)) >= 12
