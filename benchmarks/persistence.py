"""What a commit costs in SQLite beside a bare grouped writer, and lists over 100,000 instances.

    python benchmarks/persistence.py [--instances N]

The bare writer does what no durable store can leave out: one small UPDATE and one INSERT for each step, 64 steps to a
transaction, with integer keys and an append-only log. The provider gets the same steps as transitions of 64 instances
that are driven at once.
"""

import argparse
import asyncio
import random
import sqlite3
import tempfile
import time
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

from benchmarks.table import Row, Table, show
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.providers import DefinitionRecord, InstanceFilter, InstanceRecord, LogEntry, Transition

GROUP = 64
POSITION = b'{"root":[[["b","step",0,1]],null],"epoch":0,"cancel":null,"undone_not":[],"children":{}}'
STATUSES = ["COMPLETED"] * 60 + ["ACTIVE"] * 20 + ["PAUSED"] * 10 + ["WAITING_HUMAN"] * 8 + ["FAILED"] * 2
KINDS = [(kind, version) for kind in range(8) for version in range(3)]
"""Types with three versions each."""
LIST_MS = 20
BARE = """
CREATE TABLE instances (key INTEGER PRIMARY KEY, revision INTEGER, transition_id BLOB, position BLOB, last_seq INTEGER,
                        log_head INTEGER, updated_us INTEGER);
CREATE TABLE log (id INTEGER PRIMARY KEY, workflow_key INTEGER, seq INTEGER, prev INTEGER, kind TEXT, node TEXT,
                  activation TEXT, at_us INTEGER, delta BLOB, result BLOB);
"""


def instance(number: int, **fields: Any) -> InstanceRecord:
    """A new row."""
    made = InstanceRecord(
        UUID(int=number + 1), "Bench", "1", bytes(32), "ACTIVE", POSITION, b'{"":{}}', created_us=number, updated_us=1
    )
    return replace(made, **fields)


def creation(records: list[InstanceRecord]) -> Transition:
    """All of them in one transaction."""
    first = records[0].workflow_id
    return Transition(first, 0, -1, 0, b"", "ACTIVE", b"", None, 1, [], 0, created=tuple(records))


def step(record: InstanceRecord, number: int) -> Transition:
    """A step that changes two fields."""
    entry = LogEntry(number, "step", "step", "step", number, 1, b'{"":{"s":{"n":1}}}', b"null", position=POSITION)
    mark = number.to_bytes(14, "big")
    key, at = record.key, number
    return Transition(
        record.workflow_id, key, number - 1, number, mark, "ACTIVE", POSITION, "step", at, [entry], number
    )


def bare(folder: Path, steps: int) -> float:
    """Processor time of a step of the bare writer, in microseconds."""
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.executescript(BARE)
    connection.executemany("INSERT INTO instances (key) VALUES (?)", [(key,) for key in range(GROUP)])
    begin = time.process_time()
    for number in range(steps):
        first = number * GROUP
        mark = number.to_bytes(14, "big")
        rows = [(number, mark, POSITION, number, first + key, number, key) for key in range(GROUP)]
        log = [
            (first + key, key, number, first + key - GROUP, "step", "step", "step", number, b'{"":{"s":{"n":1}}}', b"1")
            for key in range(GROUP)
        ]
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "UPDATE instances SET revision = ?, transition_id = ?, position = ?, last_seq = ?, log_head = ?, updated_us = ?"
            " WHERE key = ?",
            rows,
        )
        connection.executemany("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", log)
        connection.execute("COMMIT")
    took = time.process_time() - begin
    connection.close()
    return took / (steps * GROUP) * 1e6


async def commits(folder: Path, durability: Any, instances: int, steps: int) -> float:
    """Processor time of a commit through the provider, in microseconds."""
    store = SQLitePersistenceProvider(folder / f"{durability}.db", durability=durability)
    await store.initialize()
    records = [instance(number) for number in range(instances)]
    await store.commit(creation(records))

    async def drive(record: InstanceRecord) -> None:
        for number in range(1, steps + 1):
            await store.commit(step(record, number))

    begin = time.process_time()
    await asyncio.gather(*(drive(record) for record in records))
    took = time.process_time() - begin
    await store.close()
    return took / (instances * steps) * 1e6


async def milliseconds(work: Any, repeat: int = 5) -> float:
    """Processor time of one question: the best of several."""
    best = float("inf")
    for _ in range(repeat):
        begin = time.process_time()
        found: Coroutine[Any, Any, Any] = work()
        await found
        best = min(best, time.process_time() - begin)
    return best * 1e3


