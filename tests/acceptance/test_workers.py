"""Real workers: `ruvon worker` processes that are killed in the middle, on a file and on servers."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.implementations.execution.queued import QueuedExecutionProvider
from ruvon.implementations.persistence.redis import RedisPersistenceProvider
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.models import WorkflowStatus
from ruvon.providers import PersistenceProvider, TaskFilter
from tests.support import postgres
from tests.support.redis import private_server
from tests.support.workers import until

ROOT = Path(__file__).parents[2]
FLOW = ROOT / "tests" / "acceptance" / "queued_flow.py"
RUNS = 8


class Place:
    """A store that processes share, and the ledger that their steps write."""

    def __init__(self, folder: Path, url: str, open_store: Callable[[str], PersistenceProvider]) -> None:
        self.url = url
        self.open_store = open_store
        self.ledger = folder / "ledger.txt"
        self.workers: list[subprocess.Popen[str]] = []

    def builder(self) -> WorkflowBuilder:
        """The application that starts workflows and runs none of their steps."""
        builder = WorkflowBuilder(
            persistence_provider=self.open_store(self.url),
            execution_provider=QueuedExecutionProvider(),
            plugins=False,
            import_roots=["tests"],
        )
        builder.register(FLOW)
        return builder

    def work(self, *options: str) -> subprocess.Popen[str]:
        """One more worker."""
        command = [
            sys.executable,
            "-c",
            "from ruvon.cli import main; main()",
            "worker",
            "--db",
            self.url,
            "--workflows",
            str(FLOW),
        ]
        made = subprocess.Popen(
            [*command, "--import-root", str(ROOT / "tests"), "--lease", "5", *options],
            cwd=ROOT,
            env={**os.environ, "RUVON_TEST_LEDGER": str(self.ledger)},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.workers.append(made)
        return made

    def lines(self) -> list[str]:
        """What the steps have written so far."""
        return self.ledger.read_text(encoding="utf-8").splitlines() if self.ledger.exists() else []

    def wait_for(self, enough: Callable[[list[str]], bool]) -> None:
        """Until the ledger has what is wanted."""
        deadline = time.monotonic() + 60
        while not enough(self.lines()):
            assert time.monotonic() < deadline, self.lines()
            time.sleep(0.005)

    def end(self) -> None:
        """End what still runs."""
        for made in self.workers:
            if made.poll() is None:
                made.kill()
            made.communicate()


@pytest.fixture(params=["sqlite", "postgres", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> "Iterator[Place]":
    """A file, PostgreSQL where there is one, and a Redis of the test's own: workers have the default prefix there."""
    with ExitStack() as stack:
        if request.param == "redis":
            durable = ("--appendonly", "yes", "--appendfsync", "always")
            made = Place(
                tmp_path, stack.enter_context(private_server(tmp_path, *durable)).url, RedisPersistenceProvider
            )
        elif request.param == "postgres":
            if postgres.server() is None:
                pytest.skip("no PostgreSQL server answers")
            postgres.emptied()
            made = Place(tmp_path, postgres.database(), lambda _: postgres.store())
        else:
            made = Place(tmp_path, str(tmp_path / "shared.db"), SQLitePersistenceProvider)
        stack.callback(made.end)
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
