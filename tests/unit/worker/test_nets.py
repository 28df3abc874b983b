"""The net under a drive: what an application or a scheduler drives is gone on with by a worker, and only when it must be."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.engine import is_net
from ruvon.engine._net import beside
from ruvon.implementations.execution.sync import SyncExecutionProvider
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.models import WorkflowStatus
from ruvon.providers import TaskFilter, TaskRecord
from tests.support import queued_flows as flows
from tests.support.workers import until, working

Make = Callable[..., WorkflowBuilder]


async def nets(builder: WorkflowBuilder) -> list[TaskRecord]:
    """Those in the queue."""
    return [task for task in await builder.persistence.find_tasks(TaskFilter(), limit=1_000) if is_net(task)]


async def begun(builder: WorkflowBuilder) -> tuple[Any, asyncio.Task[None]]:
    """A workflow whose body runs in the application, and its drive."""
    workflow = await builder.create_workflow("Kept", {})
    drive = asyncio.create_task(workflow.run())
    while not flows.SEEN:  # noqa: ASYNC110 - the body tells no more than that
        await asyncio.sleep(0.005)
    return workflow, drive


def test_a_drive_of_an_application_has_a_net_while_it_lasts(queued: Make) -> None:
    """It is due a lease after the drive began, and gone when the drive ends."""

    async def scenario() -> None:
        builder = queued()
        _, drive = await begun(builder)
        (net,) = await nets(builder)
        assert (net.kind, net.queue, net.status) == ("wake", "default", "pending")
        assert net.available_us > builder.clock.now_us() + 20_000_000
        flows.gate("kept").set()
        await drive
        assert await builder.persistence.find_tasks(TaskFilter()) == []

    asyncio.run(scenario())


def test_what_an_application_ends_wakes_no_worker(queued: Make) -> None:
    """The task with which it was to begin in the background goes with the last commit."""

    async def scenario() -> None:
        builder = queued()
        workflow = await builder.create_workflow("Kept", {}, background=True)
        (wake,) = await builder.persistence.find_tasks(TaskFilter())
        assert (wake.kind, wake.workflow_id, wake.status) == ("wake", UUID(workflow.id), "pending")
        flows.gate("kept").set()
        await workflow.run()
        assert workflow.status is WorkflowStatus.COMPLETED
        assert await builder.persistence.find_tasks(TaskFilter()) == []

    asyncio.run(scenario())


def test_there_is_none_where_no_worker_serves_the_store_or_the_caller_leads(queued: Make) -> None:
    """A run that goes on by step goes on when its caller says so."""

    async def scenario(builder: WorkflowBuilder, how: str) -> None:
        workflow = await builder.create_workflow("Kept", {})
        drive = asyncio.create_task(getattr(workflow, how)())
        while not flows.SEEN:  # noqa: ASYNC110 - the body tells no more than that
            await asyncio.sleep(0.005)
        assert await nets(builder) == []
        flows.gate("kept").set()
        await drive

    asyncio.run(scenario(queued(), "next_step"))
    flows.SEEN.clear()
    flows.GATE.clear()
    inline = WorkflowBuilder(execution_provider=SyncExecutionProvider(), plugins=False, import_roots=["tests"])
    inline.register(*flows.WORKFLOWS)
    asyncio.run(scenario(inline, "run"))


def test_a_worker_leaves_a_living_drive_alone_and_looks_again(queued: Make) -> None:
    """The hold of the driver is the sign that it lives: the body runs once, however often the worker looks."""

    async def scenario() -> None:
        builder = queued()
        builder.engine().takeover_us = 10_000
        workflow, drive = await begun(builder)
        (first,) = await nets(builder)
        async with working(builder, lease=timedelta(milliseconds=30)):
            while (await nets(builder))[0].lease_epoch < 3:  # noqa: ASYNC110 - the worker looks in its own time
                await asyncio.sleep(0.005)
            (later,) = await nets(builder)
            assert later.task_id == first.task_id
            flows.gate("kept").set()
            await drive
            await until(workflow)
        assert await builder.persistence.find_tasks(TaskFilter()) == []
        assert flows.SEEN == ["begin kept", "end kept"]

    asyncio.run(scenario())


def test_one_task_of_a_worker_is_enough_to_look_after_an_instance_that_another_process_drives(queued: Make) -> None:
    """Each wake finds the instance held; the first one stays for a lease later, the others go."""

    async def scenario() -> None:
        builder = queued()
        workflow, drive = await begun(builder)
        wakes = [
            replace(task, task_id=f"wake{number}", available_us=0)
            for task in await nets(builder)
            for number in range(6)
        ]
        await builder.persistence.commit(beside(wakes[0].workflow_id, builder.clock.now_us(), tasks=tuple(wakes)))
        async with working(builder, lease=timedelta(seconds=60)):
            while len(left := await builder.persistence.find_tasks(TaskFilter())) > 2:  # noqa: ASYNC110 - it looks in its time
                await asyncio.sleep(0.005)
            assert sum(is_net(task) for task in left) == 1
            assert all(task.available_us > builder.clock.now_us() + 20_000_000 for task in left)
            flows.gate("kept").set()
            await drive

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_drive_that_was_given_up_is_gone_on_with(queued: Make, tmp_path: Path, kind: str) -> None:
    """The caller is cancelled in the middle; a worker drives the workflow to its end, and no task is left."""

    async def scenario() -> None:
        builder = (
            queued(persistence_provider=SQLitePersistenceProvider(tmp_path / "n.db")) if kind == "sqlite" else queued()
        )
        await builder.initialize()
        builder.engine().takeover_us = 10_000
        workflow, drive = await begun(builder)
        drive.cancel()
        await asyncio.gather(drive, return_exceptions=True)
        flows.gate("kept").set()
        async with working(builder, lease=timedelta(milliseconds=90)):
            await until(workflow)
            while await nets(builder):  # noqa: ASYNC110 - the worker reports behind the end
                await asyncio.sleep(0.005)
        assert workflow.status is WorkflowStatus.COMPLETED
        await builder.close()

    asyncio.run(scenario())
