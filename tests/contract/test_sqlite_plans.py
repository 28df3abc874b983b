"""How SQLite answers: through which index, and with how many statements. A plan that scans the table fails here."""

import asyncio
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from ruvon.implementations.persistence.sqlite import SQLITE_SCHEMA, SQLitePersistenceProvider
from ruvon.implementations.persistence.sqlite import _statements as sql
from ruvon.testing.contracts._records import create, step

FILTER = dict.fromkeys(
    (
        "statuses", "type", "version", "digest", "owner", "org", "parent", "step", "from_us", "until_us",
        "updated_before", "metadata", "fragment", "limit", "after_us", "after_key",
    )
)  # fmt: skip
RANGES = {
    "status": "ix_executions_status (status=? AND created_us>? AND created_us<?)",
    "type": "ix_executions_type (workflow_type=? AND status=? AND created_us>? AND created_us<?)",
    "digest": "ix_executions_type (workflow_type=? AND status=? AND created_us>? AND created_us<?)",
    "owner": "ix_executions_owner (owner_id=? AND status=? AND created_us>? AND created_us<?)",
    "parent": "ix_executions_parent (parent_id=?)",
}

SMALL = {
    "CONSTANT",
    "changed",
    "present",
    "wanted",
    "json_each",
    "m",
    "found",
    "chain",
    "line",
    "c",
    "d",
    "workflow_definitions",
}
"""Names in the statements of what is made on the way, and of definitions, which are few."""


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """An empty database without statistics, as every new one is."""
    made = sqlite3.connect(":memory:")
    made.executescript(SQLITE_SCHEMA)
    yield made
    made.close()


def plan(connection: sqlite3.Connection, statement: str, values: Any) -> list[str]:
    """The steps of a query plan."""
    return [str(row[3]) for row in connection.execute("EXPLAIN QUERY PLAN " + statement, values)]


def scans(steps: list[str]) -> list[str]:
    """Steps that read a whole table of rows."""
    return [text for text in steps if text.startswith("SCAN ") and text.split()[1] not in SMALL]


@pytest.mark.parametrize("driver", sorted(RANGES))
def test_a_list_reads_one_ordered_range_for_each_status(connection: sqlite3.Connection, driver: str) -> None:
    """Whatever is given, rows come through its index, and the rest by key."""
    for statement in (sql.FIND[driver], sql.COUNT[driver]):
        steps = plan(connection, statement, FILTER)
        used = [text for text in steps if text.startswith("SEARCH f ")]
        assert [text.partition(" INDEX ")[2] for text in used] == [RANGES[driver]]
        assert scans(steps) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("step", "SCAN f"),
        ("updated_before", "SCAN f"),
        ("metadata", "SEARCH f USING INDEX ix_executions_metadata (created_us>? AND created_us<?)"),
    ],
)
def test_what_is_rare_is_read_in_one_go(connection: sqlite3.Connection, name: str, expected: str) -> None:
    """Metadata through its index; what changes with every step in the order of the file, once."""
    for statement in (sql.FIND_RARE[name], sql.COUNT_RARE[name]):
        used = [text for text in plan(connection, statement, FILTER) if text.split()[1] == "f"]
        assert used == [expected]


def test_every_driver_is_looked_at() -> None:
    """A new one needs its line above."""
    assert set(sql.FIND) == set(sql.COUNT) == set(RANGES)


@pytest.mark.parametrize(
    ("statement", "values", "through"),
    [
        (sql.DUE, (1, 2), "ix_executions_due (due_us<?)"),
        (sql.PURGEABLE, dict.fromkeys(("ended", "before", "type", "limit")), "ix_executions_status (status=? AND"),
        (sql.READ_SNAPSHOT, {"id": "x", "at": 1}, "INTEGER PRIMARY KEY"),
        (sql.READ_LOG, {"id": "x", "after": 1, "saga": 0, "limit": 1}, "INTEGER PRIMARY KEY"),
        (sql.LOG_UP_TO, {"key": 1, "seq": 1}, "INTEGER PRIMARY KEY"),
        (sql.SNAPSHOTS_UP_TO, {"key": 1}, "INTEGER PRIMARY KEY"),
        (sql.LOAD_INSTANCE, ("x",), "INTEGER PRIMARY KEY"),
        (sql.DROP_LOG, (1,), "INTEGER PRIMARY KEY"),
        (sql.DROP_SNAPSHOTS, (1,), "INTEGER PRIMARY KEY"),
        (sql.READ_OUTBOX, (1, 1), "INTEGER PRIMARY KEY"),
        (
            sql.CHANGED,
            {"live": "[]", "ended": "[]", "floor": 1, "after_us": 1, "after_key": 1, "limit": 1},
            "ix_executions_status (status=? AND created_us>?)",
        ),
        (sql.LOG_BACK, (1,), "INTEGER PRIMARY KEY"),
        (sql.COUNT_BY_DEFINITION, {"type": None, "ended": "[]"}, "COVERING INDEX ix_executions_type"),
    ],
)
def test_no_answer_reads_a_whole_table(
    connection: sqlite3.Connection, statement: str, values: object, through: str
) -> None:
    """Rows are reached by key or by an index."""
    steps = plan(connection, statement, values)
    assert any(through in text for text in steps)
    assert scans(steps) == []


def test_deleting_an_instance_reads_no_whole_table(connection: sqlite3.Connection) -> None:
    """What belongs to it is reached by its id."""
    for statement in sql.DELETE_WORKFLOW:
        assert all("SCAN" not in text for text in plan(connection, statement, {"id": "x"})), statement


def test_a_step_takes_five_statements() -> None:
    """Begin, whether somebody else wrote, the row, the log, commit: what the step before left is read no more."""

    async def scenario() -> list[str]:
        store = SQLitePersistenceProvider(":memory:")
        await store.initialize()
        record = await create(store)
        await store.commit(step(record, 1))
        seen: list[str] = []
        assert store._connection is not None
        store._connection.set_trace_callback(lambda text: seen.append(text.split()[0]))
        made = step(record, 2)
        made.entries[0].position = made.position
        await store.commit(made)
        await store.close()
        return seen

    assert asyncio.run(scenario()) == ["BEGIN", "PRAGMA", "UPDATE", "INSERT", "COMMIT"]
