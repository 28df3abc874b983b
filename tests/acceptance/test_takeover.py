"""Runs that no worker drove, in processes that are killed: a worker goes on with them, without `--all`."""

import asyncio
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ruvon.models import WorkflowStatus
from ruvon.providers import TaskFilter
from ruvon.zombie_scanner import Zombie, ZombieScanner
from tests.support.places import Place, places
from tests.support.workers import until


@pytest.fixture(params=["sqlite", "postgres", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> "Iterator[Place]":
    """A store of each kind that processes share."""
    with places(request.param, tmp_path) as made:
        yield made


@pytest.mark.parametrize(("kind", "name", "result"), [("application", "Stays", 11), ("scheduler", "Sleeps", 2)])
def test_a_worker_takes_over_what_another_process_drove(place: Place, kind: str, name: str, result: int) -> None:
    """The application in its `run()`, the scheduler in a run that a timer woke; the death is counted, nothing is repeated."""

    async def scenario() -> Any:
        builder = place.builder()
        await builder.initialize()
        workflow = await builder.create_workflow(name, {})
        if kind == "scheduler":
            await builder.engine().drive(UUID(workflow.id))  # up to the timer
        driver = place.drive(kind, workflow.id)
        await asyncio.to_thread(place.wait_for, lambda lines: len(lines) == 2)
        worker = place.work("--lease", "2")
        driver.send_signal(signal.SIGKILL)
        await asyncio.to_thread(driver.wait)
        place.go()
        await until(workflow, seconds=90)
        worker.send_signal(signal.SIGTERM)
        await asyncio.to_thread(worker.wait, 60)
        left = await builder.persistence.find_tasks(TaskFilter())
        history = await workflow.history()
        await builder.close()
        return workflow.status, workflow.result, [item["kind"] for item in history], list(left)

    status, got, kinds, left = asyncio.run(scenario())
    assert (status, got, left) == (WorkflowStatus.COMPLETED, result, [])
    assert kinds.count("crash") == 1
    done = Counter(line.split()[0] for line in place.lines())
    assert (done["here"], done["stay"]) == (1, 2), "only what was under way when it was killed runs again"


def test_the_scanner_gives_back_what_a_killed_worker_had(place: Place) -> None:
    """No other worker is there: the scanner sees the task, queues it again, and counts the death; a later worker ends it."""

    async def scenario() -> Any:
        builder = place.builder()
        await builder.initialize()
        worker = place.work("--lease", "1")
        workflow = await builder.create_workflow("Waits", {}, background=True)
        await asyncio.to_thread(place.wait_for, lambda lines: len(lines) == 1)
        scanner = ZombieScanner(builder)
        assert list(await scanner.scan(fix=True)) == [], "what lives is left alone"
        worker.send_signal(signal.SIGKILL)
        await asyncio.to_thread(worker.wait)
        async with asyncio.timeout(60):
            found: list[Zombie] = []
            while not any(item.step for item in found):
                await asyncio.sleep(0.05)
                found = list(await scanner.scan())
        mended = await scanner.scan(fix=True)
        left = await builder.persistence.find_tasks(TaskFilter())
        (task,) = [item for item in left if item.kind == "step"]  # and perhaps the wake that it had not finished
        place.go()
        place.work()
        await until(workflow, seconds=90)
        await builder.close()
        return [item.outcome for item in found], [item.outcome for item in mended], task, workflow.result

    found, mended, task, result = asyncio.run(scenario())
    assert (set(found), set(mended), result) == ({"found"}, {"requeued"}, 5)
    assert (task.status, task.crashes) == ("pending", 1)
