"""The work of `durable.py` and `postgres.py` done by DBOS; run by an interpreter that has the `dbos` package.

    PYTHON benchmarks/peer_dbos.py URL WORKFLOWS STEPS

Prints one JSON object: the version, steps a second of asynchronous workflows and of ordinary ones in threads, and of one
asynchronous workflow alone. Starting the workflows counts, as it does for everybody. An SQLite file is put into WAL mode
beforehand, which DBOS keeps and is faster with; `synchronous` is FULL, as SQLite has it by default.
"""

import asyncio
import importlib
import importlib.metadata
import json
import sqlite3
import sys
import time
from typing import Any


def _rates(dbos: Any, workflows: int, steps: int) -> dict[str, float]:
    async def counted(number: int) -> int:
        return number + 1

    async def chain(number: int) -> int:
        for _ in range(steps):
            number = await step(number)
        return number

    def counted_plainly(number: int) -> int:
        return number + 1

    def chain_plainly(number: int) -> int:
        for _ in range(steps):
            number = plain_step(number)
        return number

    step = dbos.DBOS.step()(counted)
    plain_step = dbos.DBOS.step()(counted_plainly)
    flow = dbos.DBOS.workflow()(chain)
    plain_flow = dbos.DBOS.workflow()(chain_plainly)
    dbos.DBOS.launch()

    async def at_once(count: int) -> float:
        begin = time.perf_counter()
        handles = [await dbos.DBOS.start_workflow_async(flow, 0) for _ in range(count)]
        results = [await handle.get_result() for handle in handles]
        took = time.perf_counter() - begin
        if results != [steps] * count:
            raise SystemExit(f"wrong results: {results}")
        return count * steps / took

    def in_threads() -> float:
        begin = time.perf_counter()
        handles = [dbos.DBOS.start_workflow(plain_flow, 0) for _ in range(workflows)]
        results = [handle.get_result() for handle in handles]
        took = time.perf_counter() - begin
        if results != [steps] * workflows:
            raise SystemExit(f"wrong results: {results}")
        return workflows * steps / took

    async def all_async() -> dict[str, float]:
        await at_once(1)  # warms up
        return {"async": await at_once(workflows), "alone": await at_once(1)}

    threads = in_threads()
    return {"threads": threads, **asyncio.run(all_async())}


def main(url: str, workflows: int, steps: int) -> None:
    """Measure and print."""
    if url.startswith("sqlite:///"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        connection.execute("PRAGMA journal_mode = WAL")
        connection.close()
    dbos = importlib.import_module("dbos")
    dbos.DBOS(
        config={
            "name": "peer",
            "system_database_url": url,
            "run_admin_server": False,
            "log_level": "ERROR",
        }
    )
    try:
        rates = _rates(dbos, workflows, steps)
        found = {"version": importlib.metadata.version("dbos"), **rates}
        found["together"] = max(rates["async"], rates["threads"])
        sys.stdout.write("\n" + json.dumps(found) + "\n")
    finally:
        dbos.DBOS.destroy()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
