"""Law 1: for generated programs in generated worlds the engine does what CPython does."""

import pytest

from tests.differential.running import WORLDS, by_engine, by_local, explained, prepared, sqlite
from tests.support.cases import CAMPAIGN
from tests.support.differential import differences

CHUNK = 10
PROGRAMS = max(CAMPAIGN // WORLDS, CHUNK)


@pytest.mark.campaign
@pytest.mark.parametrize("first", range(0, PROGRAMS, CHUNK))
def test_engine_and_cpython_agree(first: int) -> None:
    """Same end, state, result, error, calls in each sequence and compensations, on memory, and every other world on SQLite."""
    ran = 0
    for seed, ready in prepared(range(first, first + CHUNK)):
        for number in range(WORLDS):
            world = seed * 1000 + number
            expected = by_local(ready, world)
            for store in (None, sqlite) if number % 2 == 0 else (None,):
                found = differences(expected, by_engine(ready, world, store))
                assert not found, explained(ready, world, found)
            ran += 1
    assert ran > CHUNK * WORLDS // 2
