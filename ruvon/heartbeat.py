"""`HeartbeatManager`: tells that a long piece of work is alive, from a thread, so that blocking code beats too.

Workers (`ruvon worker`) beat by themselves. This is for processes that drive workflows on their own: wrap what takes
long, and a `ZombieScanner` elsewhere notices when the process is gone.
"""

import asyncio
import logging
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self, final
from uuid import UUID

from ruvon.providers import PersistenceError, PersistenceProvider, UnsupportedError

__all__ = ["HeartbeatManager"]

_LOGGER: Final = logging.getLogger("ruvon.heartbeat")


@final
class HeartbeatManager:
    """Writes a heartbeat at once and then in intervals, while its `async with` block runs.

    Args:
        persistence: an open store; the thread opens another provider of its kind.
        workflow_id: whose heartbeat it is.
        worker_id: who is alive.
        current_step: where it is.
        interval_seconds: how often; a scanner's threshold should be twice that or more.
        metadata: whatever else is to be read with it; `progress` changes it.

    Example:
        >>> async with HeartbeatManager(store, workflow.id, "host-1", interval_seconds=30) as heartbeat:
        ...     heartbeat.progress(pages=12)
        ...     await workflow.run()
    """

    def __init__(
        self,
        persistence: PersistenceProvider,
        workflow_id: UUID | str,
        worker_id: str,
        *,
        current_step: str | None = None,
        interval_seconds: float = 30,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        self._store = persistence
        self._workflow_id = workflow_id
        self._worker_id = worker_id
        self._step = current_step
        self._interval_s = interval_seconds
        self._metadata = dict(metadata or {})
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._task: asyncio.Task[None] | None = None

    def progress(self, **metadata: Any) -> None:
        """Tell how far it is; written with the next beat."""
        self._metadata = {**self._metadata, **metadata}

    async def __aenter__(self) -> Self:
        """Write the first heartbeat and begin to beat."""
        await self._beat(self._store)
        try:
            other = self._store.another()
        except UnsupportedError:  # a store in this process's memory
            self._task = asyncio.create_task(self._beat_here(), name="ruvon-heartbeat")
            return self
        self._thread = threading.Thread(target=self._run, args=(other,), name="ruvon-heartbeat", daemon=True)
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the beat, and forget the heartbeat: there is nothing to be missed any more."""
        self._stopped.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
        await self._store.remove_heartbeat(self._workflow_id, self._worker_id)

    def _run(self, store: PersistenceProvider) -> None:
        try:
            asyncio.run(self._beat_there(store))
        except Exception:
            _LOGGER.exception("the heartbeat of %s has stopped", self._workflow_id)

    async def _beat_there(self, store: PersistenceProvider) -> None:
        await store.initialize()
        try:
            while not await asyncio.to_thread(self._stopped.wait, self._interval_s):
                await self._try(store)
        finally:
            await store.close()

    async def _beat_here(self) -> None:
        while not await asyncio.to_thread(self._stopped.wait, self._interval_s):
            await self._try(self._store)

    async def _try(self, store: PersistenceProvider) -> None:
        try:
            await self._beat(store)
        except (PersistenceError, OSError) as exc:
            _LOGGER.warning("a heartbeat of %s could not be written; the next one is tried: %s", self._workflow_id, exc)

    async def _beat(self, store: PersistenceProvider) -> None:
        await store.heartbeat_update(self._workflow_id, self._worker_id, self._step, self._metadata)
