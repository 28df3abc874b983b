"""The work of `durable.py` done by DBOS on SQLite; run by an interpreter that has the `dbos` package.

    PYTHON benchmarks/peer_dbos.py FILE WORKFLOWS STEPS

Prints one JSON object: steps a second of asynchronous workflows, and of ordinary ones in threads. The file is put into
WAL mode beforehand, which DBOS keeps and is faster with; `synchronous` is FULL, as SQLite has it by default.
"""

import asyncio
import importlib
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

    async def at_once() -> float:
        begin = time.perf_counter()
        handles = [await dbos.DBOS.start_workflow_async(flow, 0) for _ in range(workflows)]
        results = [await handle.get_result() for handle in handles]
        took = time.perf_counter() - begin
        if results != [steps] * workflows:
            raise SystemExit(f"wrong results: {results}")
        return workflows * steps / took

    def in_threads() -> float:
        begin = time.perf_counter()
        handles = [dbos.DBOS.start_workflow(plain_flow, 0) for _ in range(workflows)]
        results = [handle.get_result() for handle in handles]
        took = time.perf_counter() - begin
        if results != [steps] * workflows:
            raise SystemExit(f"wrong results: {results}")
        return workflows * steps / took

    threads = in_threads()
    return {"threads": threads, "async": asyncio.run(at_once())}


def main(file: str, workflows: int, steps: int) -> None:
    """Measure and print."""
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    dbos = importlib.import_module("dbos")
    dbos.DBOS(
        config={
            "name": "peer",
            "system_database_url": f"sqlite:///{file}",
            "run_admin_server": False,
            "log_level": "ERROR",
        }
    )
    try:
        sys.stdout.write(json.dumps(_rates(dbos, workflows, steps)) + "\n")
    finally:
        dbos.DBOS.destroy()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
