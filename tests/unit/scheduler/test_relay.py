"""Events reach the publisher at least once, in order for each workflow."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from ruvon.providers import OutboxRecord, PersistenceError, Transition
from ruvon.scheduler import OutboxRelay
from tests.unit.scheduler.world import World, in_world


class Broker:
    """Keeps what it was given; fails where it is told to."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str, str]] = []
        self.tried: list[str] = []
        self.refuses: set[str] = set()

    async def publish(self, topic: str, payload: bytes, key: str, /) -> None:
        self.tried.append(payload.decode())
        await asyncio.sleep(0)
        if payload.decode() in self.refuses:
            raise ConnectionError("the broker is away")
        self.got.append((topic, payload.decode(), key))

    @property
    def payloads(self) -> list[str]:
        return [item[1] for item in self.got]


async def _publish(world: World, *texts: str) -> Any:
    """Events of one new workflow."""
    handle = await world.builder.create_workflow("Daily", {})
    row = await world.store.load_instance(handle._record.workflow_id)
    events = tuple(
        OutboxRecord("t", text.encode(), workflow_id=row.workflow_id, key=f"step#{place}")
        for place, text in enumerate(texts)
    )
    transition = Transition(
        row.workflow_id, row.key, row.revision, row.revision + 1, b"t", row.status, row.position, row.current_step, 1, [], 0,
        outbox=events,
    )  # fmt: skip
    await world.store.commit(transition)
    return row.workflow_id


def _relay(world: World, broker: Broker, **options: Any) -> OutboxRelay:
    return OutboxRelay(world.store, broker, clock=world.clock, **options)


def test_events_of_steps_are_delivered_and_deleted() -> None:
    """In order, with a key that is the same each time; the scheduler does it beside everything else."""

    async def scenario(world: World) -> None:
        broker = Broker()
        await world.builder.schedules.add("telling", "Telling", {"name": "hi"}, cron="0 3 * * *")
        async with world.scheduling(publisher=broker):
            await world.until(2026, 1, 2)
        (run,) = await world.runs()
        assert broker.got == [
            ("told", '{"text":"hi"}', f"{run.workflow_id}/tell"),
            ("told", '{"text":"hi again"}', f"{run.workflow_id}/tell#1"),
        ]
        assert list(await world.store.read_outbox()) == []

    in_world(scenario)


def test_without_a_publisher_events_stay() -> None:
    """Nothing is thrown away."""

    async def scenario(world: World) -> None:
        await world.builder.schedules.add("telling", "Telling", cron="0 3 * * *")
        async with world.scheduling():
            await world.until(2026, 1, 2)
        assert len(await world.store.read_outbox()) == 2

    in_world(scenario)


def test_an_event_that_fails_holds_back_those_behind_it() -> None:
    """Of its own workflow, and of no other; it is tried again later and later."""

    async def scenario(world: World) -> None:
        broker = Broker()
        await _publish(world, "a1", "a2", "a3")
        await _publish(world, "b1", "b2")
        broker.refuses = {"a2"}
        relay = _relay(world, broker)
        assert await relay.relay() == 3
        assert (broker.payloads[:1], sorted(broker.payloads)) == (["a1"], ["a1", "b1", "b2"])
        assert await relay.relay() == 0
        assert broker.tried.count("a2") == 1
        await world.clock.sleep_us(1_000_001)
        await relay.relay()
        assert broker.tried.count("a2") == 2
        broker.refuses = set()
        await world.clock.sleep_us(2_000_001)
        await relay.relay()
        assert broker.payloads[-2:] == ["a2", "a3"]

    in_world(scenario)


def test_a_poison_event_is_set_aside(caplog: pytest.LogCaptureFixture) -> None:
    """After so many failures the others of its workflow go on; it stays in the store, and the log says so."""

    async def scenario(world: World) -> None:
        broker = Broker()
        broker.refuses = {"a1"}
        await _publish(world, "a1", "a2")
        relay = _relay(world, broker, max_attempts=4)
        async with asyncio.TaskGroup() as group:
            group.create_task(relay.run())
            await world.clock.sleep_us(3_600_000_000)
            relay.stop()
        assert broker.tried.count("a1") == 4
        assert broker.payloads == ["a2"]
        assert [event.payload for event in relay.parked] == [b"a1"]
        assert [event.payload for event in await world.store.read_outbox()] == [b"a1"]

        broker.refuses = set()
        await _relay(world, broker).relay()
        assert broker.payloads == ["a2", "a1"]

    in_world(scenario)
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]
    assert "failed 4 times and is set aside" in caplog.records[1].getMessage()


def test_many_events_in_pages() -> None:
    """More than one reading gives, in order for each workflow, with poison in front."""

    async def scenario(world: World) -> None:
        broker = Broker()
        broker.refuses = {"bad"}
        await _publish(world, "bad", "never")
        ids = [await _publish(world, *(f"{number}.{place}" for place in range(30))) for number in range(10)]
        assert await _relay(world, broker).relay() == 300
        for number, workflow_id in enumerate(ids):
            mine = [item[1] for item in broker.got if item[2].startswith(f"{workflow_id}/")]
            assert mine == [f"{number}.{place}" for place in range(30)]
        assert len(await world.store.read_outbox()) == 2

    in_world(scenario)


def test_what_was_delivered_and_not_deleted_is_delivered_again() -> None:
    """At least once: the key is the same."""

    async def scenario(world: World) -> None:
        broker = Broker()
        await _publish(world, "a1", "a2")
        inner = world.store.delete_outbox

        async def failing(ids: Any) -> None:
            world.store.delete_outbox = inner
            raise PersistenceError("the disk is full")

        world.store.delete_outbox = failing
        relay = _relay(world, broker, poll=timedelta(seconds=1))
        async with asyncio.TaskGroup() as group:
            group.create_task(relay.run())
            await world.clock.sleep_us(5_000_000)
            relay.stop()
        assert broker.payloads == ["a1", "a2", "a1", "a2"]
        assert len({item[2] for item in broker.got}) == 2
        assert list(await world.store.read_outbox()) == []

    in_world(scenario)


def test_a_slow_broker_gets_so_many_at_a_time() -> None:
    """Workflows side by side up to the bound, each one's events one by one."""

    async def scenario(world: World) -> None:
        now = most = 0

        class Slow:
            async def publish(self, topic: str, payload: bytes, key: str, /) -> None:
                nonlocal now, most
                now += 1
                most = max(most, now)
                await world.clock.sleep_us(1_000_000)
                now -= 1

        for _ in range(9):
            await _publish(world, "x", "y")
        before = world.clock.now_us()
        await OutboxRelay(world.store, Slow(), clock=world.clock, concurrency=3).relay()
        assert most == 3
        assert round((world.clock.now_us() - before) / 1_000_000) == 6

    in_world(scenario)


def test_a_relay_is_woken() -> None:
    """Without waiting for the poll."""

    async def scenario(world: World) -> None:
        broker = Broker()
        relay = _relay(world, broker, poll=timedelta(days=1))
        async with asyncio.TaskGroup() as group:
            group.create_task(relay.run())
            await world.clock.sleep_us(1_000_000)
            await _publish(world, "a")
            relay.wake()
            await world.clock.sleep_us(1_000_000)
            relay.stop()
        assert broker.payloads == ["a"]

    in_world(scenario)
