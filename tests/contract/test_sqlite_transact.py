"""An author's statements and one transition in one transaction: together or not at all, on a file and in memory."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.implementations.persistence.sqlite import SQLITE_SCHEMA, DatabaseFileError, SQLitePersistenceProvider
from ruvon.implementations.persistence.sqlite._schema import OWN_TABLES
from ruvon.providers import (
    InboxEntry,
    InboxKind,
    PersistenceError,
    StaleWorkflowError,
    StatementError,
    UnsupportedError,
)
from ruvon.testing.contracts._records import create, message, step

OWN = "CREATE TABLE IF NOT EXISTS payments (id TEXT PRIMARY KEY, cents INTEGER NOT NULL);"
KINDS = {"file": "FULL", "short flushes": "NORMAL", "memory": "OFF"}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each way in which the provider writes."""
    return str(request.param)


@asynccontextmanager
async def opened(kind: str, folder: Path) -> AsyncIterator[SQLitePersistenceProvider]:
    """A provider with a table of the application's own."""
    path = ":memory:" if kind == "memory" else str(folder / "a.db")
    store = SQLitePersistenceProvider(path, durability=KINDS[kind], schema=SQLITE_SCHEMA + OWN)  # type: ignore[arg-type]
    await store.initialize()
    try:
        yield store
    finally:
        await store.close()


async def payments(store: SQLitePersistenceProvider) -> list[tuple[Any, ...]]:
    """What is in the application's table."""
    async with store.transact() as sql:
        return await sql.execute("SELECT id, cents FROM payments ORDER BY id")


def test_statements_and_transition_are_written_together(kind: str, tmp_path: Path) -> None:
    """On return of `commit` both are there; rows come back as tuples, parameters by place or by name."""

    async def scenario() -> None:
        async with opened(kind, tmp_path) as store:
            record = await create(store)
            async with store.transact() as sql:
                assert await sql.execute("INSERT INTO payments VALUES (?, ?)", ("p1", 500)) == []
                values = {"id": "p2", "cents": 7}
                assert await sql.execute("INSERT INTO payments VALUES (:id, :cents) RETURNING id", values) == [("p2",)]
                await sql.commit(step(record, 1))
            assert await payments(store) == [("p1", 500), ("p2", 7)]
            assert (await store.load_instance(record.workflow_id)).revision == 1
            assert len(await store.read_log(record.workflow_id)) == 1

    asyncio.run(scenario())


def test_leaving_without_commit_rolls_back(kind: str, tmp_path: Path) -> None:
    """Silently, or with the error that ended it."""

    async def scenario() -> None:
        async with opened(kind, tmp_path) as store:
            async with store.transact() as sql:
                await sql.execute("INSERT INTO payments VALUES ('p1', 1)")
            with pytest.raises(KeyError):
                await _fail_inside(store)
            assert await payments(store) == []

    asyncio.run(scenario())


async def _fail_inside(store: SQLitePersistenceProvider) -> None:
    async with store.transact() as sql:
        await sql.execute("INSERT INTO payments VALUES ('p2', 1)")
        raise KeyError


def test_a_stale_transition_takes_the_statements_with_it(kind: str, tmp_path: Path) -> None:
    """The guard holds for both."""

    async def scenario() -> None:
        async with opened(kind, tmp_path) as store:
            record = await create(store)
            async with store.transact() as sql:
                await sql.execute("INSERT INTO payments VALUES ('p1', 1)")
                with pytest.raises(StaleWorkflowError):
                    await sql.commit(step(record, 5))
            assert await payments(store) == []
            await store.commit(step(record, 1))

    asyncio.run(scenario())


def test_other_commits_wait_for_the_end(kind: str, tmp_path: Path) -> None:
    """The session holds the write turn: a commit of another task is done after it, in order."""

    async def scenario() -> None:
        async with opened(kind, tmp_path) as store:
            record, other = await create(store), await create(store)
            async with store.transact() as sql:
                waiting = asyncio.create_task(store.commit(step(other, 1)))
                for number in range(20):
                    await sql.execute("INSERT INTO payments VALUES (?, 1)", (f"p{number}",))
                assert not waiting.done()
                await sql.commit(step(record, 1))
            await waiting
            assert (await store.load_instance(other.workflow_id)).revision == 1

    asyncio.run(scenario())


