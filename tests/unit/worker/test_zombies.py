"""Heartbeats from a thread, and the scanner that misses them."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from ruvon.builder import WorkflowBuilder
from ruvon.heartbeat import HeartbeatManager
from ruvon.implementations.execution.queued import QueuedExecutionProvider
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.models import WorkflowStatus
from ruvon.providers import TaskFilter
from ruvon.worker import Worker
from ruvon.zombie_scanner import ZombieScanner
from tests.support import queued_flows as flows
from tests.support.engine_world import JumpingClock
from tests.support.workers import working

Make = Callable[..., WorkflowBuilder]


async def opened(queued: Make, path: Path) -> WorkflowBuilder:
    """A builder on a file."""
    builder = queued(persistence_provider=SQLitePersistenceProvider(path / "z.db"))
    await builder.initialize()
    return builder


def test_a_step_that_blocks_the_loop_still_beats(queued: Make, tmp_path: Path) -> None:
    """S3-034, S3-036, S3-037: heartbeats come from a thread; a blocked loop is no zombie, and the end leaves nothing."""

    async def scenario() -> None:
        builder = await opened(queued, tmp_path)
        store = builder.persistence
        workflow = await builder.create_workflow("QHold", {})
        async with HeartbeatManager(store, workflow.id, "host-1", interval_seconds=0.05) as heartbeat:
            heartbeat.progress(pages=12)
            time.sleep(2.0)  # noqa: ASYNC251 - this is what it is about
            assert await store.scan_stale_heartbeats(1.5) == []
            (row,) = await store.scan_stale_heartbeats(-60)
            assert (row["worker_id"], row["metadata"]) in [("host-1", {"pages": 12}), ("host-1", '{"pages":12}')]
        assert await store.scan_stale_heartbeats(-60) == []
        await builder.close()

    asyncio.run(scenario())


def test_a_body_that_blocks_the_loop_keeps_its_lease(queued: Make, tmp_path: Path) -> None:
    """S3-037: the pulse of a worker is a thread of its own, so nobody else takes the task of a blocked worker."""

    async def scenario() -> None:
        builder = await opened(queued, tmp_path)
        store = builder.persistence
        workflow = await builder.create_workflow("QHold", {})
        await workflow.run()
        async with working(builder, lease=timedelta(seconds=3)) as worker:
            while not flows.SEEN:  # noqa: ASYNC110 - the body tells no more than that
                await asyncio.sleep(0.01)
            time.sleep(4.0)  # noqa: ASYNC251 - this is what it is about
            assert await store.reap_tasks(builder.clock.now_us()) == []
            flows.gate("a").set()
            while worker.running:  # noqa: ASYNC110 - it ends by itself
                await asyncio.sleep(0.01)
        await workflow.refresh()
        assert (workflow.result, flows.SEEN) == ("a", ["begin a", "end a"])
        await builder.close()

    asyncio.run(scenario())


def test_what_a_body_tells_is_stored_soon(queued: Make, tmp_path: Path) -> None:
    """Long before the next sign of life of the worker, which comes every 20 minutes here."""

    async def scenario() -> None:
        builder = await opened(queued, tmp_path)
        workflow = await builder.create_workflow("QTells", {})
        await workflow.run()
        async with working(builder, lease=timedelta(hours=1)) as worker:
            for _ in range(4_000):
                (task,) = await builder.persistence.find_tasks(TaskFilter())
                if task.progress is not None:
                    break
                await asyncio.sleep(0.005)
            assert task.progress == b'{"page":12}'
            flows.gate("told").set()
            while worker.running:  # noqa: ASYNC110 - it ends by itself
                await asyncio.sleep(0.01)
        await builder.close()

    asyncio.run(scenario())


def test_a_stale_heartbeat_hands_its_workflow_over(queued: Make) -> None:
    """S3-033, S3-035: the scanner drives what a silent process left, unless somebody holds it; then the row is gone."""

    async def scenario() -> None:
        builder = queued()
        store: Any = builder.persistence
        workflow = await builder.create_workflow("QWants", {})
        await store.heartbeat_update(workflow.id, "gone", "wants", {})
        scanner = ZombieScanner(builder, threshold=timedelta(seconds=-1))

        (found,) = await scanner.scan()
        assert (found.outcome, found.worker_id, found.step, found.task_id) == ("found", "gone", "wants", None)
        hold = await store.hold(UUID(workflow.id))
        (busy,) = await scanner.scan(fix=True)
        assert busy.outcome == "busy"
        await hold.release()
        (driven,) = await scanner.scan(fix=True)
        assert driven.outcome == "driven"
        assert await scanner.scan() == []
        await workflow.refresh()
        assert workflow.status is WorkflowStatus.WAITING_HUMAN_INPUT

    asyncio.run(scenario())


def test_an_expired_lease_is_queued_again_within_the_crash_budget(queued: Make) -> None:
    """S3-033: found first, then requeued; after the last death that the budget allows a dead letter, and the run fails."""

    async def scenario() -> None:
        builder = queued(crash_budget=2)
        store: Any = builder.persistence
        workflow = await builder.create_workflow("QHold", {})
        await workflow.run()
        scanner = ZombieScanner(builder)
        outcomes: list[str] = []
        for _ in range(2):
            await store.claim_tasks("dead", lease_us=0, now_us=builder.clock.now_us())
            (found,) = await scanner.scan()
            (mended,) = await scanner.scan(fix=True)
            outcomes += [found.outcome, mended.outcome]
        assert outcomes == ["found", "requeued", "found", "dead"]
        await workflow.refresh()
        assert workflow.status is WorkflowStatus.FAILED_WORKER_CRASH
        assert [task.status for task in await store.find_tasks(TaskFilter())] == ["dead"]

    asyncio.run(scenario())


def test_the_daemon_scans_until_it_is_stopped(queued: Make) -> None:
    """What it mends is told."""

    async def scenario() -> None:
        builder = queued()
        store: Any = builder.persistence
        workflow = await builder.create_workflow("QHold", {})
        await workflow.run()
        await store.claim_tasks("dead", lease_us=0, now_us=builder.clock.now_us())
        told: list[str] = []
        scanner = ZombieScanner(builder, interval=timedelta(milliseconds=5))

        def tell(found: Any) -> None:
            told.extend(item.outcome for item in found)
            scanner.stop()

        await asyncio.wait_for(scanner.run(tell), 20)
        assert told == ["requeued"]

    asyncio.run(scenario())


def test_with_default_settings_a_death_is_noticed_within_a_minute() -> None:
    """S3-035: the lease, a third of it between two looks, and the poll: less than 60 seconds on the workers' clock."""

    async def scenario() -> int:
        clock = JumpingClock()
        builder = WorkflowBuilder(
            execution_provider=QueuedExecutionProvider(), clock=clock, plugins=False, import_roots=["tests"]
        )
        builder.register(*flows.WORKFLOWS)
        flows.gate("a").set()
        workflow = await builder.create_workflow("QHold", {})
        await workflow.run()
        died = clock.now_us()
        assert await builder.persistence.claim_tasks("dying", lease_us=30_000_000, now_us=died)
        worker = Worker(builder)
        serving = asyncio.create_task(worker.run())
        while not flows.SEEN:  # noqa: ASYNC110 - the body tells no more than that
            await asyncio.sleep(0)
        noticed = clock.now_us()
        worker.stop()
        await serving
        return noticed - died

    flows.SEEN.clear()
    flows.GATE.clear()
    assert 30_000_000 <= asyncio.run(scenario()) <= 60_000_000


