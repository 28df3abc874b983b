"""Stores with something of the author's in every place, and what of it can be seen without a key."""

import sqlite3
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any
from uuid import UUID

from ruvon.implementations.encryption import KeyRing, new_key
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.implementations.persistence.postgres._session import OWN_TABLES
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.providers import InboxEntry, InboxKind, OutboxRecord, ScheduleRecord, TaskClaim, TaskKind, TaskRecord
from ruvon.testing.contracts._records import create, step
from tests.support import postgres, redis

__all__ = [
    "CANARY",
    "FIRST",
    "OTHER",
    "SECOND",
    "STORES",
    "bare_store",
    "change",
    "exchange",
    "fill",
    "read_back",
    "ring",
    "seen",
]

CANARY = "canary4711"
FIRST, SECOND, OTHER = new_key("k1"), new_key("k2"), new_key("k1")
"""`OTHER` is another key under the first one's id."""
STORES = ("memory", "sqlite", "postgres", "redis")
_C = f'{{"told":"{CANARY}"}}'.encode()


def ring(*keys: str) -> KeyRing:
    """Keys; the first one writes."""
    return KeyRing(keys)


def bare_store(kind: str, folder: Path) -> Any:
    """An empty store, not open yet."""
    match kind:
        case "memory":
            return MemoryPersistenceProvider()
        case "sqlite":
            return SQLitePersistenceProvider(folder / "store.db")
        case "postgres":
            postgres.emptied()
            return postgres.store()
        case _:
            redis.emptied()
            return redis.store()


async def fill(store: Any) -> UUID:
    """Put the canary wherever something of the author's can be; the id of the instance."""
    record = await create(
        store, snapshot=b'{"":{"a":"%s"}}' % CANARY.encode(), position=_C, waiting_for=_C, result=_C, error=_C
    )
    whose = record.workflow_id
    made = step(
        record,
        1,
        position=_C,
        waiting_for=_C,
        result=_C,
        error=_C,
        snapshot=b'{"":{"b":"%s"}}' % CANARY.encode(),
        tasks=(TaskRecord(f"t-{whose}", whose, TaskKind.STEP, "a", payload=_C, progress=_C),),
        sent=(InboxEntry(whose, InboxKind.SIGNAL, "Note", _C, key="k", at_us=3),),
        outbox=(OutboxRecord("topic", _C, at_us=4, key="a"),),
        schedules=(ScheduleRecord(f"s-{whose}", "Order", "* * * * *", data=_C, note=f"by {CANARY}"),),
    )
    entry = made.entries[0]
    entry.delta, entry.result, entry.saga, entry.error, entry.note, entry.position = _C, _C, _C, _C, CANARY, _C
    await store.commit(made)
    await store.append_inbox(InboxEntry(whose, InboxKind.ANSWER, "wait", _C, at_us=6))
    (task,) = await store.claim_tasks("w", lease_us=10**9, now_us=10**15)
    assert await store.extend_leases([TaskClaim(task.task_id, task.lease_epoch, _C)], until_us=2 * 10**15) == []
    await store.release_tasks([TaskClaim(task.task_id, task.lease_epoch)], available_us=2 * 10**15)
    await store.save_workflow(f"d-{whose}", {"status": "ACTIVE", "told": CANARY})
    await store.log_execution(whose, "a", "INFO", f"it was {CANARY}", {"told": CANARY})
    await store.heartbeat_update(whose, "w", "a", {"told": CANARY})
    return whose


async def read_back(store: Any, whose: UUID) -> list[Any]:
    """Everything that `fill` has written, as a store gives it."""
    beats = await store.scan_stale_heartbeats(-(10**6))
    found = [
        await store.load_instance(whose),
        await store.read_snapshot(whose, at=0),
        await store.read_log(whose),
        await store.read_inbox(whose),
        await store.get_task(f"t-{whose}"),
        await store.read_outbox(),
        await store.get_schedule(f"s-{whose}"),
        await store.load_workflow(f"d-{whose}"),
        [(row["message"], row["metadata"]) for row in await lines(store, whose)],
        [row["metadata"] for row in beats if str(row["workflow_id"]) == str(whose)],
    ]
    return deepcopy(found)  # a store in memory gives some of its own records


async def lines(store: Any, whose: UUID) -> list[dict[str, Any]]:
    """The text log; a store in memory keeps it in a list."""
    inner = getattr(store, "inner", store)
    if not isinstance(inner, MemoryPersistenceProvider):
        found: list[dict[str, Any]] = await store.read_execution_logs(whose)
        return found
    here = [row for row in inner.execution_logs if row["workflow_id"] == str(whose)]
    return here if inner is store else [store._records.opened_line(row) for row in here]


def seen(store: Any) -> str:
    """All that lies in a store, as somebody without a key finds it."""
    readers: dict[str, Callable[[Any], str]] = {
        "MemoryPersistenceProvider": lambda inner: repr(vars(inner)),
        "SQLitePersistenceProvider": _files,
        "PostgresPersistenceProvider": _tables,
        "RedisPersistenceProvider": _keys,
    }
    return readers[type(store).__name__](store)


def _files(store: SQLitePersistenceProvider) -> str:
    paths = (Path(store.db_path), Path(f"{store.db_path}-wal"))
    return b"".join(path.read_bytes() for path in paths if path.exists()).decode("latin-1")


def _tables(_store: Any) -> str:
    rows = [row for table in OWN_TABLES for row in postgres.query(postgres.database(), f"SELECT t.* FROM {table} t")]  # noqa: S608
    return repr(rows)


def _keys(_store: Any) -> str:
    found: list[Any] = []
    with redis.client() as asked:
        for key in asked.scan_iter(match=f"{{{redis.prefix()}}}:*", count=1000):
            match asked.type(key):
                case b"hash":
                    found.append(sorted(asked.hgetall(key).items()))
                case b"stream":
                    found.append(asked.xrange(key))
                case b"string":
                    found.append(asked.get(key))
                case b"zset":
                    found.append(asked.zrange(key, 0, -1))
                case b"set":
                    found.append(asked.smembers(key))
                case _:
                    found.append(asked.lrange(key, 0, -1))
    return repr(found)


def exchange(path: Path, table: str, column: str) -> None:
    """Give each row of a file the value of another, half of all rows away."""
    connection = sqlite3.connect(path)
    try:
        rows = connection.execute(f"SELECT rowid, {column} FROM {table} ORDER BY rowid").fetchall()  # noqa: S608
        half = len(rows) // 2
        moved = [(rows[(place + half) % len(rows)][1], row[0]) for place, row in enumerate(rows)]
        connection.executemany(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", moved)  # noqa: S608
        connection.commit()
    finally:
        connection.close()


def change(path: Path, statement: str, *values: object) -> None:
    """Change a file behind the store's back."""
    connection = sqlite3.connect(path)
    try:
        connection.execute(statement, values)
        connection.commit()
    finally:
        connection.close()
