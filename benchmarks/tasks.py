"""The durable queue: how soon an idle worker begins, and how many tasks a worker process does in a second.

python -m benchmarks tasks

Everything is durable (SQLite: FULL). The throughput is that of one real `ruvon worker` process, from the first report to the
end of the last workflow. The yardsticks are the bare statements of the same store in the same run: one committed insert for
the pick-up, the claims and reports alone, without bodies and instances, for the throughput. Times are a clock's: the work
lies in the database, too.
"""

import asyncio
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

from pydantic import BaseModel

from benchmarks.table import Row, Table, show
from ruvon import gather, step, workflow
from ruvon.builder import WorkflowBuilder
from ruvon.implementations.execution.queued import QueuedExecutionProvider
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.providers import (
    InstanceFilter,
    InstanceRecord,
    PersistenceProvider,
    TaskKind,
    TaskRecord,
    TaskReport,
    Transition,
)
from ruvon.worker import Worker

PICKUPS = 60
RUNS = 64
BRANCHES = 125
CHAINS = 256
LINKS = 10
SLOTS = 128
BATCH = 64
_LOCAL = "postgresql://postgres@127.0.0.1:5432/test"
BEGUN: list[float] = []


class Doc(BaseModel):
    """Nothing."""

    n: int = 0


@step(queue="bench")
async def begin() -> None:
    BEGUN.append(time.perf_counter())


@step(queue="bench")
async def nothing(n: int) -> int:
    return n


@workflow("BenchOne")
async def one(state: Doc) -> None:  # noqa: ARG001 - a workflow takes its state
    await begin()


@workflow("BenchMany")
async def many(state: Doc) -> int:  # noqa: ARG001 - a workflow takes its state
    found = await gather(*(nothing(n) for n in range(125)))
    return len(found)


@workflow("BenchChain")
async def chain(state: Doc) -> None:  # noqa: ARG001 - a workflow takes its state
    for n in range(10):
        await nothing(n)


class Stores:
    """Where a queue lies, opened as often as wanted."""

    def __init__(self, name: str, url: str, make: Callable[[], PersistenceProvider]) -> None:
        self.name = name
        self.url = url
        """As `ruvon worker --db` takes it."""
        self.make = make

    @asynccontextmanager
    async def builder(self) -> AsyncIterator[WorkflowBuilder]:
        """A builder over a connection of its own."""
        executor = QueuedExecutionProvider()
        made = WorkflowBuilder(persistence_provider=self.make(), execution_provider=executor, plugins=False)
        await made.initialize()
        made.register(one, many, chain)
        try:
            yield made
        finally:
            await made.close()


async def pick_up(stores: Stores) -> tuple[float, float]:
    """Milliseconds from a commit to the beginning of the body, and of the commit itself; medians."""
    waits: list[float] = []
    commits: list[float] = []
    async with stores.builder() as app, stores.builder() as other, working(other, 4):
        inner = app.persistence.commit
        committed = 0.0

        async def commit(transition: Transition, /) -> None:
            nonlocal committed
            begun = time.perf_counter()
            await inner(transition)
            if transition.tasks:
                committed = time.perf_counter()
                commits.append(committed - begun)

        app.persistence.commit = commit  # type: ignore[method-assign]
        for _ in range(PICKUPS):
            BEGUN.clear()
            made = await app.create_workflow("BenchOne", {})
            await made.run()
            while not BEGUN:  # noqa: ASYNC110 - the body tells no more than that
                await asyncio.sleep(0.001)
            waits.append(max(BEGUN[0] - committed, 0.0))
            while not made.status.is_terminal:
                await asyncio.sleep(0.005)
                await made.refresh()
    return statistics.median(waits) * 1_000, statistics.median(commits) * 1_000


@asynccontextmanager
async def working(builder: WorkflowBuilder, slots: int) -> AsyncIterator[Worker]:
    """A worker on this loop."""
    worker = Worker(builder, concurrency=slots, schedules=False)
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        await task


