"""A file of an earlier version is brought up to date at the first start: nothing is lost, and everything goes on."""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ruvon.implementations.persistence.sqlite import (
    SQLITE_SCHEMA,
    DatabaseFileError,
    SQLitePersistenceProvider,
    _connection,
)
from ruvon.implementations.persistence.sqlite._schema import SCHEMA_VERSION
from ruvon.implementations.persistence.sqlite._upgrade import UPGRADES, statements_of
from ruvon.providers import HistoryForgottenError, InstanceFilter
from tests.support.golden import GOLDEN
from tests.support.saved_database import finish, open_database

SAVED = GOLDEN / "saved_db"
VERSIONS = sorted(file.stem for file in SAVED.glob("*.sqlite"))
ENDS = {
    "SavedApproval": ("COMPLETED", "fine 2 2.10", []),
    "SavedChild": ("COMPLETED", 9, []),
    "SavedFailure": ("FAILED", None, []),
    "SavedFork": ("COMPLETED", ("ONE", "two", 3), []),
    "SavedLong": ("COMPLETED", 150, []),
    "SavedLoop": ("COMPLETED", ["WORD Z", "WORD A", "WORD M"], ["WORD Z", "WORD A", "WORD M"]),
    "SavedParent": ("COMPLETED", 11, []),
    "SavedSleeper": ("COMPLETED", "early", []),
    "SavedSuccess": ("COMPLETED", 1, []),
    "SavedTrip": (
        "FAILED_ROLLED_BACK",
        None,
        ["released hold-car of car", "released hold-hotel of hotel", "released hold-flight of flight"],
    ),
}