def test_commits_in_front_of_a_session_do_not_wait_for_it(kind: str, tmp_path: Path) -> None:
    """A session whose code waits for an earlier commit goes on."""

    async def scenario() -> None:
        async with opened(kind, tmp_path) as store:
            records = [await create(store) for _ in range(5)]
            earlier = [asyncio.create_task(store.commit(step(record, 1))) for record in records[1:]]
            await asyncio.sleep(0)
            async with store.transact() as sql:
                await asyncio.wait_for(asyncio.gather(*earlier), 10)
                await sql.commit(step(records[0], 1))
            assert [(await store.load_instance(record.workflow_id)).revision for record in records] == [1] * 5

    asyncio.run(scenario())


def test_sessions_take_turns(kind: str, tmp_path: Path) -> None:
    """Each sees what the one before it has committed."""

    async def scenario() -> None:
        async with opened(kind, tmp_path) as store:
            records = [await create(store) for _ in range(8)]

            async def pay(record: Any) -> None:
                async with store.transact() as sql:
                    ((count,),) = await sql.execute("SELECT count(*) FROM payments")
                    await sql.execute("INSERT INTO payments VALUES (?, 1)", (f"p{count}",))
                    await sql.commit(step(record, 1))

            await asyncio.gather(*(pay(record) for record in records))
            assert [row[0] for row in await payments(store)] == [f"p{number}" for number in range(8)]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "statement",
    [
        *(f"DROP TABLE {name}" for name in sorted(OWN_TABLES)),
        "SELECT count(*) FROM WORKFLOW_EXECUTIONS",
        'SELECT 1 FROM main."workflow_executions"',
        "DELETE FROM tasks",
        "UPDATE workflow_executions SET status = 'COMPLETED'",
        "INSERT INTO payments SELECT id, 1 FROM workflow_executions",
        "DROP TABLE workflow_audit_log",
        "ALTER TABLE workflow_audit_log ADD COLUMN mine TEXT",
        "CREATE INDEX mine ON workflow_audit_log (note)",
        "CREATE TEMP TABLE workflow_executions (key)",
        "CREATE TEMP TRIGGER mine AFTER INSERT ON workflow_audit_log BEGIN SELECT 1; END",
        "WITH x AS (SELECT id FROM workflow_executions) SELECT * FROM x",
        "SELECT coalesce((SELECT max(id) FROM workflow_audit_log), 0)",
    ],
)
def test_tables_of_ruvon_are_out_of_reach(statement: str, tmp_path: Path) -> None:
    """Whatever the statement looks like; the transaction stays usable, and the engine's own statements go on working."""

    async def scenario() -> None:
        async with opened("file", tmp_path) as store:
            record = await create(store)
            async with store.transact() as sql:
                await sql.execute("INSERT INTO payments VALUES ('p1', 1)")
                with pytest.raises(StatementError, match="a table of Ruvon's own; use tables of yours"):
                    await sql.execute(statement)
                await sql.commit(step(record, 1))
            assert await payments(store) == [("p1", 1)]
            await store.commit(step(record, 2))

    asyncio.run(scenario())


