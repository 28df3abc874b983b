"""Recovery: how long after the death of their workers two hundred workflows that were under way have ended.

python -m benchmarks recovery

Real worker processes have a step of each workflow in hand when they are killed with SIGKILL. Another worker process, which
was idle, takes all of it over: each step runs again, and each workflow comes to its end. The yardstick is the lease, because
nobody can know of a death before it runs out; the promise is the lease and two seconds.
"""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from benchmarks.table import Row, Table, show
from ruvon import step, workflow
from ruvon.builder import WorkflowBuilder
from ruvon.implementations.execution.queued import QueuedExecutionProvider
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.providers import InstanceFilter, PersistenceProvider, TaskFilter, TaskStatus
from ruvon.worker import Worker

RUNS = 200
VICTIMS = 2
LEASE_S = 5
BEYOND_S = 2
PATIENCE_S = 60
_LOCAL = "postgresql://postgres@127.0.0.1:5432/test"
_ROLE = "RUVON_BENCH_ROLE"


class Doc(BaseModel):
    """The state."""

    done: int = 0


@step(queue="bench")
async def work(state: Doc) -> None:
    if os.environ.get(_ROLE) == "victim":
        await asyncio.sleep(3_600)
    state.done += 1


@workflow("BenchRecovered")
async def recovered(state: Doc) -> int:
    for _ in range(2):
        await work(state)
    return state.done


def opened(place: str) -> PersistenceProvider:
    """The store at a place: a file, or `URL SCHEMA`."""
    if place.startswith("postgresql:"):
        from ruvon.implementations.persistence.postgres import PoolSettings, PostgresPersistenceProvider

        url, _, schema = place.partition(" ")
        return PostgresPersistenceProvider(url, schema=schema, pool=PoolSettings(min_size=1, max_size=2))
    return SQLitePersistenceProvider(place)


@asynccontextmanager
async def builder(place: str) -> Any:
    """A builder over it."""
    made = WorkflowBuilder(
        persistence_provider=opened(place), execution_provider=QueuedExecutionProvider(), plugins=False
    )
    await made.initialize()
    made.register(recovered)
    try:
        yield made
    finally:
        await made.close()


async def serve(place: str, queue: str) -> None:
    """One worker process, until it is killed."""
    async with builder(place) as made:
        slots = RUNS // VICTIMS
        await Worker(
            made, queues=[queue, "default"], concurrency=slots, lease=timedelta(seconds=LEASE_S), schedules=False
        ).run()


def begin(place: str, role: str) -> "subprocess.Popen[bytes]":
    """A worker process."""
    script = "import asyncio, sys; from benchmarks.recovery import serve; asyncio.run(serve(*sys.argv[1:]))"
    return subprocess.Popen([sys.executable, "-c", script, place, "bench"], env={**os.environ, _ROLE: role})


async def until(what: Callable[[], Any], wanted: int) -> None:
    """Until a number is reached."""
    deadline = time.monotonic() + PATIENCE_S
    while await what() < wanted:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{await what()} of {wanted} after {PATIENCE_S} s")
        await asyncio.sleep(0.02)


async def measured(name: str, place: str) -> list[Row]:
    """Kill the workers of one store; seconds until everything has ended, and what the same work takes without a death."""
    async with builder(place) as made:
        store = made.persistence
        running: list[subprocess.Popen[bytes]] = []

        async def claimed() -> int:
            return len(await store.find_tasks(TaskFilter(statuses=(TaskStatus.CLAIMED,)), limit=RUNS))

        async def ended() -> int:
            found: int = await store.count_instances(InstanceFilter(statuses=("COMPLETED",)))
            return found

        async def there() -> int:
            return len(await store.list_workers())

        try:
            running += [begin(place, "victim") for _ in range(VICTIMS)]
            for _ in range(RUNS):
                await made.create_workflow("BenchRecovered", {}, background=True)
            await until(claimed, RUNS)
            running.append(begin(place, "survivor"))
            await until(there, VICTIMS + 1)
            for victim in running[:VICTIMS]:
                victim.send_signal(signal.SIGKILL)
            killed = time.perf_counter()
            await until(ended, RUNS)
            took = time.perf_counter() - killed
            begun = time.perf_counter()
            for _ in range(RUNS):
                await made.create_workflow("BenchRecovered", {}, background=True)
            await until(ended, 2 * RUNS)
            alone = time.perf_counter() - begun
        finally:
            for process in running:
                process.kill()
                process.wait()
    return [
        Row(f"{name}: {RUNS} interrupted workflows have ended", took, "s", "the lease", LEASE_S, LEASE_S + BEYOND_S),
        Row(f"{name}: {RUNS} new ones are made and done by the survivor", alone, "s", "the lease", LEASE_S),
    ]


async def on_sqlite() -> list[Row]:
    """On a file."""
    with tempfile.TemporaryDirectory(prefix="ruvon-bench-") as folder:
        return await measured("SQLite", str(Path(folder) / "recovery.db"))


async def on_postgres() -> list[Row]:
    """On a server, in a schema of its own; nothing where none answers."""
    try:
        import asyncpg
    except ImportError:
        return []
    url = os.environ.get("RUVON_TEST_POSTGRES_URL", _LOCAL)
    schema = f"ruvon_bench_{os.getpid()}_{secrets.token_hex(3)}"

    async def run(statement: str) -> None:
        connection: Any = await asyncpg.connect(url, timeout=3)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    try:
        await run(f"CREATE SCHEMA {schema}")
    except (OSError, TimeoutError, asyncpg.PostgresError):
        print("no PostgreSQL server answers: its row is left out")
        return []
    try:
        return await measured("PostgreSQL", f"{url} {schema}")
    finally:
        await run(f"DROP SCHEMA {schema} CASCADE")


def main() -> Table:
    """Both stores."""

    async def both() -> list[Row]:
        return [*await on_sqlite(), *await on_postgres()]

    return show("Recovery from dead workers", asyncio.run(both()))
