"""Laws 1 and 4: a process that is lost at any commit changes nothing, and what was committed is not called again."""

from pathlib import Path

import pytest

from tests.differential.running import Ready, by_engine, explained, file_store, prepared
from tests.support.cases import CAMPAIGN
from tests.support.differential import Outcome, differences
from tests.support.differential_engine import memory

CHUNK = 4
PROGRAMS = max(CAMPAIGN // 10, CHUNK)


def _agree(ready: Ready, world: int, expected: Outcome, found: Outcome, lose: tuple[int, bool]) -> None:
    told = differences(expected, found, repeats=not lose[1])
    assert not told, explained(ready, world, [f"lost at commit {lose}", *told])
    assert not found.repeated, explained(ready, world, [f"lost at commit {lose}", f"called again: {found.repeated}"])


@pytest.mark.campaign
@pytest.mark.parametrize("first", range(0, PROGRAMS, CHUNK))
def test_a_lost_process_changes_nothing(first: int) -> None:
    """Lost before or after every commit, on memory: the same values, types and order, no committed call repeated."""
    for seed, ready in prepared(range(first, first + CHUNK)):
        world = seed * 1000
        expected = by_engine(ready, world)
        for number in range(1, expected.commits + 1):
            for after in (True,) if expected.late else (False, True):
                found = by_engine(ready, world, memory(), (number, after))
                _agree(ready, world, expected, found, (number, after))


@pytest.mark.campaign
@pytest.mark.parametrize("first", range(0, PROGRAMS // 2, CHUNK))
def test_a_lost_process_changes_nothing_on_a_file(first: int, tmp_path: Path) -> None:
    """The same on a SQLite file that is opened again."""
    for seed, ready in prepared(range(first, first + CHUNK)):
        world = seed * 1000 + 1
        expected = by_engine(ready, world)
        for number in range(1, expected.commits + 1):
            store = file_store(tmp_path / f"{seed}-{number}.db")
            found = by_engine(ready, world, store, (number, True))
            _agree(ready, world, expected, found, (number, True))
