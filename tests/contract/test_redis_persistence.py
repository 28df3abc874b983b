"""The persistence contract on Redis (S2-032, S4-029)."""

import asyncio
from collections.abc import Callable

import pytest

from ruvon.implementations.persistence.redis import RedisPersistenceProvider
from ruvon.providers import PersistenceProvider, UnsupportedError
from ruvon.testing.contracts import PersistenceContract
from tests.support.redis import emptied, store


@pytest.fixture(autouse=True)
def _empty() -> None:
    emptied()


class TestRedis(PersistenceContract):
    """The contract on a server."""

    @pytest.fixture
    def store_factory(self) -> Callable[[], RedisPersistenceProvider]:
        """A provider on an empty store."""
        return store


def test_it_satisfies_the_protocol() -> None:
    """Structurally, without inheriting (S3-040)."""
    assert isinstance(store(), PersistenceProvider)
    assert PersistenceProvider not in RedisPersistenceProvider.__mro__


def test_methods_of_devices_are_refused() -> None:
    """Documented as NotImplementedError elsewhere than on devices (S2-019)."""
    opened = store()
    for call in (
        opened.get_pending_sync_workflows(),
        opened.get_audit_logs_for_workflows([]),
        opened.delete_synced_workflows([]),
        opened.get_edge_sync_state("k"),
        opened.set_edge_sync_state("k", "v"),
    ):
        with pytest.raises(NotImplementedError, match="for devices"):
            asyncio.run(call)


def test_there_is_no_sql() -> None:
    """A step that wants SQL in its commit is told which stores have it."""
    with pytest.raises(UnsupportedError, match="use the SQLite or the PostgreSQL store"):
        store().transact()
