"""The stores that the tests of the rooms run on, each empty at first."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ruvon.implementations.encryption import EncryptedPersistence, KeyRing, new_key
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.providers import PersistenceProvider
from tests.support import postgres, redis, serving

RING = KeyRing([new_key("k1")])
KINDS = ("memory", "sqlite", pytest.param("postgres", marks=postgres.needs_postgres), "redis")


@pytest.fixture(params=KINDS)
def store_kind(request: pytest.FixtureRequest) -> str:
    """Which store it is; a module says others in a fixture of this name."""
    return str(request.param)


@pytest.fixture
def new_store(store_kind: str, tmp_path: Path) -> Callable[[], PersistenceProvider]:
    """Providers on one store; each but the one in memory stands for a process of its own."""
    match store_kind:
        case "memory":
            one = MemoryPersistenceProvider()
            return lambda: one
        case "sqlite":
            return lambda: SQLitePersistenceProvider(tmp_path / "ruvon.db")
        case "encrypted":
            return lambda: EncryptedPersistence(SQLitePersistenceProvider(tmp_path / "ruvon.db"), RING)
        case "postgres":
            postgres.emptied()
            return postgres.store
        case _:
            redis.emptied()
            return redis.store


@pytest.fixture
def one_cursor_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cursors of all stores are alike where their places are."""

    async def key(_: object) -> str:
        return base64.b64encode(bytes(32)).decode()

    monkeypatch.setattr("ruvon_server.paging.Cursors._key", key)


@pytest.fixture
def every_store(new_store: Callable[[], PersistenceProvider]) -> Iterator[None]:
    """Builders that are given no store have one of each kind in turn."""
    with serving.over(new_store):
        yield
