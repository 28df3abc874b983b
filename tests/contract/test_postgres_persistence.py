"""The persistence contract on PostgreSQL (S2-029, S3-043)."""

import asyncio
from collections.abc import Callable

import pytest

from ruvon.implementations.persistence.postgres import PostgresPersistenceProvider
from ruvon.providers import PersistenceProvider
from ruvon.testing.contracts import PersistenceContract
from tests.support.postgres import emptied, needs_postgres, store

pytestmark = needs_postgres


@pytest.fixture(autouse=True)
def _empty() -> None:
    emptied()


class TestPostgres(PersistenceContract):
    """The contract on a server."""

    @pytest.fixture
    def store_factory(self) -> Callable[[], PostgresPersistenceProvider]:
        """A provider on empty tables."""
        return store


def test_it_satisfies_the_protocol() -> None:
    """Structurally, without inheriting (S3-040)."""
    assert isinstance(store(), PersistenceProvider)
    assert PersistenceProvider not in PostgresPersistenceProvider.__mro__


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
