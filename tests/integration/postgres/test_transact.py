"""An author's statements and one transition in one transaction of PostgreSQL: together or not at all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from pydantic import BaseModel

from ruvon import StepContext, step, workflow
from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.postgres import PostgresPersistenceProvider
from ruvon.implementations.persistence.postgres._placeholders import first_word, numbered
from ruvon.implementations.persistence.postgres._session import OWN_TABLES
from ruvon.providers import PersistenceError, StaleWorkflowError, StatementError
from ruvon.testing.contracts._records import create, message
from ruvon.testing.contracts._records import step as made_step
from tests.support.postgres import database, emptied, needs_postgres, query, store

pytestmark = needs_postgres


@pytest.fixture(autouse=True)
def _payments() -> Any:
    emptied()
    query(database(), "DROP TABLE IF EXISTS payments CASCADE")
    query(database(), "CREATE TABLE payments (id text PRIMARY KEY, cents integer NOT NULL)")
    yield
    query(database(), "DROP TABLE payments CASCADE")


@asynccontextmanager
async def opened() -> AsyncIterator[PostgresPersistenceProvider]:
    """An open provider."""
    made = store()
    await made.initialize()
    try:
        yield made
    finally:
        await made.close()


async def payments(provider: PostgresPersistenceProvider) -> list[tuple[Any, ...]]:
    """What is in the application's table."""
    async with provider.transact() as sql:
        return await sql.execute("SELECT id, cents FROM payments ORDER BY id")


def test_statements_and_transition_are_written_together() -> None:
    """On return of `commit` both are there; parameters by mark, by name, or in the words of the server."""

    async def scenario() -> None:
        async with opened() as one:
            record = await create(one)
            async with one.transact() as sql:
                assert await sql.execute("INSERT INTO payments VALUES (?, ?)", ("p1", 500)) == []
                values = {"id": "p2", "cents": 7}
                assert await sql.execute("INSERT INTO payments VALUES (:id, :cents) RETURNING id", values) == [("p2",)]
                await sql.execute("INSERT INTO payments VALUES ($2, $1::int)", (9, "p3"))
                await sql.commit(made_step(record, 1))
            assert await payments(one) == [("p1", 500), ("p2", 7), ("p3", 9)]
            assert (await one.load_instance(record.workflow_id)).revision == 1

    asyncio.run(scenario())


def test_leaving_without_commit_rolls_back() -> None:
    """Also after a statement that failed, and other commits do not wait for the session."""

    async def scenario() -> None:
        async with opened() as one:
            record = await create(one)
            async with one.transact() as sql:
                await sql.execute("INSERT INTO payments VALUES ('p1', 1)")
                await one.commit(made_step(record, 1))
                with pytest.raises(StatementError):
                    await sql.execute("INSERT INTO payments VALUES ('p1', 1)")
            assert await payments(one) == []

    asyncio.run(scenario())


