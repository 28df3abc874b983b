"""No-op tasks a second of one worker process, beside pgqueuer and procrastinate on the same PostgreSQL server.

    python -m benchmarks queue_peers
    make bench-peers

The tasks lie there when a worker starts. Our side does more for each: a task is a step of a durable workflow, its result
is merged, and the workflows end; a peer's task is done when its function has returned. One process each, and whatever of
the peer's own settings was fastest.
"""

import asyncio
import os
import statistics

from benchmarks import peers, tasks
from benchmarks.table import Row, Table, show

URL = os.environ.get("RUVON_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/test")
TASKS = tasks.RUNS * tasks.BRANCHES
PEERS = (("pgqueuer", "peer_pgqueuer.py", TASKS), ("procrastinate", "peer_procrastinate.py", TASKS // 4))
"""Name, script, and how many tasks lie there."""


async def ours() -> float:
    """Tasks a second of our worker, in a database of its own."""
    from ruvon.implementations.persistence.postgres import PoolSettings, PostgresPersistenceProvider

    pool = PoolSettings(min_size=1, max_size=8)
    async with peers.database(URL) as address:
        stores = tasks.Stores("PostgreSQL", address, lambda: PostgresPersistenceProvider(address, pool=pool))
        return await tasks.done_by_worker(stores, "BenchMany", tasks.RUNS, tasks.BRANCHES)


async def measured() -> list[Row]:
    """Each peer between two runs of ours; none where no server answers."""
    try:
        import asyncpg
    except ImportError:
        print("there is no asyncpg: the queue on PostgreSQL is left out")
        return []
    try:
        rates = [await ours()]
    except (OSError, TimeoutError, asyncpg.PostgresError):
        print("no PostgreSQL server answers: its rows are left out")
        return []
    rows: list[Row] = []
    for name, script, count in PEERS:
        found = await peers.on_postgres(script, URL, count)
        rates.append(await ours())
        if found is not None:
            said = f"{name} {found['version']}, one worker process"
            peer = float(found["tasks"])
            near = statistics.mean(rates[-2:])
            rows.append(Row(said, peer, "tasks/s", "itself", peer, more=True))
            rows.append(Row(f"ruvon, one worker process, beside {name}", near, "tasks/s", name, peer, more=True))
    middle = statistics.median(rates)
    return [Row("ruvon, one worker process", middle, "tasks/s", "itself", middle, more=True), *rows]


def main() -> Table:
    """Measure everything and print the table."""
    return show("Queue: no-op tasks of one worker process on PostgreSQL", asyncio.run(measured()))
