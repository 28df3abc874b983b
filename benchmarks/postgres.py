"""Durable steps a second on PostgreSQL with `fsync` on: 64 workflows of 10 steps at once, and one at a time.

    python -m benchmarks postgres
    make bench-peers

Yardsticks in the same run, on the same tables, taking turns with the engine: rows in groups of 64 by a bare connection,
the same rows through our grouped writer without an engine, and a bare transaction of one UPDATE and one INSERT. Medians
of several rounds, by the clock: the flushes and the server's work are part of it. Peers run in between, where they are
installed.
"""

import asyncio
import os
import statistics
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any

from benchmarks import peers
from benchmarks.engine import chain
from benchmarks.persistence import POSITION, creation, instance, step
from benchmarks.table import Row, Table, show
from ruvon.builder import WorkflowBuilder
from ruvon.providers import InstanceRecord

URL = os.environ.get("RUVON_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/test")
AT_ONCE = 64
STEPS = 10
WAVES = 3
"""How often 64 workflows run in a round."""
LONE_STEPS = 200
ROUNDS = 3
PROMISED = 10_000
ALONE = 0.8
PEERS = (("dbos", "peer_dbos.py", 15), ("langgraph", "peer_langgraph.py", 8))
"""Name, script, and how many times its rate is promised."""

GROUPED_UPDATE = """
UPDATE workflow_executions e SET revision = g.revision, transition_id = g.mark, position = g.position,
    last_seq = g.revision, log_head = g.log, current_step = 'step', updated_us = g.revision
FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[], $5::bigint[]) AS g (key, revision, mark, position, log)
WHERE e.key = g.key AND e.revision = g.revision - 1"""
GROUPED_INSERT = """
INSERT INTO workflow_audit_log (id, workflow_key, seq, prev, kind, node, activation, at_us, attempt, delta, result,
                                note, position)
SELECT id, key, seq, prev, 'step', 'step', 'step', seq, 1, delta, result, '', position
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[], $6::bytea[], $7::bytea[])
     AS g (id, key, seq, prev, delta, result, position)"""
LONE_UPDATE = """
UPDATE workflow_executions SET revision = $2, transition_id = $3, position = $4, last_seq = $2, log_head = $5,
    current_step = 'step', updated_us = $2
WHERE key = $1 AND revision = $2 - 1"""
LONE_INSERT = """
INSERT INTO workflow_audit_log (id, workflow_key, seq, prev, kind, node, activation, at_us, attempt, delta, result,
                                note, position)
VALUES ($1, $2, $3, $4, 'step', 'step', 'step', $3, 1, $5, $6, '', $7)"""
DELTA = b'{"":{"s":{"n":1}}}'


class Server:
    """A schema of its own, a provider on it, and a bare connection."""

    def __init__(self, store: Any, connection: Any) -> None:
        self.store = store
        self.bare = connection
        self._next_id = 1 << 40
        self._next_instance = 1 << 60

    async def instances(self, count: int) -> list[InstanceRecord]:
        """Fresh rows."""
        records = [instance(self._next_instance + number) for number in range(count)]
        self._next_instance += count
        await self.store.commit(creation(records))
        return records

    def log_ids(self, count: int) -> list[int]:
        """Ids of log rows that the provider will not reach."""
        self._next_id += count
        return list(range(self._next_id - count, self._next_id))


async def bare_groups(server: Server) -> float:
    """Steps a second of rows in groups by one connection: two prepared statements and a commit for 64 of them."""
    keys = [record.key for record in await server.instances(AT_ONCE)]
    update = await server.bare.prepare(GROUPED_UPDATE)
    insert = await server.bare.prepare(GROUPED_INSERT)
    before: list[int | None] = [None] * AT_ONCE
    begun = perf_counter()
    for number in range(1, WAVES * STEPS + 1):
        ids = server.log_ids(AT_ONCE)
        same = [number] * AT_ONCE
        positions = [POSITION] * AT_ONCE
        async with server.bare.transaction():
            await update.fetch(keys, same, [number.to_bytes(14, "big")] * AT_ONCE, positions, ids)
            await insert.fetch(ids, keys, same, before, [DELTA] * AT_ONCE, [b"null"] * AT_ONCE, positions)
        before = list(ids)
    return AT_ONCE * WAVES * STEPS / (perf_counter() - begun)


async def bare_alone(server: Server) -> float:
    """Steps a second of a bare transaction: BEGIN, UPDATE, INSERT, COMMIT."""
    (record,) = await server.instances(1)
    update = await server.bare.prepare(LONE_UPDATE)
    insert = await server.bare.prepare(LONE_INSERT)
    before = None
    begun = perf_counter()
    for number in range(1, LONE_STEPS + 1):
        (log_id,) = server.log_ids(1)
        async with server.bare.transaction():
            await update.fetch(record.key, number, number.to_bytes(14, "big"), POSITION, log_id)
            await insert.fetch(log_id, record.key, number, before, DELTA, b"null", POSITION)
        before = log_id
    return LONE_STEPS / (perf_counter() - begun)


async def writer(server: Server, waiters: int, steps: int) -> float:
    """Steps a second of the provider's grouped writer without an engine."""
    records = await server.instances(waiters)

    async def drive(record: InstanceRecord) -> None:
        for number in range(1, steps + 1):
            await server.store.commit(step(record, number))

    begun = perf_counter()
    await asyncio.gather(*(drive(record) for record in records))
    return waiters * steps / (perf_counter() - begun)


