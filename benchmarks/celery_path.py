"""Queued steps through Celery, beside bare Celery tasks that do nothing, on the same broker and with as many processes.

python -m benchmarks.celery_path

The store is PostgreSQL, with every commit flushed; the broker is Redis. Both sides acknowledge late. The bare side has no
store, no state and no result: it is what a message costs. Times are a clock's: the work lies in the servers, too.
"""

import asyncio
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import tasks
from benchmarks.table import Row, Table, show
from ruvon.builder import WorkflowBuilder
from ruvon.implementations.execution.celery import CeleryExecutionProvider, new_celery

BROKER = os.environ.get("RUVON_TEST_REDIS_URL") or "redis://127.0.0.1:6379/11"
POSTGRES = os.environ.get("RUVON_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/test")
PROCESSES = 2
PROMISED = 0.7
RUNS = 16
BATCHES = (1, 32)
"""What `RUVON_CELERY_BATCH` says; the second is what it is where nothing is said."""
MESSAGES = RUNS * tasks.BRANCHES
NAMESPACE = os.environ.get("RUVON_BENCH_NAMESPACE", "ruvon-bench")

app: Any = new_celery(BROKER, NAMESPACE)
"""The bare side: `celery -A benchmarks.celery_path worker`."""


@app.task(name="bench.nothing")
def nothing(text: str) -> None:
    """Done."""


@contextmanager
def worker(application: str, folder: Path, variables: Mapping[str, str]) -> Iterator[None]:
    """A Celery worker, ready."""
    log = folder / f"{application}.log"
    command = [str(Path(sys.executable).with_name("celery")), "-A", application, "worker", "--loglevel", "info"]
    env = {**os.environ, "RUVON_CELERY_BROKER_URL": BROKER, "RUVON_CELERY_NAMESPACE": NAMESPACE, **variables}
    with log.open("w") as file:
        child = subprocess.Popen([*command, "-c", str(PROCESSES)], env=env, stdout=file, stderr=file)
    try:
        until = time.monotonic() + 60
        while " ready." not in log.read_text():
            if child.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"the worker does not get ready:\n{log.read_text()}")
            time.sleep(0.05)
        yield
    finally:
        child.terminate()
        child.wait(60)


def left(before: int = 0) -> int:
    """Messages that are not acknowledged, without those that others have left in the database."""
    with app.connection_for_read() as connection:
        client = connection.default_channel.client
        return int(client.llen(NAMESPACE)) + int(client.hlen("unacked")) - before


def bare(folder: Path) -> float:
    """Messages a second, from the first that is sent to the last that is acknowledged."""
    before = left()
    with worker("benchmarks.celery_path", folder, {"RUVON_BENCH_NAMESPACE": NAMESPACE}):
        app.send_task("bench.nothing", ("warm",))
        while left(before) > 0:
            time.sleep(0.01)
        begun = time.perf_counter()
        for _ in range(MESSAGES):
            app.send_task("bench.nothing", ("0123456789abcdef0123456789abcdef.0123456789abcdef0123",))
        while left(before) > 0:
            time.sleep(0.01)
        return MESSAGES / (time.perf_counter() - begun)


async def through_ruvon(folder: Path, url: str, batch: int) -> float:
    """Steps a second, from the first that is queued to the last workflow's end."""
    from ruvon.implementations.persistence.postgres import PoolSettings, PostgresPersistenceProvider

    store = PostgresPersistenceProvider(url, pool=PoolSettings(min_size=1, max_size=8))
    execution = CeleryExecutionProvider(BROKER, namespace=NAMESPACE)
    builder = WorkflowBuilder(persistence_provider=store, execution_provider=execution, plugins=False)
    await builder.initialize()
    builder.register(tasks.one, tasks.many)
    variables = {
        "RUVON_CELERY_BATCH": str(batch),
        "RUVON_DB_URL": url,
        "RUVON_IMPORT_ROOTS": "benchmarks",
        "RUVON_WORKFLOWS": str(folder / "none"),
    }
    try:
        with worker("ruvon.celery_app", folder, variables):
            warm = [await builder.create_workflow("BenchOne", {}) for _ in range(8)]
            for item in warm:
                await item.run()
            await ends(warm)
            made = [await builder.create_workflow("BenchMany", {}) for _ in range(RUNS)]
            begun = time.perf_counter()
            for item in made:
                await item.run()
            await ends(made)
            return MESSAGES / (time.perf_counter() - begun)
    finally:
        await builder.close()


async def ends(made: list[Any]) -> None:
    """Until all have ended."""
    for item in made:
        while not item.status.is_terminal:
            await asyncio.sleep(0.02)
            await item.refresh()


async def in_database(folder: Path, batch: int) -> float:
    """The Ruvon side, in a database of its own."""
    import asyncpg

    name = f"ruvon_bench_{os.getpid()}"
    connection: Any = await asyncpg.connect(POSTGRES, timeout=5)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
        try:
            return await through_ruvon(folder, f"{POSTGRES.rpartition('/')[0]}/{name}", batch)
        finally:
            await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    finally:
        await connection.close()


def main() -> Table:
    """The bare side before and after each of ours; nothing where a server does not answer."""
    if not _are_there():
        print("no Redis or no PostgreSQL server answers: the Celery path is left out")
        return show("Celery path (Redis, PostgreSQL)", [])
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="ruvon-bench-") as folder:
        bases = [bare(Path(folder))]
        for batch in BATCHES:
            value = asyncio.run(in_database(Path(folder), batch))
            bases.append(bare(Path(folder)))
            base = statistics.mean(bases[-2:])
            promise = PROMISED * base if batch > 1 else None
            what = f"no-op steps, at most {batch} at a time in a process"
            rows.append(Row(what, value, "tasks/s", "bare Celery tasks", base, promise, more=True))
    middle = statistics.median(bases)
    return show(
        "Celery path (Redis, PostgreSQL)",
        [Row("bare Celery tasks", middle, "tasks/s", "itself", middle, more=True), *rows],
    )


def _are_there() -> bool:
    import asyncpg

    async def answers() -> None:
        await (await asyncpg.connect(POSTGRES, timeout=3)).close()

    try:
        asyncio.run(answers())
        with app.connection_for_read() as connection:
            connection.default_channel.client.ping()
    except Exception:  # noqa: BLE001 - each transport has its own errors
        return False
    return True


if __name__ == "__main__":
    os.environ.setdefault("RUVON_BENCH_NAMESPACE", f"ruvon-bench-{secrets.token_hex(3)}")
    from benchmarks import celery_path  # the module as Celery knows it, with the namespace of this run

    celery_path.main()