def test_a_stale_transition_takes_the_statements_with_it() -> None:
    """The guard holds for both."""

    async def scenario() -> None:
        async with opened() as one:
            record = await create(one)
            async with one.transact() as sql:
                await sql.execute("INSERT INTO payments VALUES ('p1', 1)")
                with pytest.raises(StaleWorkflowError):
                    await sql.commit(made_step(record, 5))
            assert await payments(one) == []

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "statement",
    [
        *(f"DROP TABLE {name} CASCADE" for name in sorted(OWN_TABLES)),
        "SELECT count(*) FROM WORKFLOW_EXECUTIONS",
        'SELECT 1 FROM public."workflow_executions"',
        "UPDATE workflow_executions SET status = 'COMPLETED'",
        "INSERT INTO payments SELECT id, 1 FROM workflow_executions",
        "ALTER TABLE workflow_audit_log ADD COLUMN mine TEXT",
        "CREATE INDEX mine ON workflow_audit_log (note)",
        "WITH x AS (SELECT id FROM workflow_executions) SELECT * FROM x",
        "SELECT * FROM peek",
        "SELECT peeked()",
        "UPDATE payments SET cents = 2",
    ],
)
def test_tables_of_ruvon_are_out_of_reach(statement: str) -> None:
    """Through views, functions and triggers too; the transaction stays usable, and nothing of the statement is left."""
    query(database(), "CREATE OR REPLACE VIEW peek AS SELECT id FROM workflow_executions")
    query(database(), "CREATE OR REPLACE FUNCTION peeked() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM tasks'")
    query(
        database(),
        "CREATE OR REPLACE FUNCTION looked() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM 1 FROM workflow_outbox; RETURN NEW; END $$",
    )
    query(database(), "CREATE TRIGGER looks BEFORE UPDATE ON payments FOR EACH ROW EXECUTE FUNCTION looked()")

    async def scenario() -> None:
        async with opened() as one:
            record = await create(one)
            async with one.transact() as sql:
                await sql.execute("INSERT INTO payments VALUES ('p1', 1)")
                with pytest.raises(StatementError, match="a table of Ruvon's own; use tables of yours"):
                    await sql.execute(statement)
                await sql.commit(made_step(record, 1))
            assert await payments(one) == [("p1", 1)]
            await one.commit(made_step(record, 2))

    try:
        asyncio.run(scenario())
    finally:
        query(database(), "DROP VIEW IF EXISTS peek")
        query(database(), "DROP FUNCTION peeked, looked CASCADE")


@pytest.mark.parametrize(
    "statement",
    ["COMMIT", "ROLLBACK", "BEGIN", "/* x */ SAVEPOINT a", "-- x\nSET synchronous_commit = off", "LOCK payments"],
)
def test_the_transaction_is_not_the_authors_to_steer(statement: str) -> None:
    """Transaction control and settings are refused."""

    async def scenario() -> None:
        async with opened() as one, one.transact() as sql:
            with pytest.raises(StatementError, match="`transact` itself begins and ends"):
                await sql.execute(statement)

    asyncio.run(scenario())


def test_a_failing_statement_says_why_and_changes_nothing() -> None:
    """The driver's own error is the cause, and what was executed before stays in the transaction."""

    async def scenario() -> None:
        async with opened() as one:
            record = await create(one)
            async with one.transact() as sql:
                await sql.execute("INSERT INTO payments VALUES ('p1', 1)")
                with pytest.raises(StatementError, match="duplicate key") as caught:
                    await sql.execute("INSERT INTO payments VALUES ('p1', 2)")
                assert isinstance(caught.value.__cause__, asyncpg.UniqueViolationError)
                for statement, values, says in (
                    ("SELECT 1 FROM payment", (), 'relation "payment" does not exist'),
                    ("SELECT 1; SELECT 2", (), "multiple commands"),
                    ("SELECT ?", (), "1 parameters, and 0 values"),
                    ("SELECT :a", {"b": 1}, "the parameter :a has no value"),
                    ("INSERT INTO payments VALUES (?, ?)", ("p2", "text"), "invalid input for query argument"),
                ):
                    with pytest.raises(StatementError, match=says):
                        await sql.execute(statement, values)  # type: ignore[arg-type]
                await sql.commit(made_step(record, 1))
            assert await payments(one) == [("p1", 1)]

    asyncio.run(scenario())


def test_a_constraint_that_speaks_at_the_commit_refuses_both() -> None:
    """A deferred one: nothing is written."""
    query(database(), "CREATE TABLE lines (payment text REFERENCES payments DEFERRABLE INITIALLY DEFERRED)")

    async def scenario() -> None:
        async with opened() as one:
            record = await create(one)
            async with one.transact() as sql:
                await sql.execute("INSERT INTO lines VALUES ('nothing')")
                with pytest.raises(PersistenceError, match="foreign key"):
                    await sql.commit(made_step(record, 1))
            assert (await one.load_instance(record.workflow_id)).revision == 0

    asyncio.run(scenario())
    query(database(), "DROP TABLE lines")