async def filled(folder: Path, instances: int) -> SQLitePersistenceProvider:
    """A database of so many instances: eight types, one large owner and five hundred small ones."""
    chance = random.Random(1)
    store = SQLitePersistenceProvider(folder / "lists.db", durability="OFF")
    await store.initialize()
    for kind, version in KINDS:
        definition = DefinitionRecord(bytes([*bytes(30), kind, version]), f"Type{kind}", str(version), b"{}")
        await store.put_definition(definition)
    for first in range(0, instances, 1000):
        kinds = chance.choices(KINDS, k=1000)
        records = [
            instance(
                number,
                workflow_id=UUID(int=chance.getrandbits(128)),
                workflow_type=f"Type{kinds[number - first][0]}",
                workflow_version=str(kinds[number - first][1]),
                digest=bytes([*bytes(30), *kinds[number - first]]),
                status=chance.choice(STATUSES),
                owner_id="large" if number % 2 else f"owner{chance.randrange(500)}",
                org_id=f"org{chance.randrange(50)}",
                parent_id=UUID(int=chance.randrange(1000)) if number % 4 == 0 else None,
                current_step=f"step{chance.randrange(10)}",
                metadata={"tenant": chance.randrange(100)},
                updated_us=number + chance.randrange(1000),
            )
            for number in range(first, min(first + 1000, instances))
        ]
        await store.commit(creation(records))
    return store


async def lists(folder: Path, instances: int) -> list[Row]:
    """The pages that people look at."""
    store = await filled(folder, instances)
    connection = sqlite3.connect(folder / "lists.db")
    newest = "SELECT * FROM workflow_executions ORDER BY key DESC LIMIT 100"

    async def by_key() -> object:
        return connection.execute(newest).fetchall()

    base = await milliseconds(by_key)
    pages = {
        "newest": InstanceFilter(),
        "one status": InstanceFilter(statuses=("FAILED",)),
        "three statuses": InstanceFilter(statuses=("ACTIVE", "FAILED", "PAUSED")),
        "a type": InstanceFilter(workflow_type="Type3"),
        "a type and a status": InstanceFilter(workflow_type="Type3", statuses=("FAILED",)),
        "an owner": InstanceFilter(owner_id="owner7"),
        "the large owner, a type and a status": InstanceFilter(
            owner_id="large", workflow_type="Type3", statuses=("FAILED",)
        ),
        "the large owner, a type it never had": InstanceFilter(owner_id="large", workflow_type="None"),
        "a version": InstanceFilter(workflow_type="Type3", workflow_version="2"),
        "a definition": InstanceFilter(digest=bytes([*bytes(30), 3, 1])),
        "an organisation": InstanceFilter(org_id="org7"),
        "an organisation and a status": InstanceFilter(org_id="org7", statuses=("FAILED",)),
        "an organisation that nobody knows": InstanceFilter(org_id="none"),
        "the children of a parent": InstanceFilter(parent_id=UUID(int=77)),
        "at a step": InstanceFilter(statuses=("WAITING_HUMAN",), current_step="step3"),
        "at a step, whatever the status": InstanceFilter(current_step="step3"),
        "at a step that there is not": InstanceFilter(current_step="none"),
        "created in a span": InstanceFilter(created_after_us=instances // 3, created_before_us=instances // 2),
        "not changed since a moment": InstanceFilter(updated_before_us=instances // 2),
        "not changed since before all": InstanceFilter(updated_before_us=1),
        "one key of the metadata": InstanceFilter(metadata={"tenant": 7}),
        "metadata that nobody has": InstanceFilter(metadata={"tenant": -1}),
    }
    rows: list[Row] = []
    for name, wanted in pages.items():
        found = await milliseconds(lambda wanted=wanted: store.find_instances(wanted))
        rows.append(Row(f"100 of {instances:,}: {name}", found, "ms", "100 rows by key", base, LIST_MS))
    middle = (instances // 2, instances // 2)
    found = await milliseconds(lambda: store.find_instances(InstanceFilter(), after=middle))
    rows.append(Row(f"100 of {instances:,}: from the middle", found, "ms", "100 rows by key", base, LIST_MS))
    found = await milliseconds(lambda: store.count_instances(InstanceFilter(statuses=("ACTIVE",))))
    rows.append(Row(f"count of {instances:,}: one status", found, "ms", "100 rows by key", base, LIST_MS))
    connection.close()
    await store.close()
    return rows


def measure(instances: int) -> Table:
    """Measure everything and print the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base = min(bare(_fresh(folder, f"bare{turn}"), 200) for turn in range(3))
        grouped = min(asyncio.run(commits(_fresh(folder, f"grouped{turn}"), "FULL", GROUP, 100)) for turn in range(3))
        alone = min(asyncio.run(commits(_fresh(folder, f"alone{turn}"), "NORMAL", 1, 3000)) for turn in range(3))
        rows = [
            Row("bare grouped writer", base, "us/step", "itself", base),
            Row(f"provider, {GROUP} instances at once", grouped, "us/step", "the bare writer", base),
            Row("provider, one instance, short flushes", alone, "us/step", "the bare writer", base),
            *asyncio.run(lists(_fresh(folder, "lists"), instances)),
        ]
    return show("SQLite", rows)


def _fresh(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir()
    return made


def main() -> Table:
    """Measure as the whole run does."""
    return measure(100_000)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=100_000)
    measure(parser.parse_args().instances)
