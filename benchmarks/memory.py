"""Memory: a worker process after 10,000 tasks, and what instances that wait cost while nobody drives them.

    python -m benchmarks memory

The resident memory of a real `ruvon worker` on SQLite, as the kernel counts it (`VmRSS`), ready and after its work. What
an instance that is paused leaves in the process that has run it is counted by `tracemalloc`, between the first thousand
and the third: an instance at rest lives in the database only.
"""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel

from benchmarks import tasks
from benchmarks.table import Row, Table, show
from ruvon import receive, workflow
from ruvon.builder import WorkflowBuilder
from ruvon.implementations.execution.queued import QueuedExecutionProvider
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider

ROOT = Path(__file__).parents[1]
TASKS = 10_000
AT_ONCE = 16
"""Workflows at a time, so that the queue is never empty and never huge."""
LIMIT_MB = 120
PAUSED = 1_000
PAUSED_BYTES = 400
"""The writer of the store remembers the heads of the rows that it wrote last, of 10,000 at most: some 280 bytes each, and
nothing for those before."""
START_S = 60


class Go(BaseModel):
    """What is waited for."""

    n: int


class Doc(BaseModel):
    """What an instance carries: four kilobytes."""

    text: str = "x" * 4_000
    n: int = 0


@workflow("BenchPaused")
async def paused(state: Doc) -> None:
    """Wait for a signal."""
    got = await receive(Go)
    state.n = got.n


def resident_mb(pid: int) -> float:
    """The resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"/proc/{pid}/status tells no VmRSS")


@contextmanager
def worker(folder: Path, url: str) -> Iterator[int]:
    """A `ruvon worker` that is ready; its process id."""
    command = [str(Path(sys.executable).with_name("ruvon")), "worker", "--db", url, "--concurrency", "64"]
    health, log = folder / "health", folder / "worker.log"
    env = {
        **os.environ,
        "RUVON_IMPORT_ROOTS": "benchmarks",
        "RUVON_WORKFLOWS": str(folder / "none"),
        "PYTHONPATH": str(ROOT),
    }
    with log.open("w") as file:
        child = subprocess.Popen(
            [*command, "--health-file", str(health)], cwd=folder, env=env, stdout=file, stderr=file
        )
    try:
        until = time.monotonic() + START_S
        while not health.exists():
            if child.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"the worker does not get ready:\n{log.read_text()}")
            time.sleep(0.05)
        yield child.pid
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(START_S)


async def work(builder: WorkflowBuilder) -> int:
    """Let the worker do the tasks; how many."""
    left = TASKS // tasks.BRANCHES

    async def one_after_the_other() -> int:
        nonlocal left
        done = 0
        while left > 0:
            left -= 1
            made = await builder.create_workflow("BenchMany", {})
            await made.run()
            while not made.status.is_terminal:
                await asyncio.sleep(0.05)
                await made.refresh()
            done += tasks.BRANCHES
        return done

    return sum(await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE))))


async def of_worker(folder: Path) -> list[Row]:
    """A worker process before and after its work."""
    file = folder / "queue.db"
    store = SQLitePersistenceProvider(file)
    builder = WorkflowBuilder(persistence_provider=store, execution_provider=QueuedExecutionProvider(), plugins=False)
    await builder.initialize()
    builder.register(tasks.many)
    with worker(folder, str(file)) as pid:
        before = resident_mb(pid)
        done = await work(builder)
        after = resident_mb(pid)
    await builder.close()
    return [
        Row("ruvon worker, ready", before, "MB", "itself", before),
        Row(f"ruvon worker, after {done:,} tasks", after, "MB", "when it was ready", before, LIMIT_MB),
    ]


async def of_paused(folder: Path) -> list[Row]:
    """Bytes that an instance at rest leaves in memory."""
    builder = WorkflowBuilder(persistence_provider=SQLitePersistenceProvider(folder / "paused.db"), plugins=False)
    await builder.initialize()
    builder.register(paused)

    async def add(count: int) -> None:
        for _ in range(count // 50):
            made = await asyncio.gather(*(builder.create_workflow("BenchPaused", {}) for _ in range(50)))
            await asyncio.gather(*(item.run() for item in made))
            if any(item.status.value != "PAUSED" for item in made):
                raise SystemExit("an instance does not wait")

    await add(PAUSED)
    gc.collect()
    tracemalloc.start()
    await add(PAUSED)
    gc.collect()
    first, _ = tracemalloc.get_traced_memory()
    await add(PAUSED)
    gc.collect()
    second, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    await builder.close()
    each = max(second - first, 0) / PAUSED
    return [Row("a paused instance of 4 kB, in memory", each, "bytes", "its state", 4_000, PAUSED_BYTES)]


def main() -> Table:
    """Measure everything and print the table."""
    with tempfile.TemporaryDirectory(prefix="ruvon-bench-") as name:
        rows = [*asyncio.run(of_worker(Path(name))), *asyncio.run(of_paused(Path(name)))]
    return show("Memory", rows)