def test_closing_rolls_an_open_session_back() -> None:
    """`close` does not wait for a session that is never left."""

    async def scenario() -> None:
        async with opened() as one:
            async with one.transact() as sql:
                await sql.execute("INSERT INTO payments VALUES ('p1', 1)")
                await asyncio.wait_for(one.close(), 20)
                with pytest.raises(StatementError, match="has ended"):
                    await sql.execute("SELECT 1")
            await one.initialize()
            assert await payments(one) == []

    asyncio.run(scenario())


def test_a_message_of_the_transition_wakes_its_holder() -> None:
    """As with every other commit, in another process too."""

    async def scenario() -> None:
        async with opened() as one, opened() as two:
            record, other = await create(one), await create(one)
            hold = await two.hold(other.workflow_id)
            heard = asyncio.Event()
            hold.listen(heard.set)
            async with one.transact() as sql:
                await sql.execute("SELECT 1")
                assert await two.read_inbox(other.workflow_id) == []
                assert not heard.is_set()
                await sql.commit(made_step(record, 1, sent=(message(other, "x"),)))
            await asyncio.wait_for(heard.wait(), 20)
            assert [entry.payload for entry in await two.read_inbox(other.workflow_id)] == [b"x"]
            await hold.release()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("statement", "given", "text", "values"),
    [
        ("SELECT ?, ?", (1, 2), "SELECT $1, $2", [1, 2]),
        ("SELECT :a, :b, :a", {"b": 2, "a": 1}, "SELECT $1, $2, $1", [1, 2]),
        ("SELECT '?', \"?\", ? -- ?\n/* ? */", (1,), "SELECT '?', \"?\", $1 -- ?\n/* ? */", [1]),
        ("SELECT $$ ? $$, $x$ :a $x$, ?", (1,), "SELECT $$ ? $$, $x$ :a $x$, $1", [1]),
        ("SELECT :a::int, 'it''s :b'", {"a": 1}, "SELECT $1::int, 'it''s :b'", [1]),
        (r"SELECT E'\'?', ?", (1,), r"SELECT E'\'?', $1", [1]),
        ("SELECT data ?? 'k'", (), "SELECT data ? 'k'", []),
        ("SELECT $2, $1", (1, 2), "SELECT $2, $1", [1, 2]),
    ],
)
def test_marks_become_numbers(statement: str, given: Any, text: str, values: list[object]) -> None:
    """Outside of quotes, comments and casts."""
    assert numbered(statement, given) == (text, values)


@pytest.mark.parametrize("text", ["select 1", " \n(SELECT 1)", "-- a\nselect 1", "/* ; */ Select"])
def test_the_first_word_is_found(text: str) -> None:
    """Behind comments and parentheses."""
    assert first_word(text) == "SELECT"
    assert not first_word("1")


class Booking(BaseModel):
    """Two rows or none."""

    name: str


@step(transaction=True)
async def book(state: Booking, context: StepContext) -> None:
    await context.transaction.execute("INSERT INTO payments VALUES (?, ?)", (state.name, 1))
    await context.transaction.execute("INSERT INTO payments VALUES (:id, :cents)", {"id": state.name + "2", "cents": 2})


@workflow("Booked", version="1")
async def booked(state: Booking) -> str:
    await book(state)
    return state.name


def test_a_step_shares_its_commit() -> None:
    """`@step(transaction=True)` works as on SQLite, with the same statements (S3-004)."""

    async def scenario() -> Any:
        async with opened() as one:
            builder = WorkflowBuilder(persistence_provider=one, plugins=False)
            builder.register(booked)
            run = await builder.create_workflow("Booked", {"name": "a"})
            await run.run()
            assert await payments(one) == [("a", 1), ("a2", 2)]
            return run.result

    assert asyncio.run(scenario()) == "a"
