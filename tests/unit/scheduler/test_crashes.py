"""A scheduler that dies between any two writes: no planned run is lost, and none is started twice."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.models import WorkflowStatus
from ruvon.testing import VirtualLoop, run_virtual
from tests.unit.scheduler import flows
from tests.unit.scheduler.world import World, at

WRITES = (
    "commit",
    "advance_schedule",
    "put_schedule",
    "delete_schedule",
    "append_inbox",
    "delete_outbox",
    "purge_ended",
)


class Death(BaseException):
    """The process is gone."""


class DyingStore:
    """A store whose process dies at one of its writes: before it is written, or before anybody hears of it."""

    def __init__(self, inner: Any, dies_at: int, *, after: bool) -> None:
        self.inner, self.dies_at, self.after = inner, dies_at, after
        self.writes = 0
        self.dead = False

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if name not in WRITES:
            return found

        async def write(*args: Any, **options: Any) -> Any:
            if self.dead:
                raise Death
            self.writes += 1
            if self.writes == self.dies_at and not self.after:
                self.dead = True
                raise Death
            answer = await found(*args, **options)
            if self.writes == self.dies_at and self.after:
                self.dead = True
                raise Death
            return answer

        return write


class Broker:
    """Keeps what arrived."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    async def publish(self, topic: str, payload: bytes, key: str, /) -> None:
        self.keys.append(key)


async def _live(world: World, broker: Broker, *until: int) -> bool:
    """One life of the process, until a moment or its death; whether it survived."""

    async def work() -> None:
        async with world.scheduling(poll=timedelta(minutes=10), publisher=broker, sync=True):
            await world.until(*until)

    lives = True
    try:
        await work()
    except* Death:
        lives = False
    return lives


async def _scenario(loop: VirtualLoop, dies_at: int, after: bool, overlap: str) -> int:
    """A day of two schedules, the first process dying at a write; how many writes there were."""
    flows.DONE.clear()
    broker = Broker()
    first = World(loop)
    inner = MemoryPersistenceProvider(first.clock)
    dying = DyingStore(inner, dies_at, after=after)
    await World(loop, store=inner).builder.schedules.add(
        "long", "Long", {"hours": 5, "name": "long"}, cron="0 */8 * * *", overlap=overlap, catch_up=2
    )
    await World(loop, store=inner).builder.schedules.add("telling", "Telling", cron="30 */12 * * *")
    if not await _live(World(loop, store=dying), broker, 2026, 1, 2, 4):
        inner._holds.clear()
        assert await _live(World(loop, store=inner), broker, 2026, 1, 2, 4)

    rows = await World(loop, store=inner).runs()
    long = [row.scheduled_for_us for row in rows if row.workflow_type == "Long"]
    assert long == [at(2026, 1, 1, 8) + place * 8 * 3_600_000_000 for place in range(3)]
    assert [row.scheduled_for_us for row in rows if row.workflow_type == "Telling"] == [
        at(2026, 1, 1, 0, 30) + place * 12 * 3_600_000_000 for place in range(3)
    ]
    ended = [row for row in rows if row.scheduled_for_us <= at(2026, 1, 1, 16)]
    assert {row.status for row in ended} == {WorkflowStatus.COMPLETED}
    assert [row.workflow_id for row in rows if not WorkflowStatus(row.status).is_terminal] == [
        row.workflow_id for row in rows if row.scheduled_for_us == at(2026, 1, 2)
    ]
    for row in rows:
        if row.workflow_type == "Telling":
            assert {f"{row.workflow_id}/tell", f"{row.workflow_id}/tell#1"} <= set(broker.keys)
    assert list(await inner.read_outbox()) == []
    assert len({key for _, _, key in flows.DONE}) == 5  # two steps of each long run, but for the last one's second
    return dying.writes


@pytest.mark.parametrize("overlap", ["skip", "allow"])
def test_a_death_at_every_write(overlap: str) -> None:
    """Before and after each write of the first process; the second one brings everything to the same end."""
    writes = run_virtual(lambda loop: _scenario(loop, 0, False, overlap))
    assert writes > 15
    for dies_at in range(1, writes + 1):
        for after in (False, True):
            run_virtual(lambda loop, at=dies_at, after=after: _scenario(loop, at, after, overlap))


def test_two_processes_of_which_one_dies() -> None:
    """The survivor goes on with what the dead one had begun, without being started anew."""

    async def scenario(loop: VirtualLoop) -> None:
        flows.DONE.clear()
        inner = MemoryPersistenceProvider(World(loop).clock)
        survivor = World(loop, store=inner)
        await survivor.builder.schedules.add("daily", "Daily", cron="0 3 * * *")
        await survivor.builder.schedules.add("long", "Long", {"hours": 1}, cron="0 3 * * *")
        for dies_at in range(1, 12):
            day = dies_at
            dying = World(loop, store=DyingStore(inner, dies_at, after=False))
            async with survivor.scheduling(poll=timedelta(minutes=5)):
                if not await _live(dying, Broker(), 2026, 1, day, 3, 30):
                    inner._holds.clear()
                await survivor.until(2026, 1, day, 20)
            rows = [row for row in await survivor.runs() if row.scheduled_for_us == at(2026, 1, day, 3)]
            assert [row.status for row in rows] == [WorkflowStatus.COMPLETED] * 2
        assert len({key for _, _, key in flows.DONE}) == 33

    run_virtual(scenario)


def test_the_clock_goes_wrong() -> None:
    """Forward by a day and back again: runs of that day start early, and nothing starts twice."""

    async def scenario(loop: VirtualLoop) -> None:
        flows.DONE.clear()
        world = World(loop)
        await world.builder.schedules.add("daily", "Daily", cron="0 3 * * *")
        async with world.scheduling(poll=timedelta(minutes=5)):
            await asyncio.sleep(3600)
            world.clock.set_wrong_by(86_400_000_000)
            await asyncio.sleep(3 * 3600)
            world.clock.set_wrong_by(0)
            await asyncio.sleep(5 * 86_400)
        moments = [item[1] for item in flows.DONE]
        assert moments == [datetime(2026, 1, day, 3, tzinfo=UTC) for day in (1, 2, 3, 4, 5, 6)]

    run_virtual(scenario)
