"""A server that refuses is a typed error that says what to do; nothing of what was refused is there, and all else is."""

import asyncio
import secrets
from collections.abc import Generator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from ruvon.implementations.persistence.postgres import DatabaseServerError, PostgresPersistenceProvider
from ruvon.testing.contracts._records import create, step
from tests.support.postgres import SMALL, database, emptied, needs_postgres, query, store

pytestmark = needs_postgres

RIGHTS = "GRANT ALL ON ALL TABLES IN SCHEMA public TO {0}; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {0}"


def named(user: str, *, path: str | None = None) -> str:
    """The URL of this process's database, for another user, or with another database."""
    parts = urlsplit(database())
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:s3cret@{host}", path=path or parts.path))


@pytest.fixture
def role() -> Generator[str]:
    """A user of the test's own, who may do nothing."""
    emptied()
    name = f"ruvon_test_{secrets.token_hex(4)}"
    query(database(), f"CREATE ROLE {name} LOGIN PASSWORD 's3cret'")
    yield name
    query(database(), f"DROP OWNED BY {name}")
    query(database(), f"DROP ROLE {name}")


def refusal(url: str) -> str:
    """What somebody is told who opens the store there and commits."""

    async def scenario() -> None:
        opened = PostgresPersistenceProvider(url, pool=SMALL, migrate=False)
        await opened.initialize()
        try:
            await create(opened)
        finally:
            await opened.close()

    async def bounded() -> None:
        async with asyncio.timeout(timedelta(minutes=3).total_seconds()):
            await scenario()

    with pytest.raises(DatabaseServerError) as caught:
        asyncio.run(bounded())
    assert "s3cret" not in str(caught.value)
    return str(caught.value)


def rows() -> int:
    """How many instances are there."""
    ((number,),) = query(database(), "SELECT count(*) FROM workflow_executions")
    return int(number)


def test_an_unknown_user_is_a_sentence() -> None:
    """At once: no retry helps."""
    assert "refuses the user or the password; check both" in refusal(named("nobody_of_this_name"))


def test_a_missing_database_is_a_sentence() -> None:
    """With what to do about it."""
    url = urlunsplit(urlsplit(database())._replace(path="/no_database_of_this_name"))

    assert "there is no such database; create it, or name another one" in refusal(url)


def test_a_user_without_rights_is_a_sentence(role: str) -> None:
    """Nothing is written."""
    assert "the user may not do this; grant the right" in refusal(named(role))
    assert rows() == 0


def test_a_read_only_server_is_a_sentence(role: str) -> None:
    """As a replica is."""
    for statement in RIGHTS.format(role).split(";"):
        query(database(), statement)
    query(database(), f"ALTER ROLE {role} SET default_transaction_read_only = on")

    assert "the server is read-only; name the primary one" in refusal(named(role))
    assert rows() == 0


def test_a_server_without_a_connection_left_is_a_sentence(role: str) -> None:
    """Where the user may have one connection, and the provider needs more."""
    for statement in RIGHTS.format(role).split(";"):
        query(database(), statement)
    query(database(), f"ALTER ROLE {role} CONNECTION LIMIT 1")

    assert "the server has no connection left; raise max_connections, or make the pool smaller" in refusal(named(role))


def test_a_full_disk_is_a_sentence_and_harms_nobody() -> None:
    """The server's own error for one of seven commits: the six are stored, and the one is when there is room again."""
    emptied()

    def fill(victim: Any) -> None:
        query(
            database(),
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$",
        )
        query(
            database(),
            "CREATE TRIGGER full_disk BEFORE UPDATE ON workflow_executions FOR EACH ROW "
            f"WHEN (OLD.id = '{victim.workflow_id}') EXECUTE FUNCTION full_disk()",
        )

    async def scenario() -> None:
        opened = store()
        await opened.initialize()
        try:
            records = [await create(opened) for _ in range(7)]
            await asyncio.to_thread(fill, records[3])
            try:
                answers: list[Any] = list(
                    await asyncio.gather(*(opened.commit(step(item, 1)) for item in records), return_exceptions=True)
                )
            finally:
                await asyncio.to_thread(query, database(), "DROP FUNCTION full_disk CASCADE")
            refused = answers.pop(3)
            assert isinstance(refused, DatabaseServerError)
            assert "the disk of the server is full; free some space, nothing was lost" in str(refused)
            assert answers == [None] * 6
            assert (await opened.load_instance(records[3].workflow_id)).revision == 0
            await opened.commit(step(records[3], 1))
            assert [len(await opened.read_log(item.workflow_id)) for item in records] == [1] * 7
        finally:
            await opened.close()

    asyncio.run(scenario())