def test_signs_of_life_cost_two_writes_in_ten_seconds() -> None:
    """S3-039: one for the worker, one for all its leases together, however many tasks it runs; none for each task."""

    async def scenario() -> dict[str, int]:
        clock = JumpingClock()
        builder = WorkflowBuilder(
            execution_provider=QueuedExecutionProvider(), clock=clock, plugins=False, import_roots=["tests"]
        )
        builder.register(*flows.WORKFLOWS)
        store: Any = builder.persistence
        for _ in range(4):
            await (await builder.create_workflow("QHold", {})).run()
        counts = {"put_worker": 0, "extend_leases": 0, "heartbeat_update": 0}
        for name in counts:
            setattr(store, name, _counted(counts, name, getattr(store, name)))
        worker = Worker(builder, schedules=False)
        serving = asyncio.create_task(worker.run())
        while len(flows.SEEN) < 4:  # noqa: ASYNC110 - the bodies tell no more than that
            await asyncio.sleep(0)
        begun = clock.now_us()
        while clock.now_us() < begun + 60_000_000:  # noqa: ASYNC110 - the clock jumps by itself
            await asyncio.sleep(0)
        found = dict(counts)
        flows.gate("a").set()
        worker.stop()
        await serving
        return found

    flows.SEEN.clear()
    flows.GATE.clear()
    found = asyncio.run(scenario())
    assert found["heartbeat_update"] == 0
    assert found["put_worker"] in (6, 7, 8)
    assert found["extend_leases"] in (5, 6, 7)


def _counted(counts: dict[str, int], name: str, inner: Any) -> Any:
    async def call(*args: Any, **options: Any) -> Any:
        counts[name] += 1
        return await inner(*args, **options)

    return call