def test_views_and_triggers_reach_no_further(tmp_path: Path) -> None:
    """A view made behind the provider's back is seen through; a column may have the name of a table of Ruvon's."""

    async def scenario() -> None:
        async with opened("file", tmp_path) as store:
            connection = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
            connection.execute("CREATE VIEW peek AS SELECT id FROM workflow_executions")
            connection.execute("CREATE TABLE mine (tasks TEXT)")
            connection.close()
            async with store.transact() as sql:
                with pytest.raises(StatementError, match="workflow_executions"):
                    await sql.execute("SELECT * FROM peek")
                await sql.execute("INSERT INTO mine (tasks) VALUES ('x')")
                assert await sql.execute("UPDATE mine SET tasks = 'y' RETURNING tasks") == [("y",)]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "statement",
    [
        "COMMIT",
        "ROLLBACK",
        "BEGIN",
        "SAVEPOINT a",
        "PRAGMA synchronous = OFF",
        "PRAGMA user_version",
        "ATTACH DATABASE ':memory:' AS other",
    ],
)
def test_the_transaction_is_not_the_authors_to_steer(statement: str, kind: str, tmp_path: Path) -> None:
    """Transaction control and settings are refused."""

    async def scenario() -> None:
        async with opened(kind, tmp_path) as store, store.transact() as sql:
            with pytest.raises(StatementError, match="`transact` itself begins and ends"):
                await sql.execute(statement)

    asyncio.run(scenario())


def test_a_failing_statement_says_why_and_changes_nothing(kind: str, tmp_path: Path) -> None:
    """The driver's own error is the cause, and what was executed before stays in the transaction."""

    async def scenario() -> None:
        async with opened(kind, tmp_path) as store:
            record = await create(store)
            async with store.transact() as sql:
                await sql.execute("INSERT INTO payments VALUES ('p1', 1)")
                with pytest.raises(StatementError, match=r"UNIQUE constraint failed: payments\.id") as caught:
                    await sql.execute("INSERT INTO payments VALUES ('p1', 2)")
                assert isinstance(caught.value.__cause__, sqlite3.IntegrityError)
                with pytest.raises(StatementError, match=r"no such table: payment$"):
                    await sql.execute("SELECT 1 FROM payment ")
                with pytest.raises(StatementError, match="one statement"):
                    await sql.execute("SELECT 1; SELECT 2")
                await sql.commit(step(record, 1))
            assert await payments(store) == [("p1", 1)]

    asyncio.run(scenario())


def test_a_statement_that_ends_the_transaction_ends_it_for_good(kind: str, tmp_path: Path) -> None:
    """After `ON CONFLICT ROLLBACK` nothing runs outside a transaction, and the transition is not written."""

    async def scenario() -> None:
        async with opened(kind, tmp_path) as store:
            record = await create(store)
            async with store.transact() as sql:
                await sql.execute("INSERT INTO payments VALUES ('p1', 1)")
                with pytest.raises(StatementError):
                    await sql.execute("INSERT OR ROLLBACK INTO payments VALUES ('p1', 2)")
                with pytest.raises(DatabaseFileError, match="rolled the transaction back"):
                    await sql.execute("INSERT INTO payments VALUES ('p2', 2)")
                with pytest.raises(DatabaseFileError, match="rolled the transaction back"):
                    await sql.commit(step(record, 1))
            assert await payments(store) == []
            assert (await store.load_instance(record.workflow_id)).revision == 0

    asyncio.run(scenario())


def test_a_full_disk_refuses_both(tmp_path: Path) -> None:
    """A typed error, nothing of it is written, and there is a next time."""

    async def scenario() -> None:
        async with opened("file", tmp_path) as store:
            record = await create(store)
            assert store._connection is not None
            pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
            store._connection.execute(f"PRAGMA max_page_count = {pages}")
            big = step(record, 1, snapshot=b"x" * 200_000)
            async with store.transact() as sql:
                await sql.execute("INSERT INTO payments VALUES ('p1', 1)")
                with pytest.raises(DatabaseFileError, match="the disk is full"):
                    await sql.commit(big)
            store._connection.execute("PRAGMA max_page_count = 1000000")
            assert await payments(store) == []
            await store.commit(big)

    asyncio.run(scenario())


