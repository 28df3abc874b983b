"""Reading an instance is two reads, of its row and of its log; whoever drives it may commit in between."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.providers import InstanceRecord, LogEntry, LogIncompleteError
from tests.support import torn_flows as flows
from tests.support.engine_world import CountedIds, JumpingClock
from tests.support.torn_flows import Count, Press


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Each store."""
    if request.param == "memory":
        return MemoryPersistenceProvider()
    return SQLitePersistenceProvider(tmp_path / "torn.db", durability="OFF")


def make_builder(store: Any) -> WorkflowBuilder:
    made = WorkflowBuilder(
        persistence_provider=store, clock=JumpingClock(), ids=CountedIds(), plugins=False, import_roots=["tests"]
    )
    made.register(flows.counting, flows.bounded)
    return made


class Between:
    """A store in which a driver goes on right behind the first read of a row."""

    def __init__(self, inner: Any, driver: Any, presses: int) -> None:
        self._inner = inner
        self._driver = driver
        self._left = presses

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def load_instance(self, workflow_id: UUID, /) -> InstanceRecord:
        """The row, which is old as soon as it is given."""
        found: InstanceRecord = await self._inner.load_instance(workflow_id)
        presses, self._left = self._left, 0
        for _ in range(presses):
            await self._driver.signal(Press())
        return found


class Gap:
    """A store that has lost one entry of its log."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def read_log(self, workflow_id: UUID, /, **how: Any) -> Sequence[LogEntry]:
        """All but the second entry."""
        return [item for item in await self._inner.read_log(workflow_id, **how) if item.seq != 2]


async def read_between(store: Any, name: str, before: int, between: int) -> Any:
    """What a reader sees while the driver takes messages between its two reads."""
    builder = make_builder(store)
    await builder.initialize()
    driver = await builder.create_workflow(name, Count())
    await driver.run()
    for _ in range(before):
        await driver.signal(Press())
    try:
        return await make_builder(Between(store, driver, between)).load_workflow(driver.id)
    finally:
        await builder.close()


def test_a_reader_sees_the_state_of_the_row_it_read(store: Any) -> None:
    """What was committed since the row was read belongs to a later moment, so it is left out whole."""
    seen = asyncio.run(read_between(store, "Counting", 3, 2))

    assert (seen.state.presses, seen.state.doubled) == (3, 6)


def test_a_reader_whose_log_was_cut_meanwhile_reads_again(store: Any) -> None:
    """With `history=` the entries behind an old row may be gone; the reader then sees the newer row, and nothing between."""
    seen = asyncio.run(read_between(store, "Bounded", 3, 12))

    assert (seen.state.presses, seen.state.doubled) == (15, 30)


def test_a_log_with_a_gap_is_refused(store: Any) -> None:
    """A state that cannot be put together is an error that names the entry, never another state."""

    async def scenario() -> None:
        builder = make_builder(store)
        await builder.initialize()
        try:
            driver = await builder.create_workflow("Counting", Count())
            await driver.run()
            await driver.signal(Press())
            with pytest.raises(LogIncompleteError, match="entry 2"):
                await make_builder(Gap(store)).load_workflow(driver.id)
        finally:
            await builder.close()

    asyncio.run(scenario())
