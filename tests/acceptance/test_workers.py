"""Real workers: `ruvon worker` processes that are killed in the middle, on a file and on servers."""

import asyncio
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.models import WorkflowStatus
from ruvon.providers import TaskFilter, WorkflowBusyError
from tests.support.places import Place, freeze, places
from tests.support.workers import until

RUNS = 8


@pytest.fixture(params=["sqlite", "postgres", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> "Iterator[Place]":
    """A store of each kind that processes share."""
    with places(request.param, tmp_path) as made:
        yield made


def test_killed_workers_lose_nothing_and_record_nothing_twice(place: Place) -> None:
    """S3-033, S3-038, S4-007: two of three workers are killed with SIGKILL; every run ends as if nobody had been."""

    async def scenario() -> tuple[list[Any], list[Any]]:
        builder = place.builder()
        await builder.initialize()
        first, second, _ = (place.work("--concurrency", "2") for _ in range(3))
        while len(await builder.persistence.list_workers()) < 3:  # noqa: ASYNC110 - other processes tell it
            await asyncio.sleep(0.05)
        made = [await builder.create_workflow("Killed", {}, background=True) for _ in range(RUNS)]
        await asyncio.to_thread(place.wait_for, lambda lines: _by(first.pid, lines) >= 2)
        first.send_signal(signal.SIGKILL)
        await asyncio.to_thread(place.wait_for, lambda lines: _by(second.pid, lines) >= 6)
        second.send_signal(signal.SIGKILL)
        found: list[Any] = []
        for workflow in made:
            await until(workflow, seconds=90)
            found.append((workflow.status, workflow.result, workflow.state.total, await workflow.history()))
        left = [task for task in await builder.persistence.find_tasks(TaskFilter()) if task.kind == "step"]
        await builder.close()
        return found, left

    found, left = asyncio.run(scenario())

    assert left == []
    for status, result, total, history in found:
        assert (status, result, total) == (WorkflowStatus.COMPLETED, 6, 16)
        recorded = Counter(item["activation"] for item in history if item["kind"] == "step")
        assert len(recorded) == 9
        assert set(recorded.values()) == {1}, "a step that is recorded never runs again"
    effects = Counter(line.split()[1] for line in place.lines())
    assert len(effects) == RUNS * 9, "every attempt of an activation has the same key"
    assert sum(effects.values()) - RUNS * 9 <= 2 * 2, "only what the killed workers had in hand is repeated"


def _by(pid: int, lines: list[str]) -> int:
    return sum(line.endswith(f" {pid}") for line in lines)


def test_a_terminated_worker_finishes_what_it_runs(place: Place) -> None:
    """SIGTERM: the body comes to its end, its result counts, and the process ends with 0."""

    async def scenario() -> Any:
        builder = place.builder()
        await builder.initialize()
        worker = place.work("--grace", "30")
        workflow = await builder.create_workflow("Lingers", {}, background=True)
        await asyncio.to_thread(place.wait_for, lambda lines: any("linger " in line for line in lines))
        worker.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(worker.wait, 60)
        await workflow.refresh()
        workers = await builder.persistence.list_workers()
        await builder.close()
        return code, workflow.status, workflow.result, list(workers)

    assert asyncio.run(scenario()) == (0, WorkflowStatus.COMPLETED, 7, [])
    assert [line.split()[0] for line in place.lines()] == ["linger", "lingered"]


def test_a_worker_without_grace_gives_its_task_to_another(place: Place) -> None:
    """SIGTERM with no time left: the task is pending again at once, not after a lease, and no crash is counted."""

    async def scenario() -> Any:
        builder = place.builder()
        await builder.initialize()
        worker = place.work("--grace", "0", "--lease", "600")
        workflow = await builder.create_workflow("Lingers", {}, background=True)
        await asyncio.to_thread(place.wait_for, lambda lines: any("linger " in line for line in lines))
        worker.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(worker.wait, 60)
        (task,) = [item for item in await builder.persistence.find_tasks(TaskFilter()) if item.kind == "step"]
        place.work()
        await until(workflow, seconds=60)
        await builder.close()
        return code, task.status, task.crashes, workflow.result

    assert asyncio.run(scenario()) == (0, "pending", 0, 7)


def test_a_worker_that_comes_back_late_is_not_heard(place: Place) -> None:
    """It is stopped for longer than its lease, as by a suspended machine; what it brings then is dropped and written down."""

    async def scenario() -> Any:
        builder = place.builder()
        await builder.initialize()
        first = place.work("--lease", "1")
        workflow = await builder.create_workflow("Waits", {}, background=True)
        await asyncio.to_thread(place.wait_for, lambda lines: len(lines) == 1)
        await _let_go(builder, workflow.id)  # a stopped process keeps what it holds
        freeze(first, Path(place.url))
        second = place.work("--lease", "1")
        await asyncio.to_thread(place.wait_for, lambda lines: len(lines) == 2)
        place.go()
        await until(workflow, seconds=90)
        second.send_signal(signal.SIGTERM)
        await asyncio.to_thread(second.wait, 60)
        first.send_signal(signal.SIGCONT)
        first.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(first.wait, 60)
        await workflow.refresh()
        history = await workflow.history()
        left = await builder.persistence.find_tasks(TaskFilter())
        await builder.close()
        return code, workflow.status, workflow.result, [item["kind"] for item in history], list(left)

    code, status, result, kinds, left = asyncio.run(scenario())
    assert (code, status, result, left) == (0, WorkflowStatus.COMPLETED, 5, [])
    assert kinds.count("step") == 1
    assert len({line.split()[1] for line in place.lines()}) == 1, "both attempts have one idempotency key"


async def _let_go(builder: WorkflowBuilder, workflow_id: str) -> None:
    """Until nobody drives the workflow: a drive whose step is queued stays for a moment."""
    while True:
        try:
            hold = await builder.persistence.hold(UUID(workflow_id))
        except WorkflowBusyError:
            await asyncio.sleep(0.01)
        else:
            await hold.release()
            return
