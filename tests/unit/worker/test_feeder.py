"""The feeder sends what has no message, and nothing else."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from ruvon.builder import WorkflowBuilder
from ruvon.implementations.execution._threads import WorkerServed
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.providers import QueueLimits, TaskFilter, TaskKind, TaskRecord, Transition
from ruvon.testing.contracts._flows import execution_effects
from ruvon.worker import Feeder
from tests.support.engine_world import JumpingClock


class Told(WorkerServed):
    """Writes down which tasks it was told of."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    async def tasks_added(self, tasks: Sequence[TaskRecord], /) -> None:
        self.told += [task.task_id for task in tasks]


class World:
    """A task that is in the queue, a feeder, and a broker that says how many messages it has."""

    def __init__(self) -> None:
        self.clock = JumpingClock()
        self.depth = 0
        self.execution = Told()
        self.builder = WorkflowBuilder(
            persistence_provider=MemoryPersistenceProvider(self.clock),
            execution_provider=self.execution,
            clock=self.clock,
            import_roots=["tests"],
            plugins=False,
        )
        self.builder.register(execution_effects)
        self.feeder = Feeder(self.builder, depth=self.messages, patience=timedelta(seconds=5))

    def messages(self) -> int:
        return self.depth

    async def begin(self) -> str:
        run = await self.builder.create_workflow("ExecutionEffects")
        await run.run()
        (task,) = self.execution.told
        self.execution.told.clear()
        return task

    async def after(self, seconds: float) -> list[str]:
        """What is sent by a look after so long."""
        self.clock.advance(int(seconds * 1_000_000))
        self.execution.told.clear()
        await self.feeder.feed()
        return list(self.execution.told)


def play(scene: Any) -> None:
    asyncio.run(scene(World()))


def test_a_task_is_sent_again_when_it_waits_for_long_and_no_message_is_there() -> None:
    """And again only after as long."""

    async def scene(world: World) -> None:
        task = await world.begin()
        sent = [await world.after(seconds) for seconds in (0, 4, 1, 4, 1)]
        assert sent == [[], [], [task], [], [task]]

    play(scene)


def test_a_task_is_not_taken_for_lost_while_messages_wait() -> None:
    """The workers are behind, the broker has lost nothing."""

    async def scene(world: World) -> None:
        task = await world.begin()
        world.depth = 1
        assert [await world.after(seconds) for seconds in (0, 60)] == [[], []]
        world.depth = 0
        assert await world.after(0) == [task]

    play(scene)


def test_a_task_whose_worker_died_is_sent_at_once() -> None:
    """When its lease has run out."""

    async def scene(world: World) -> None:
        task = await world.begin()
        now = world.clock.now_us()
        await world.builder.persistence.claim_task(task, "w", lease_us=10_000_000, now_us=now)
        assert [await world.after(seconds) for seconds in (0, 9, 2)] == [[], [], [task]]

    play(scene)


def test_what_a_limit_holds_back_is_sent_when_it_may_begin_and_hides_nothing() -> None:
    """A paused queue with thousands of urgent tasks: no message for them, and none is missing for another queue."""

    async def scene(world: World) -> None:
        task = await world.begin()
        store = world.builder.persistence
        (found,) = await store.find_tasks(TaskFilter())
        paused = [
            TaskRecord(f"p{number}", found.workflow_id, TaskKind.STEP, "", "paused", priority=9)
            for number in range(1_500)
        ]
        beside = Transition(found.workflow_id, 0, -1, 0, b"", "ACTIVE", b"", None, 1, [], 0, tasks=tuple(paused))
        await store.commit(beside)
        await store.put_limits(QueueLimits(queue="paused", concurrency=0))
        assert [await world.after(seconds) for seconds in (0, 6)] == [[], [task]]
        await store.remove_limits("paused")
        assert len(await world.after(1)) == 1_000

    play(scene)


def test_a_broker_that_cannot_be_asked_ends_nothing() -> None:
    """It is asked again."""

    async def scene(world: World) -> None:
        task = await world.begin()
        world.feeder._depth = lambda: 1 // 0
        assert [await world.after(seconds) for seconds in (0, 6)] == [[], []]
        world.feeder._depth = world.messages
        assert await world.after(0) == [task]

    play(scene)
