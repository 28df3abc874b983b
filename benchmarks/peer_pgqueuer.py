"""No-op tasks through one worker process of pgqueuer; run by an interpreter that has the `pgqueuer` package.

    PYTHON benchmarks/peer_pgqueuer.py URL TASKS

The tasks lie there when the worker starts; it stops when the queue is empty. Measured with its default batch of 10 and
with one of 100, on uvloop where that is installed, as its documentation recommends. Prints one JSON object.
"""

import asyncio
import importlib.metadata
import json
import sys
import time
from importlib import import_module
from typing import Any


async def rate(url: str, tasks: int, batch: int) -> float:
    """Tasks a second."""
    library: Any = import_module("pgqueuer")
    types: Any = import_module("pgqueuer.types")
    connection = await import_module("asyncpg").connect(url)
    driver = library.AsyncpgDriver(connection)
    manager = library.QueueManager(driver) if not hasattr(library, "PgQueuer") else library.PgQueuer(driver).qm
    done = 0

    async def nothing(job: Any) -> None:  # noqa: ARG001 - a task is given its job
        nonlocal done
        done += 1

    manager.entrypoint("nothing")(nothing)
    for first in range(0, tasks, 1000):
        count = min(1000, tasks - first)
        await manager.queries.enqueue(["nothing"] * count, [None] * count, [0] * count)
    begin = time.perf_counter()
    await manager.run(batch_size=batch, mode=types.QueueExecutionMode.drain)
    took = time.perf_counter() - begin
    if done != tasks:
        raise SystemExit(f"{done} of {tasks} tasks were done")
    return tasks / took


async def install(url: str) -> None:
    """Its tables."""
    library: Any = import_module("pgqueuer")
    connection = await import_module("asyncpg").connect(url)
    await library.Queries(library.AsyncpgDriver(connection)).install()
    await connection.close()


def main(url: str, tasks: int) -> None:
    """Measure and print."""
    try:
        run: Any = import_module("uvloop").run
    except ImportError:
        run = asyncio.run
    run(install(url))
    found = {f"batch {batch}": run(rate(url, tasks, batch)) for batch in (10, 100)}
    best = max(found.values())
    version = importlib.metadata.version("pgqueuer")
    sys.stdout.write("\n" + json.dumps({"version": version, **found, "tasks": best}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