@pytest.fixture(params=VERSIONS)
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of the saved file of each earlier version."""
    return Path(shutil.copy(SAVED / f"{request.param}.sqlite", tmp_path / "saved.db"))


def run_on(path: Path, work: Any) -> Any:
    """Do something with an open provider."""

    async def whole() -> Any:
        store = SQLitePersistenceProvider(path)
        await store.initialize()
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(whole())


def tables_of(path: Path) -> dict[str, Any]:
    """Tables with their columns and indexes, indexes with theirs."""
    connection = sqlite3.connect(path)
    try:
        names = connection.execute("SELECT type, name, tbl_name FROM sqlite_master ORDER BY name").fetchall()
        found: dict[str, Any] = {"version": connection.execute("PRAGMA user_version").fetchall()}
        for kind, name, table in names:
            pragma = "table_xinfo" if kind == "table" else "index_xinfo"
            found[name] = (kind, table, connection.execute(f"PRAGMA {pragma}({name})").fetchall())
    finally:
        connection.close()
    return found


def version_of(path: Path) -> int:
    """The version that a file has."""
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])
    finally:
        connection.close()


def rows_of(path: Path) -> dict[str, int]:
    """How many rows each table has."""
    connection = sqlite3.connect(path)
    try:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        counts = "SELECT count(*) FROM {}"
        return {name: connection.execute(counts.format(name)).fetchone()[0] for name in names}
    finally:
        connection.close()


async def nothing(_store: SQLitePersistenceProvider) -> None:
    """Only open and close."""


def test_a_file_of_every_version_is_kept() -> None:
    """Raising the version needs a saved file of the one before, and its upgrade."""
    assert [f"v{version}" for version in sorted(UPGRADES)] == VERSIONS


def test_an_upgraded_file_is_as_a_fresh_one(saved: Path, tmp_path: Path) -> None:
    """The same tables, columns in the same order, indexes and version."""
    run_on(saved, nothing)
    run_on(tmp_path / "fresh.db", nothing)

    assert tables_of(saved) == tables_of(tmp_path / "fresh.db")


def test_an_upgrade_loses_no_row(saved: Path) -> None:
    """Every table has its rows, and the file is sound; a second start changes nothing."""
    before = rows_of(saved)
    run_on(saved, nothing)
    after = rows_of(saved)

    assert {name: after[name] for name in before} == before
    assert run_on(saved, lambda store: store.check()) == []
    assert rows_of(saved) == after


def test_instances_of_an_earlier_version_go_on_to_their_end(saved: Path) -> None:
    """Waits, loops, a fork, a rollback in its middle, children and timers end as they would have ended."""

    async def scenario() -> Any:
        builder = await open_database(saved)
        ends = await finish(builder)
        problems = await builder.persistence.check()  # type: ignore[attr-defined]
        await builder.close()
        return ends, problems

    assert asyncio.run(scenario()) == (ENDS, [])


@pytest.mark.parametrize("saved", ["v1"], indirect=True)
def test_what_the_new_columns_say_of_old_rows(saved: Path) -> None:
    """Lists, snapshots, definitions, positions, events, schedules answer for rows that were written without them."""
    earlier = version_of(saved)

    async def work(store: SQLitePersistenceProvider) -> None:
        found = {item.workflow_type: item for item in await store.find_instances(InstanceFilter(owner_id="saver"))}
        assert set(found) >= {"SavedApproval", "SavedLoop", "SavedLong", "SavedFork", "SavedParent"}
        rows = await store.list_workflows(workflow_type="SavedLong")
        (row,) = [await store.load_instance(item["workflow_id"]) for item in rows]
        assert await store.read_snapshot(row.workflow_id, at=row.last_seq) == (row.snapshot_seq, row.snapshot)
        if earlier == 1:  # snapshots had one row for each workflow
            with pytest.raises(HistoryForgottenError):
                await store.read_snapshot(row.workflow_id, at=row.snapshot_seq - 1)
        log = await store.read_log(row.workflow_id)
        kept = [entry.position for entry in log]
        assert kept[-1] == row.position
        assert earlier > 1 or kept[:-1] == [b""] * (len(log) - 1)
        definitions = await store.list_definitions()
        assert [item.workflow_type for item in definitions][:2] == ["SavedApproval", "SavedLoop"]
        assert all(item.stored_us for item in definitions)
        events = {(event.workflow_id, event.key) for event in await store.read_outbox()}
        assert earlier > 1 or events == {(None, "")}
        schedules = [(item.schedule_id, item.org_id, item.data_region) for item in await store.list_schedules()]
        assert schedules == ([("nightly", "saver", None)] if earlier > 1 else [])
        assert await store.load_workflow("own document") == {"status": "NEW", "state": {"a": [1]}}

    run_on(saved, work)


@pytest.mark.parametrize("saved", ["v1", "v2", "v3"], indirect=True)
def test_tasks_of_an_old_file_are_claimed(saved: Path) -> None:
    """What lay in the queue has no crash and no progress, and a worker takes it."""
    connection = sqlite3.connect(saved, isolation_level=None)
    connection.execute(
        "INSERT INTO tasks VALUES ('t', '00000000-0000-0000-0000-000000000001', 'step', 'a', 'q', 0, 0, x'', 1,"
        " 'pending', NULL, 0, 0)"
    )
    connection.close()

    async def work(store: SQLitePersistenceProvider) -> None:
        (task,) = await store.claim_tasks("w", lease_us=5, now_us=1)
        assert (task.task_id, task.crashes, task.progress) == ("t", 0, None)

    run_on(saved, work)


OBSTACLES = {
    "v1": "CREATE TABLE workflow_snapshots_1 (mine)",
    "v2": "ALTER TABLE workflow_schedules ADD COLUMN data_region TEXT",
    "v3": "ALTER TABLE tasks ADD COLUMN progress BLOB",
}
"""What stands in the way of the upgrade from a version."""


@pytest.mark.parametrize(
    ("saved", "obstacle", "named"),
    [("v1", "v1", "workflow_snapshots_1"), ("v2", "v2", "data_region"), ("v3", "v3", "progress")],
    indirect=["saved"],
)
def test_an_upgrade_that_fails_leaves_the_file_as_it_was(saved: Path, obstacle: str, named: str) -> None:
    """All of it or nothing: the old version still reads the file."""
    connection = sqlite3.connect(saved, isolation_level=None)
    connection.execute(OBSTACLES[obstacle])
    connection.close()
    before = tables_of(saved)

    with pytest.raises(DatabaseFileError, match=named):
        run_on(saved, nothing)

    assert tables_of(saved) == before


def test_one_of_two_starts_upgrades(saved: Path) -> None:
    """Two that open an old file at once both find it as it should be."""

    async def scenario() -> None:
        stores = [SQLitePersistenceProvider(saved) for _ in range(2)]
        await asyncio.gather(*(asyncio.to_thread(asyncio.run, store.initialize()) for store in stores))
        for store in stores:
            assert await store.check() == []
            await store.close()

    asyncio.run(scenario())


def test_a_look_at_an_old_file_does_not_mix_two_moments(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process upgrades the file between the two things that are read of it."""
    read_version = _connection._version_of

    with closing(sqlite3.connect(saved, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = WAL")  # as a start leaves it; whoever reads stops nobody who writes

        def version_of(reader: sqlite3.Connection) -> int:
            found = read_version(reader)
            monkeypatch.setattr(_connection, "_version_of", read_version)
            _connection.migrate(other, str(saved), SQLITE_SCHEMA)
            return found

        monkeypatch.setattr(_connection, "_version_of", version_of)
        _connection.refuse_foreign(str(saved), SQLITE_SCHEMA)

        assert read_version(other) == SCHEMA_VERSION


def test_a_script_is_taken_statement_by_statement() -> None:
    """Semicolons in texts, comments and triggers end nothing."""
    parts = [
        "CREATE TABLE a (b);",
        " -- one; two\nINSERT INTO a VALUES (';');",
        "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; SELECT 2; END;",
        "\nSELECT 1",
    ]

    assert list(statements_of("".join(parts))) == parts
    assert list(statements_of("SELECT 1;\n -- the end\n")) == ["SELECT 1;"]
