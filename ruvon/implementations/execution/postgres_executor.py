"""`PostgresExecutor`: PostgreSQL is the queue; workers (`ruvon worker`) claim queued steps from it, without a broker.

It is `QueuedExecutionProvider` with one promise more: whoever names it is told at once when the store is another one.
"""

from collections.abc import Callable
from typing import final

from ruvon.engine import Engine
from ruvon.implementations.encryption import inner_store
from ruvon.implementations.execution._threads import WorkerServed
from ruvon.implementations.persistence.postgres import PostgresPersistenceProvider
from ruvon.providers import EngineStore, TransportError

__all__ = ["PostgresExecutor"]


@final
class PostgresExecutor(WorkerServed):
    """Leaves queued steps to the workers of a PostgreSQL store."""

    def bind(self, engine: Callable[[], Engine], store: EngineStore, /) -> None:
        """Belong to a builder over PostgreSQL."""
        inner = inner_store(store)
        if not isinstance(inner, PostgresPersistenceProvider):
            raise TransportError(
                f"the executor `postgres` needs a PostgresPersistenceProvider, and the store is a {type(inner).__name__}; "
                "name a PostgreSQL database, or the executor `queue` (QueuedExecutionProvider), which works with every "
                "store that processes share"
            )
        super().bind(engine, store)