async def done_by_worker(stores: Stores, kind: str, runs: int, steps: int) -> float:
    """Tasks a second of a worker process, bodies, merges and ends of the workflows included."""
    async with stores.builder() as app:
        made = [await app.create_workflow(kind, {}) for _ in range(runs)]
        await asyncio.gather(*(item.run() for item in made))
        running = InstanceFilter(workflow_type=kind, statuses=("PENDING_ASYNC", "ACTIVE"))
        command = [str(Path(sys.executable).with_name("ruvon")), "worker", "--db", stores.url, "--workflows", __file__]
        process = await asyncio.create_subprocess_exec(*command, "--concurrency", str(SLOTS), stderr=subprocess.DEVNULL)
        try:
            total = left = await _queued(app)
            while left == total and process.returncode is None:
                await asyncio.sleep(0.005)
                left = await _queued(app)
            begun = time.perf_counter()
            left_over = True
            while left_over and process.returncode is None:
                await asyncio.sleep(0.05)
                left_over = bool(await app.persistence.find_instances(running, limit=1))
            taken = time.perf_counter() - begun
        finally:
            if process.returncode is not None:
                raise RuntimeError("the worker has ended too early; its own output says why")
            process.send_signal(signal.SIGTERM)
            await process.wait()
    return (runs * steps - (total - left)) / taken


async def _queued(app: WorkflowBuilder) -> int:
    return sum(number for _, _, number in await app.persistence.count_tasks())


async def bare_queue(stores: Stores) -> float:
    """Tasks a second that are claimed and reported in batches, and nothing else."""
    store = stores.make()
    await store.initialize()
    try:
        await _fill(store, RUNS * BRANCHES)
        begun, count = time.perf_counter(), 0
        while claimed := await store.claim_tasks("w", limit=BATCH, lease_us=60_000_000, now_us=2**60):
            await store.report_tasks([TaskReport(item.task_id, item.lease_epoch) for item in claimed])
            count += len(claimed)
        return count / (time.perf_counter() - begun)
    finally:
        await store.close()


async def _fill(store: PersistenceProvider, count: int) -> None:
    record = InstanceRecord(uuid4(), "Bench", "1", bytes(32), "ACTIVE", b"{}", b"{}", created_us=1, updated_us=1)
    tasks = tuple(
        TaskRecord(f"bare-{uuid4().hex}", record.workflow_id, TaskKind.STEP, f"s{number}", "bench", payload=bytes(200))
        for number in range(count)
    )
    await store.commit(
        Transition(record.workflow_id, 0, -1, 0, b"", "ACTIVE", b"", None, 1, [], 0, created=(record,), tasks=tasks)
    )


async def measured(stores: Stores) -> list[Row]:
    """The rows of one store."""
    wait, commit = await pick_up(stores)
    bare = await bare_queue(stores)
    wide = await done_by_worker(stores, "BenchMany", RUNS, BRANCHES)
    long = await done_by_worker(stores, "BenchChain", CHAINS, LINKS)
    name = stores.name
    return [
        Row(f"{name}: idle pick-up, p50", wait, "ms", "the commit that queues it", commit, 10),
        Row(f"{name}: claim and report in batches", bare, "tasks/s", "(itself)", bare, 7_000, more=True),
        Row(f"{name}: one worker, no-op branches", wide, "tasks/s", "claim and report alone", bare, 7_000, more=True),
        Row(f"{name}: one worker, no-op steps in a row", long, "tasks/s", "claim and report alone", bare),
    ]


async def on_sqlite() -> list[Row]:
    """On a file."""
    with tempfile.TemporaryDirectory(prefix="ruvon-bench-") as folder:
        path = Path(folder) / "queue.db"
        return await measured(Stores("SQLite", str(path), lambda: SQLitePersistenceProvider(path)))


async def on_postgres() -> list[Row]:
    """On a server, in a database of its own; nothing where none answers."""
    try:
        import asyncpg

        from ruvon.implementations.persistence.postgres import PoolSettings, PostgresPersistenceProvider
    except ImportError:
        return []
    server = os.environ.get("RUVON_TEST_POSTGRES_URL", _LOCAL)
    database = f"ruvon_bench_{os.getpid()}"

    async def run(statement: str) -> None:
        connection: Any = await asyncpg.connect(server, timeout=3)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    try:
        await run(f"CREATE DATABASE {database}")
    except (OSError, TimeoutError, asyncpg.PostgresError):
        print("no PostgreSQL server answers: its rows are left out")
        return []
    url = urlunsplit(urlsplit(server)._replace(path=f"/{database}"))
    pool = PoolSettings(min_size=1, max_size=8)
    try:
        return await measured(Stores("PostgreSQL", url, lambda: PostgresPersistenceProvider(url, pool=pool)))
    finally:
        await run(f"DROP DATABASE {database} WITH (FORCE)")


def main() -> Table:
    """Both stores."""

    async def both() -> list[Row]:
        rows: list[Row] = []
        measure: Callable[[], Awaitable[list[Row]]]
        for measure in (on_sqlite, on_postgres):
            rows += await measure()
        return rows

    return show("Durable queue", asyncio.run(both()))
