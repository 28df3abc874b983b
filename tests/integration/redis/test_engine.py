"""Whole workflows on Redis: every fault at every point, killed processes, and the same results as everywhere."""

import os
import random
import signal
from collections import Counter
from pathlib import Path

import pytest

from ruvon.providers import Clock, PersistenceProvider
from ruvon.testing import CrashExplorer
from tests.acceptance.test_kill import lines, start, wait_for
from tests.differential.running import by_engine, explained, prepared
from tests.simulation.cases import CASES, Case, scenario
from tests.support.differential import differences
from tests.support.redis import emptied, prefix, server, store

FLOW = "tests.integration.redis.killed_on_redis"
FEW = CASES[::6]
"""All of them run on memory and on files; on a server each jump of virtual time takes a moment of real time."""
_NEVER_S = 1e8


class RedisStores:
    """The store of a simulated world; what survives a death is what the server has."""

    async def open(self, clock: Clock, /) -> PersistenceProvider:
        """As the next life of the process finds it."""
        return store(clock=clock, lease_s=_NEVER_S, command_timeout_s=_NEVER_S)

    async def lose(self, lost: PersistenceProvider, chance: random.Random | None, /) -> None:
        """Commits are whole or not there, and holds end with the connection."""
        await lost.close()

    async def discard(self) -> None:
        """The run is over."""
        emptied()


@pytest.mark.campaign
@pytest.mark.parametrize("case", FEW, ids=lambda case: case.name)
def test_every_single_fault_on_redis(case: Case) -> None:
    """S2-032, S4-031: before and after every point, and a store that fails."""
    report = CrashExplorer(scenario(case, RedisStores)).explore()
    told = [f"{item.kind} [{item.schedule}] {'; '.join(item.where)}: {item.what}" for item in report.findings]

    assert report.runs > report.points
    assert report.ok, "\n".join(told)


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
    (tmp_path / "url.txt").write_text(f"{server()} {prefix()}", encoding="utf-8")
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
