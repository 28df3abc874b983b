"""Whole workflows on PostgreSQL: lost processes, killed processes, and the same results as everywhere."""

import os
import random
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.acceptance.test_kill import lines, start, wait_for
from tests.differential.running import by_engine, explained, prepared
from tests.support.differential import differences
from tests.support.postgres import database, emptied, needs_postgres, store

pytestmark = needs_postgres

FLOW = "tests.integration.postgres.killed_on_postgres"


@pytest.mark.parametrize("seed", [3, 11, 17])
def test_a_lost_process_changes_nothing(seed: int) -> None:
    """Lost after any commit and opened again: the same values, types and order, no committed call repeated."""
    for _, ready in prepared(range(seed, seed + 1)):
        world = seed * 1000 + 1
        expected = by_engine(ready, world)
        for number in range(1, expected.commits + 1):
            emptied()
            found = by_engine(ready, world, store, (number, True))
            told = differences(expected, found, repeats=False)
            assert not told, explained(ready, world, [f"lost after commit {number}", *told])
            assert not found.repeated


@pytest.mark.parametrize("seed", range(2))
def test_a_run_survives_being_killed_again_and_again(tmp_path: Path, seed: int) -> None:
    """However often its process is killed, the run ends with the result of an undisturbed one (S4-031)."""
    emptied()
    (tmp_path / "url.txt").write_text(database(), encoding="utf-8")
    chance = random.Random(seed)
    ledger = tmp_path / "ledger.txt"
    kills = 0
    while kills < 5:
        child = start(tmp_path, FLOW)
        wanted = len(lines(ledger)) + chance.randint(0, 3)
        if not wait_for(ledger, wanted, child):
            break
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
        kills += 1
    out, err = start(tmp_path, FLOW).communicate(timeout=60)

    assert out.split(maxsplit=2)[:2] == ["COMPLETED", str(sum(n * n + (n + 1) ** 2 for n in range(12)))], err
    assert out.split(maxsplit=2)[2].strip() == str(list(range(12)))
    written = Counter(line.split()[0] for line in lines(ledger))
    assert set(written) == {str(n) for n in range(12)}
    assert sum(written.values()) - 12 <= kills
