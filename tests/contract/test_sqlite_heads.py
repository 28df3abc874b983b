"""What the writer keeps in mind of the rows never differs from what they are, whoever else writes them."""

import asyncio
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

from ruvon.implementations.persistence.sqlite import DatabaseFileError, SQLitePersistenceProvider
from ruvon.providers.persistence import (
    InstanceRecord,
    LogEntry,
    StaleWorkflowError,
    Transition,
    WorkflowNotFoundError,
)
from ruvon.testing.contracts._records import creation, instance, step

# Ids are compared by their order: one that was deleted may be given again.
_CONTENT = (
    """
SELECT id, digest, workflow_version, status, revision, transition_id, position, last_seq, current_step, waiting_for,
       due_us, result, error, saga_enabled, updated_us, snapshot_head IS NULL,
       (SELECT count(*) FROM workflow_audit_log r WHERE r.id < e.log_head),
       (SELECT count(*) FROM workflow_snapshots r WHERE r.id < e.snapshot_head)
FROM workflow_executions e ORDER BY key""",
    """
SELECT workflow_key, seq, prev IS NULL, (SELECT count(*) FROM workflow_audit_log r WHERE r.id < l.prev),
       kind, node, activation, at_us, attempt, delta, result, saga, error, note, position
FROM workflow_audit_log l ORDER BY id""",
    """
SELECT workflow_key, seq, prev IS NULL, (SELECT count(*) FROM workflow_snapshots r WHERE r.id < s.prev), data
FROM workflow_snapshots s ORDER BY id""",
)


async def opened(path: Path, durability: Literal["FULL", "OFF"] = "FULL") -> SQLitePersistenceProvider:
    """An open provider on a file."""
    store = SQLitePersistenceProvider(path, durability=durability)
    await store.initialize()
    return store


def content(path: Path) -> list[list[tuple[Any, ...]]]:
    """Every row of instances, log and snapshots."""
    connection = sqlite3.connect(path)
    try:
        return [connection.execute(statement).fetchall() for statement in _CONTENT]
    finally:
        connection.close()


_CHANGES: list[Callable[[random.Random], dict[str, object]]] = [
    lambda _: {},
    lambda _: {"waiting_for": b'[{"kind":"signal"}]', "status": "PAUSED", "due_us": 77},
    lambda chance: {"snapshot": b'{"":%d}' % chance.randrange(9)},
    lambda _: {"result": b"1", "status": "COMPLETED"},
    lambda _: {"error": b"{}", "status": "FAILED"},
    lambda _: {"saga_enabled": True},
    lambda _: {"drop_log": True},
    lambda _: {"drop_log": True, "snapshot": b'{"":{}}'},
    lambda _: {"digest": bytes(range(32)), "workflow_version": "2"},
]


def transitions(records: list[InstanceRecord], seed: int) -> list[Transition]:
    """Some transitions of some instances, one after another, of all kinds."""
    chance = random.Random(seed)
    made: list[Transition] = []
    at = dict.fromkeys((record.workflow_id for record in records), 0)
    for _ in range(120):
        record = chance.choice(records)
        number = at[record.workflow_id] = at[record.workflow_id] + 1
        change = chance.choice(_CHANGES)(chance) if chance.random() < 0.5 else {}
        transition = step(record, number, **change)
        if chance.random() < 0.2:
            transition.entries = [
                LogEntry(number, "error", "s", "s", 1, 2, b"", None, b"saga", b"error", "note"),
                LogEntry(number, "step", "s", "s", 1, 1, b"d", b"1", position=transition.position),
            ]
        made.append(transition)
    return made


@pytest.mark.parametrize("seed", range(3))
def test_a_long_lived_writer_writes_what_fresh_ones_would(tmp_path: Path, seed: int) -> None:
    """The same transitions, through one provider in batches and through a new provider each, give the same rows."""

    async def scenario() -> None:
        records = [instance() for _ in range(5)]
        kept = await opened(tmp_path / "kept.db")
        await kept.commit(creation(*records))
        for record in records:
            record.key = 0
        fresh = await opened(tmp_path / "fresh.db", "OFF")
        await fresh.commit(creation(*records))
        await fresh.close()
        for transition in transitions(records, seed):
            store = await opened(tmp_path / "fresh.db", "OFF")
            await store.commit(transition)
            await store.close()
        await asyncio.gather(*(kept.commit(transition) for transition in transitions(records, seed)))
        await kept.close()

    asyncio.run(scenario())

    assert content(tmp_path / "kept.db") == content(tmp_path / "fresh.db")


def test_what_another_process_wrote_is_seen(tmp_path: Path) -> None:
    """A transition from before another writer's commit is stale, and the one after it goes on from there."""

    async def scenario() -> list[int]:
        one, two = await opened(tmp_path / "a.db"), await opened(tmp_path / "a.db")
        record = instance()
        await one.commit(creation(record))
        await one.commit(step(record, 1))
        await two.commit(step(record, 2))
        with pytest.raises(StaleWorkflowError):
            await one.commit(step(record, 2))
        await one.commit(step(record, 3))
        log = await one.read_log(record.workflow_id)
        await one.close()
        await two.close()
        return [entry.seq for entry in log]

    assert asyncio.run(scenario()) == [1, 2, 3]


def test_what_was_rolled_back_is_not_kept_in_mind(tmp_path: Path) -> None:
    """After a commit that the disk refused, the same transition goes through, and its log is complete."""

    async def scenario() -> list[int]:
        store = await opened(tmp_path / "a.db")
        record = instance()
        await store.commit(creation(record))
        await store.commit(step(record, 1))
        assert store._connection is not None
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(DatabaseFileError):
            await store.commit(step(record, 2, snapshot=b"x" * 200_000))
        store._connection.execute("PRAGMA max_page_count = 1000000")
        await store.commit(step(record, 2))
        log = await store.read_log(record.workflow_id)
        await store.close()
        return [entry.seq for entry in log]

    assert asyncio.run(scenario()) == [1, 2]


def test_a_deleted_instance_is_not_kept_in_mind(tmp_path: Path) -> None:
    """A transition of an instance that this provider itself has deleted finds no row."""

    async def scenario() -> None:
        store = await opened(tmp_path / "a.db")
        record = instance()
        await store.commit(creation(record))
        await store.commit(step(record, 1))
        await store.delete_workflow(record.workflow_id)
        with pytest.raises(WorkflowNotFoundError):
            await store.commit(step(record, 2))
        await store.close()

    asyncio.run(scenario())
