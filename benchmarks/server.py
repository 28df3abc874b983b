"""The server: workflows of three steps, started and finished over HTTP by 64 connections, on SQLite with synchronous=FULL.

    python -m benchmarks server

Beside the same workflows created and run in process by 64 at once, and beside a bare handler that writes one row. The server
is a real `ruvon serve`, and the connections are in this process, so over HTTP two processors work. Wall-clock time, because
the flushes are part of the work; the processor time is the server's alone.
"""

import asyncio
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.served import THREE, serving, together
from benchmarks.table import Row, Table, show
from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider

AT_ONCE = 64
WORKFLOWS = 1_500
ROUNDS = 5
SHARE = 0.4
IDLE_MB = 150


async def in_process(path: Path, workflows: int) -> tuple[float, float]:
    """Workflows a second and milliseconds of processor time for each, by so many at once in this process."""
    builder = WorkflowBuilder(
        persistence_provider=SQLitePersistenceProvider(path), plugins=False, import_roots=["benchmarks"]
    )
    builder.register(THREE)
    await builder.initialize()
    left = iter(range(workflows))

    async def one() -> None:
        for _ in left:
            handle: Any = await builder.create_workflow("Three", {"n": 1})
            await handle.run()

    begin, processor = time.perf_counter(), time.process_time()
    await asyncio.gather(*(one() for _ in range(AT_ONCE)))
    took, used = time.perf_counter() - begin, time.process_time() - processor
    await builder.close()
    return workflows / took, used / workflows * 1e3


def over_http(folder: Path, workflows: int) -> tuple[float, float, float]:
    """Workflows a second, milliseconds of processor time of the server for each, and its megabytes before them."""
    body = b'{"workflow_type": "Three", "data": {"n": 1}, "wait_s": 30}'
    command = ("-c", "from ruvon.cli import main; main()", "serve", "--db", str(folder / "served.db"), "--port", "0")
    code = ("--workflows", str(Path(__file__).parent / "served.py"))
    with serving(folder, *command, *code, ready="Ruvon answers on") as server:
        idle = server.megabytes()

        def measure(number: int) -> float:
            return asyncio.run(
                together(
                    server,
                    "/api/v1/workflows",
                    body,
                    connections=AT_ONCE,
                    requests=number,
                    expect=b'"COMPLETED"',
                )
            )

        measure(workflows // 10)
        processor = server.processor_s()
        rate = measure(workflows)
        return rate, (server.processor_s() - processor) / workflows * 1e3, idle


def bare(folder: Path, rows: int) -> tuple[float, float]:
    """Rows a second by a handler that does nothing else, and milliseconds of its processor time for each."""
    with serving(folder, "-m", "benchmarks.bare_server", str(folder / "bare.db"), ready="bare answers on") as server:
        work = together(server, "/rows", b'{"n": 1}', connections=AT_ONCE, requests=rows, expect=b'"written"')
        processor = server.processor_s()
        rate = asyncio.run(work)
        return rate, (server.processor_s() - processor) / rows * 1e3


def turn(workflows: int) -> tuple[float, ...]:
    """Every figure once, in the order in which `measure` takes them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return (
            *asyncio.run(in_process(folder / "alone.db", workflows)),
            *over_http(folder, workflows),
            *bare(folder, workflows),
        )


def measure(workflows: int) -> Table:
    """Measure everything and print the table."""
    asyncio.run(in_process(Path(":memory:"), workflows // 10))
    rounds = [turn(workflows) for _ in range(ROUNDS)]
    alone, alone_ms, served, served_ms, idle, rows, row_ms = (median(found) for found in zip(*rounds, strict=True))
    return show(
        f"Three steps over HTTP by {AT_ONCE} connections, SQLite, synchronous=FULL",
        [
            Row(f"created and run in process, {AT_ONCE} at once", alone, "1/s", "itself", alone, more=True),
            Row("started and finished over HTTP", served, "1/s", "in process", alone, SHARE * alone, more=True),
            Row("processor time of one, in process", alone_ms, "ms", "itself", alone_ms),
            Row("processor time of one in the server", served_ms, "ms", "in process", alone_ms),
            Row("bare handler that writes one row", rows, "1/s", "itself", rows, more=True),
            Row("started and finished over HTTP", served, "1/s", "the bare handler", rows, more=True),
            Row("processor time of one in the server", served_ms, "ms", "the bare handler", row_ms),
            Row("server, idle", idle, "MB", "the promise", IDLE_MB, IDLE_MB),
        ],
    )


def main() -> Table:
    """Measure as the whole run does."""
    return measure(WORKFLOWS)


if __name__ == "__main__":
    main()
