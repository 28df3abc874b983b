"""No-op tasks through one worker process of procrastinate; run by an interpreter that has the `procrastinate` package.

    PYTHON benchmarks/peer_procrastinate.py URL TASKS

The tasks lie there when the worker starts; it stops when the queue is empty. Measured with 1 and with 32 tasks at a time.
Prints one JSON object.
"""

import asyncio
import importlib.metadata
import json
import logging
import sys
import time
from importlib import import_module
from typing import Any


async def main(url: str, tasks: int) -> None:
    """Measure and print."""
    library: Any = import_module("procrastinate")
    logging.disable(logging.WARNING)
    app = library.App(connector=library.PsycopgConnector(conninfo=url, max_size=40))
    done = 0

    async def nothing() -> None:
        nonlocal done
        done += 1

    task = app.task(name="nothing", queue="bench")(nothing)
    found: dict[str, float] = {}
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        for at_a_time in (1, 32):
            for first in range(0, tasks, 1000):
                await task.batch_defer_async(*({} for _ in range(min(1000, tasks - first))))
            done, begin = 0, time.perf_counter()
            await app.run_worker_async(
                queues=["bench"], wait=False, concurrency=at_a_time, install_signal_handlers=False
            )
            found[f"{at_a_time} at a time"] = done / (time.perf_counter() - begin)
            if done != tasks:
                raise SystemExit(f"{done} of {tasks} tasks were done")
    version = importlib.metadata.version("procrastinate")
    best = max(found.values())
    sys.stdout.write("\n" + json.dumps({"version": version, **found, "tasks": best}) + "\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
