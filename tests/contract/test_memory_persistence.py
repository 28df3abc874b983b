"""The persistence contract on the memory store."""

from collections.abc import Callable
from typing import Any

import pytest

from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.providers import PersistenceProvider
from ruvon.testing.contracts import PersistenceContract


class TestMemoryPersistence(PersistenceContract):
    """S2-031."""

    @pytest.fixture
    def store_factory(self) -> Callable[[], MemoryPersistenceProvider]:
        """A fresh one."""
        return MemoryPersistenceProvider


def test_it_satisfies_the_protocol() -> None:
    """S3-040: structurally, without inheriting."""
    assert isinstance(MemoryPersistenceProvider(), PersistenceProvider)
    assert PersistenceProvider not in MemoryPersistenceProvider.__mro__


def test_methods_of_devices_are_refused(on_loop: Any) -> None:
    """S2-019: documented as NotImplementedError elsewhere than on devices."""
    store = MemoryPersistenceProvider()
    for call in (
        store.get_pending_sync_workflows(),
        store.get_audit_logs_for_workflows([]),
        store.delete_synced_workflows([]),
        store.get_edge_sync_state("k"),
        store.set_edge_sync_state("k", "v"),
    ):
        with pytest.raises(NotImplementedError):
            on_loop(call)


@pytest.fixture
def on_loop() -> Any:
    """Run one coroutine."""
    import asyncio

    return asyncio.run
