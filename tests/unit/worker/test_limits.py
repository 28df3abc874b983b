"""Limits of queues as workers keep them, and the keys that steps are counted by."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.implementations.execution.queued import QueuedExecutionProvider
from ruvon.models import WorkflowStatus
from ruvon.providers import TaskFilter
from ruvon.worker import Worker
from tests.support import limited_flows as flows
from tests.support.workers import until, working

CITIES = ["rome", "rome", "oslo", "rome", "oslo", None, None, "bern"] * 3


def builder_of(*workflows: Any) -> WorkflowBuilder:
    """A builder that queues."""
    made = WorkflowBuilder(execution_provider=QueuedExecutionProvider(), plugins=False, import_roots=["tests"])
    made.register(*workflows)
    return made


async def started(builder: WorkflowBuilder, name: str, data: dict[str, Any]) -> Any:
    """A workflow whose tasks are queued."""
    workflow = await builder.create_workflow(name, data)
    await workflow.run()
    return workflow


@pytest.fixture(autouse=True)
def _nothing_runs() -> None:
    flows.NOW.clear()
    flows.MOST.clear()


async def keys(builder: WorkflowBuilder) -> list[str | None]:
    """The keys of what is queued."""
    return [task.concurrency_key for task in await builder.persistence.find_tasks(TaskFilter())]


def test_the_bodies_of_a_queue_and_of_a_key_keep_their_limits() -> None:
    """Two workers: never more at a time, in all and of one key; everything is done in the end."""

    async def scenario() -> None:
        builder = builder_of(flows.send_all)
        await builder.queues.set_limits("q", concurrency=4, per_key=2)
        workflow = await started(builder, "LSend", {"places": [{"city": city} for city in CITIES]})
        async with working(builder, concurrency=8), working(builder, concurrency=8):
            await until(workflow)
        assert workflow.result == [str(city) for city in CITIES]
        assert flows.MOST["all"] == 4
        assert {flows.MOST[city] for city in ("rome", "oslo")} == {2}

    asyncio.run(scenario())


def test_a_rate_is_kept_by_workers() -> None:
    """No more starts than it says, however many slots are free; the rest begins when the period is over."""

    async def scenario() -> None:
        builder = builder_of(flows.send_all)
        await builder.queues.set_limits("q", rate=5, period=timedelta(seconds=2))
        workflow = await started(builder, "LSend", {"places": [{"city": None}] * 7})
        async with working(builder, poll=timedelta(seconds=60)):
            await until(workflow, there=lambda: flows.NOW["all"] == 0 and flows.MOST["all"] > 0)
            assert (await builder.persistence.count_tasks())[-1] == ("q", "pending", 2)
            await until(workflow)
        assert workflow.status is WorkflowStatus.COMPLETED

    asyncio.run(scenario())


def test_a_key_is_an_argument_or_a_part_of_one_or_of_the_state() -> None:
    """Evaluated by the holder; None is no key, and so is a parameter that the call leaves out."""

    async def scenario() -> None:
        builder = builder_of(flows.send_all, flows.bill_one, flows.count_all)
        await started(builder, "LSend", {"places": [{"city": "rome"}, {"city": None}]})
        assert sorted(map(str, await keys(builder))) == ["None", "rome"]
        await started(builder, "LBill", {"customer": "x" * 500})
        (long,) = [key for key in await keys(builder) if key not in {"rome", None}]
        assert long is not None
        assert len(long) == 40
        await started(builder, "LCount", {})
        found = [key for key in await keys(builder) if key not in {"rome", long}]
        assert sorted(map(str, found)) == ["7", "8", "None", "None", "None"]

    asyncio.run(scenario())


def test_a_key_of_a_service_is_a_field_or_a_part_of_one_or_of_the_state() -> None:
    """As the field is when the step is queued."""

    async def scenario() -> None:
        builder = builder_of(flows.ask_all)
        await started(builder, "LAsk", {"customer": "ann"})
        assert sorted(map(str, await keys(builder))) == ["ann", "ann", "https://x.test/ann", "m@1"]

    asyncio.run(scenario())


def test_a_worker_that_is_full_looks_no_more_than_it_must() -> None:
    """Due tasks that a limit holds back do not keep a worker busy."""

    async def scenario() -> None:
        builder = builder_of(flows.send_all)
        await builder.queues.set_limits("q", concurrency=0)
        looks = 0
        store: Any = builder.persistence
        claim: Callable[..., Any] = store.claim_tasks

        async def counted(*args: Any, **options: Any) -> Any:
            nonlocal looks
            looks += 1
            return await claim(*args, **options)

        store.claim_tasks = counted
        workflow = await started(builder, "LSend", {"places": [{"city": "rome"}] * 5})
        async with working(builder, poll=timedelta(seconds=60)):
            await asyncio.sleep(0.2)
            assert looks < 10
            await builder.queues.lift_limits("q")
            await until(workflow)

    asyncio.run(scenario())


def test_take_respects_limits() -> None:
    """For brokers: a message of a task that a limit holds back does nothing; a later one does it."""

    async def scenario() -> None:
        builder = builder_of(flows.send_all)
        await builder.queues.set_limits("q", concurrency=0)
        workflow = await started(builder, "LSend", {"places": [{"city": "rome"}]})
        (task,) = await builder.persistence.find_tasks(TaskFilter())
        async with Worker(builder).serving() as worker:
            assert not await worker.take(task.task_id)
            await builder.queues.set_limits("q", concurrency=1)
            assert await worker.take(task.task_id)
        await workflow.refresh()
        assert workflow.status is WorkflowStatus.COMPLETED

    asyncio.run(scenario())