async def engine(server: Server, kind: str, workflows: int, steps: int, waves: int, *, whole: bool = False) -> float:
    """Steps a second through the engine; the clock runs while workflows are created only if `whole`."""
    builder = WorkflowBuilder(persistence_provider=server.store, plugins=False, import_roots=["benchmarks"])
    made = chain(kind, steps)
    builder.register(made)
    taken = 0.0
    for _ in range(waves):
        begun = perf_counter()
        handles = await asyncio.gather(*(builder.create_workflow(made.workflow_type, {}) for _ in range(workflows)))
        begun = begun if whole else perf_counter()
        await asyncio.gather(*(handle.run() for handle in handles))
        taken += perf_counter() - begun
    return workflows * steps * waves / taken


@asynccontextmanager
async def opened() -> AsyncGenerator[Server | None, None]:
    """A schema of its own on the server; None where none answers."""
    try:
        import asyncpg

        from ruvon.implementations.persistence.postgres import PoolSettings, PostgresPersistenceProvider
    except ImportError:
        yield None
        return
    schema = f"ruvon_bench_{os.getpid()}"
    try:
        connection: Any = await asyncpg.connect(URL, timeout=3, server_settings={"search_path": schema})
    except (OSError, TimeoutError, asyncpg.PostgresError):
        yield None
        return
    try:
        await connection.execute(f"CREATE SCHEMA {schema}")
        store = PostgresPersistenceProvider(URL, schema=schema, pool=PoolSettings(min_size=1, max_size=4))
        await store.initialize()
        try:
            yield Server(store, connection)
        finally:
            await store.close()
    finally:
        await connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        await connection.close()


async def in_turns(works: dict[str, Callable[[], Awaitable[float]]], rounds: int) -> dict[str, list[float]]:
    """Every piece of work once a round, one after the other; a first round warms up and does not count."""
    found: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            value = await work()
            if number:
                found[name].append(value)
    return found


def ratio(values: Sequence[float], bases: Sequence[float]) -> float:
    """The median of the ratios of one round each."""
    return statistics.median(value / base for value, base in zip(values, bases, strict=True))


async def against_peers(server: Server) -> list[Row]:
    """The engine beside each peer on the same server, in turns; workflows are created while the clock runs."""
    rows: list[Row] = []
    for name, script, times in PEERS:
        ours = [await engine(server, "noop", AT_ONCE, STEPS, WAVES, whole=True)]
        found = await peers.on_postgres(script, URL, AT_ONCE, STEPS)
        if found is None:
            continue
        ours.append(await engine(server, "noop", AT_ONCE, STEPS, WAVES, whole=True))
        rate, peer = statistics.mean(ours), float(found["together"])
        said = f"{name} {found['version']}"
        rows += [
            Row(f"{said}, {AT_ONCE} at once", peer, "steps/s", "itself", peer, more=True),
            Row(f"{said}, one at a time", float(found["alone"]), "steps/s", f"{name} at once", peer, more=True),
            Row(f"engine, created and run, beside {name}", rate, "steps/s", name, peer, times * peer, more=True),
        ]
    return rows


async def measured(rounds: int) -> list[Row]:
    """The rows; none where no server answers."""
    async with opened() as server:
        if server is None:
            print("no PostgreSQL server answers: its rows are left out")
            return []
        settings = [await server.bare.fetchval(f"SHOW {name}") for name in ("fsync", "synchronous_commit")]
        if settings != ["on", "on"]:
            print(f"note: the server has fsync {settings[0]}, synchronous_commit {settings[1]}")
        found = await in_turns(
            {
                "bare groups": lambda: bare_groups(server),
                "writer": lambda: writer(server, AT_ONCE, WAVES * STEPS),
                "no-op": lambda: engine(server, "noop", AT_ONCE, STEPS, WAVES),
                "state": lambda: engine(server, "state", AT_ONCE, STEPS, WAVES),
                "bare alone": lambda: bare_alone(server),
                "writer alone": lambda: writer(server, 1, LONE_STEPS),
                "alone": lambda: engine(server, "noop", 1, LONE_STEPS, 1),
            },
            rounds,
        )
        beside = await against_peers(server)
    middle = {name: statistics.median(values) for name, values in found.items()}
    groups, alone = middle["bare groups"], middle["bare alone"]
    kept = ratio(found["alone"], found["bare alone"])
    return [
        Row(f"bare rows, {AT_ONCE} in a group", groups, "steps/s", "itself", groups, more=True),
        Row(f"writer alone, {AT_ONCE} at once", middle["writer"], "steps/s", "bare groups", groups, more=True),
        Row(f"engine, {AT_ONCE} at once, no-op", middle["no-op"], "steps/s", "bare groups", groups, PROMISED, more=True),
        Row(f"engine, {AT_ONCE} at once, state", middle["state"], "steps/s", "bare groups", groups, more=True),
        Row("bare transaction, one at a time", alone, "steps/s", "itself", alone, more=True),
        Row("writer alone, one at a time", middle["writer alone"], "steps/s", "bare transaction", alone, more=True),
        Row("engine, one at a time", kept * alone, "steps/s", "bare transaction", alone, ALONE * alone, more=True),
        *beside,
    ]  # fmt: skip


def main() -> Table:
    """Measure everything and print the table."""
    return show("Durable steps on PostgreSQL, fsync on", asyncio.run(measured(ROUNDS)))
