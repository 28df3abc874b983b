"""Every store keeps its contract behind encryption too, and what lies in it is closed."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ruvon.implementations.encryption import EncryptedPersistence, KeyRing, new_key
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.providers import PersistenceProvider
from ruvon.testing.contracts import PersistenceContract
from tests.support import postgres, redis

KEYS = KeyRing([new_key("k1")])


class TestEncryptedMemory(PersistenceContract):
    """The contract in memory."""

    @pytest.fixture
    def store_factory(self) -> Callable[[], EncryptedPersistence]:
        """A fresh one."""
        return lambda: EncryptedPersistence(MemoryPersistenceProvider(), KEYS)


class TestEncryptedSQLite(PersistenceContract):
    """The contract on a file."""

    @pytest.fixture
    def store_factory(self, tmp_path: Path) -> Callable[[], EncryptedPersistence]:
        """A fresh file."""
        return lambda: EncryptedPersistence(SQLitePersistenceProvider(tmp_path / "dev.db"), KEYS)


@postgres.needs_postgres
class TestEncryptedPostgres(PersistenceContract):
    """The contract on a PostgreSQL server."""

    @pytest.fixture
    def store_factory(self) -> Callable[[], EncryptedPersistence]:
        """A provider on empty tables."""
        postgres.emptied()
        return lambda: EncryptedPersistence(postgres.store(), KEYS)


class TestEncryptedRedis(PersistenceContract):
    """The contract on a Redis server."""

    @pytest.fixture
    def store_factory(self) -> Callable[[], EncryptedPersistence]:
        """A provider on an empty prefix."""
        redis.emptied()
        return lambda: EncryptedPersistence(redis.store(), KEYS)


def test_it_satisfies_the_protocol() -> None:
    """It has every method of a store."""
    assert isinstance(EncryptedPersistence(MemoryPersistenceProvider(), KEYS), PersistenceProvider)


def test_what_only_a_device_keeps_is_closed_too(tmp_path: Path) -> None:
    """Texts of a device are opened on reading, and are not in the file."""

    async def scenario() -> Any:
        store = EncryptedPersistence(SQLitePersistenceProvider(tmp_path / "a.db"), KEYS)
        await store.initialize()
        await store.set_edge_sync_state("cursor", "canary")
        found = await store.get_edge_sync_state("cursor"), await store.get_edge_sync_state("none")
        below = await store.inner.get_edge_sync_state("cursor")
        await store.close()
        return found, below

    found, below = asyncio.run(scenario())
    assert found == ("canary", None)
    assert "canary" not in below
