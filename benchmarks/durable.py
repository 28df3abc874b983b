"""Durable steps a second: 64 workflows at once on SQLite with `synchronous=FULL`, and one at a time.

    python -m benchmarks durable
    make bench-peers

Three yardsticks in the same run: asyncio waiters that write the same rows, keys and indexes through the same grouped
writer without an engine; one such waiter; and a bare `sqlite3` loop that commits each step. Wall-clock time, because the
flushes are part of the work. Peers do the same steps in the same run, where they are installed.
"""

import asyncio
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import peers
from benchmarks.engine import chain
from benchmarks.persistence import BARE, POSITION, creation, instance, step
from benchmarks.table import Row, Table, show
from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider

AT_ONCE = 64
PROMISED = 30_000
PEERS = (("dbos", "peer_dbos.py", 20), ("langgraph", "peer_langgraph.py", None))
"""Name, script, and how many times its rate is promised."""


async def engine_rate(path: Path, kind: str, workflows: int, steps: int, *, whole: bool = False) -> float:
    """Steps a second through the engine; the clock runs while workflows are created only if `whole`."""
    store = SQLitePersistenceProvider(path)
    builder = WorkflowBuilder(persistence_provider=store, plugins=False, import_roots=["benchmarks"])
    made = chain(kind, steps)
    builder.register(made)
    await builder.initialize()
    begin = time.perf_counter()
    handles = await asyncio.gather(*(builder.create_workflow(made.workflow_type, {}) for _ in range(workflows)))
    begin = begin if whole else time.perf_counter()
    await asyncio.gather(*(handle.run() for handle in handles))
    took = time.perf_counter() - begin
    await builder.close()
    return workflows * steps / took


async def writer_rate(path: Path, waiters: int, steps: int) -> float:
    """The same rows by waiters without an engine."""
    store = SQLitePersistenceProvider(path)
    await store.initialize()
    records = [instance(number) for number in range(waiters)]
    await store.commit(creation(records))

    async def drive(record: Any) -> None:
        for number in range(1, steps + 1):
            await store.commit(step(record, number))

    begin = time.perf_counter()
    await asyncio.gather(*(drive(record) for record in records))
    took = time.perf_counter() - begin
    await store.close()
    return waiters * steps / took


def loop_rate(path: Path, steps: int) -> float:
    """A bare loop: one UPDATE and one INSERT, and a commit, for each step."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.executescript(BARE)
    connection.execute("INSERT INTO instances (key) VALUES (1)")
    begin = time.perf_counter()
    for number in range(steps):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            "UPDATE instances SET revision = ?, transition_id = ?, position = ?, last_seq = ?, log_head = ?, updated_us = ?"
            " WHERE key = 1",
            (number, number.to_bytes(14, "big"), POSITION, number, number, number),
        )
        connection.execute(
            "INSERT INTO log VALUES (?, 1, ?, ?, 'step', 'step', 'step', ?, ?, ?)",
            (number + 1, number, number, number, b'{"":{"s":{"n":1}}}', b"1"),
        )
        connection.execute("COMMIT")
    took = time.perf_counter() - begin
    connection.close()
    return steps / took


def against_peers(folder: Path, steps: int) -> list[Row]:
    """The engine beside each peer; its workflows are created while the clock runs, as those of the peers are."""
    rows: list[Row] = []
    same = max(steps // 10, 1)
    for name, script, times in PEERS:
        found = peers.on_sqlite(script, AT_ONCE, same)
        if found is None:
            continue
        files = (folder / f"beside-{name}{turn}.db" for turn in range(2))
        ours = max(asyncio.run(engine_rate(file, "noop", AT_ONCE, same, whole=True)) for file in files)
        peer = float(found["together"])
        said = f"{name} {found['version']}, {AT_ONCE} at once"
        promised = times * peer if times else None
        rows.append(Row(said, peer, "steps/s", "itself", peer, more=True))
        rows.append(Row(f"engine, created and run, beside {name}", ours, "steps/s", name, peer, promised, more=True))
    return rows


def measure(steps: int) -> Table:
    """Measure everything and print the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        grouped = max(asyncio.run(writer_rate(folder / f"grouped{i}.db", AT_ONCE, steps)) for i in range(2))
        alone = max(asyncio.run(writer_rate(folder / f"alone{i}.db", 1, steps * 4)) for i in range(2))
        loop = max(loop_rate(folder / f"loop{i}.db", steps * 4) for i in range(2))
        noop = max(asyncio.run(engine_rate(folder / f"noop{i}.db", "noop", AT_ONCE, steps)) for i in range(2))
        state = max(asyncio.run(engine_rate(folder / f"state{i}.db", "state", AT_ONCE, steps)) for i in range(2))
        single = max(asyncio.run(engine_rate(folder / f"single{i}.db", "noop", 1, steps * 4)) for i in range(2))
        rows = [
            Row("bare sqlite3 loop, one at a time", loop, "steps/s", "itself", loop, more=True),
            Row(
                f"grouped writer without an engine, {AT_ONCE} at once",
                grouped,
                "steps/s",
                "the bare loop",
                loop,
                more=True,
            ),
            Row("grouped writer without an engine, one at a time", alone, "steps/s", "the bare loop", loop, more=True),
            Row(f"engine, {AT_ONCE} at once, no-op", noop, "steps/s", "the writer", grouped, PROMISED, more=True),
            Row(f"engine, {AT_ONCE} at once, state", state, "steps/s", "the writer", grouped, more=True),
            Row("engine, one at a time", single, "steps/s", "the lone writer", alone, 0.6 * alone, more=True),
        ]
        rows += against_peers(folder, steps)
    return show("Durable steps on SQLite, synchronous=FULL", rows)


def main() -> Table:
    """Measure as the whole run does."""
    return measure(200)