def test_after_its_commit_a_session_is_over(kind: str, tmp_path: Path) -> None:
    """Nothing more is executed or committed in it."""

    async def scenario() -> None:
        async with opened(kind, tmp_path) as store:
            record = await create(store)
            async with store.transact() as sql:
                await sql.commit(step(record, 1))
                with pytest.raises(StatementError, match="has ended"):
                    await sql.execute("SELECT 1")
                with pytest.raises(PersistenceError, match="has ended"):
                    await sql.commit(step(record, 2))

    asyncio.run(scenario())


def test_a_task_that_would_wait_for_itself_is_told(kind: str, tmp_path: Path) -> None:
    """Writing past the session it holds would never end."""

    async def scenario() -> None:
        async with opened(kind, tmp_path) as store:
            record = await create(store)
            async with store.transact():
                with pytest.raises(PersistenceError, match="waits forever"):
                    await store.commit(step(record, 1))
            await store.commit(step(record, 1))

    asyncio.run(scenario())


def test_a_cancelled_task_gives_the_turn_back(kind: str, tmp_path: Path) -> None:
    """In the middle of its session, and while it waits for its turn."""

    async def scenario() -> None:
        async with opened(kind, tmp_path) as store:
            record = await create(store)
            inside = asyncio.Event()

            async def hold() -> None:
                async with store.transact() as sql:
                    await sql.execute("INSERT INTO payments VALUES ('p1', 1)")
                    inside.set()
                    await asyncio.Event().wait()

            holding = asyncio.create_task(hold())
            await inside.wait()
            waiting = asyncio.create_task(hold())
            await asyncio.sleep(0)
            waiting.cancel()
            holding.cancel()
            done = await asyncio.wait_for(asyncio.gather(holding, waiting, return_exceptions=True), 10)
            assert [type(item) for item in done] == [asyncio.CancelledError] * 2
            await store.commit(step(record, 1))
            assert await payments(store) == []

    asyncio.run(scenario())


def test_closing_rolls_an_open_session_back(kind: str, tmp_path: Path) -> None:
    """`close` does not wait for a session that is never left."""

    async def scenario() -> None:
        async with opened(kind, tmp_path) as store:
            async with store.transact() as sql:
                await sql.execute("INSERT INTO payments VALUES ('p1', 1)")
                await asyncio.wait_for(store.close(), 10)
                with pytest.raises(StatementError, match="has ended"):
                    await sql.execute("SELECT 1")
            if kind != "memory":
                await store.initialize()
                assert await payments(store) == []

    asyncio.run(scenario())


def test_a_message_of_the_transition_wakes_its_holder(kind: str, tmp_path: Path) -> None:
    """As with every other commit."""

    async def scenario() -> None:
        async with opened(kind, tmp_path) as store:
            record, other = await create(store), await create(store)
            hold = await store.hold(other.workflow_id)
            heard = asyncio.Event()
            hold.listen(heard.set)
            async with store.transact() as sql:
                await sql.execute("SELECT 1")
                assert not heard.is_set()
                await sql.commit(step(record, 1, sent=(message(other, "x"),)))
            await asyncio.wait_for(heard.wait(), 5)
            assert [entry.payload for entry in await store.read_inbox(other.workflow_id)] == [b"x"]
            await hold.release()

    asyncio.run(scenario())


def test_two_processes_take_turns(tmp_path: Path) -> None:
    """Another provider on the same file waits for the end of the session, and then writes."""

    async def scenario() -> None:
        async with opened("file", tmp_path) as one, opened("file", tmp_path) as two:
            record = await create(one)
            async with one.transact() as sql:
                entry = InboxEntry(record.workflow_id, InboxKind.SIGNAL, "n", b"1")
                waiting = asyncio.create_task(two.append_inbox(entry))
                await sql.execute("INSERT INTO payments VALUES ('p1', 1)")
                assert not waiting.done()
                await sql.commit(step(record, 1))
            assert await waiting
            assert await payments(two) == [("p1", 1)]

    asyncio.run(scenario())


def test_the_memory_store_names_the_remedy() -> None:
    """It has no SQL."""
    with pytest.raises(UnsupportedError, match="use the SQLite store"):
        MemoryPersistenceProvider().transact()
