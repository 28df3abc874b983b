"""The pulse of a worker: a thread that extends its leases, whatever the bodies do to the event loop.

The thread has an event loop and a connection to the store of its own, so a body that blocks the loop for minutes is still
alive in everybody's eyes, and a process that is dead is not. Claims that turn out to be lost are told to the worker's own
loop, which stops their bodies.
"""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, final

import orjson

from ruvon.providers import Clock, PersistenceError, PersistenceProvider, TaskClaim, UnsupportedError, WorkerRecord

__all__ = ["Pulse"]

_LOGGER: Final = logging.getLogger("ruvon.worker")
_NEWS_S: Final = 0.5
"""So long at most what a body tells of its progress waits for those of others before all of it is stored."""


@final
class Pulse:
    """Extends leases and tells that the worker is alive, until stopped.

    Args:
        store: the worker's store; the thread opens another provider of its kind.
        clock: what time it is.
        lease_us: how long an extended claim holds.
        interval_us: how often.
        claims: what the worker has claimed, with the progress of the bodies; called on the thread.
        news: the same, only where a body has told something since; called on the thread between two beats.
        record: what the worker tells of itself; called on the thread.
        lost: told on the worker's loop which claims are lost.
        health_file: rewritten with each beat.
    """

    def __init__(
        self,
        store: PersistenceProvider,
        *,
        clock: Clock,
        lease_us: int,
        interval_us: int,
        claims: Callable[[], Sequence[TaskClaim]],
        news: Callable[[], Sequence[TaskClaim]],
        record: Callable[[], WorkerRecord],
        lost: Callable[[Sequence[TaskClaim]], None],
        health_file: Path | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._lease_us = lease_us
        self._interval_s = interval_us / 1_000_000
        self._claims = claims
        self._news = news
        self._record = record
        self._lost = lost
        self._health_file = health_file
        self._loop = asyncio.get_running_loop()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Tell of the worker, and begin to beat."""
        await self._beat(self._store)
        try:
            other = self._store.another()
        except UnsupportedError:  # a store in this process's memory, which no other process can look at
            self._task = asyncio.create_task(self._beat_here(), name="ruvon-worker-pulse")
            return
        self._thread = threading.Thread(target=self._run, args=(other,), name="ruvon-worker-pulse", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """End the beat, and take the worker off the list."""
        self._stopped.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
        await self._store.remove_worker(self._record().worker_id)
        if self._health_file is not None:
            self._health_file.unlink(missing_ok=True)

    def _run(self, store: PersistenceProvider) -> None:
        try:
            asyncio.run(self._beat_there(store))
        except Exception:
            _LOGGER.exception("the pulse of the worker has stopped; its leases run out")

    async def _beat_there(self, store: PersistenceProvider) -> None:
        await store.initialize()
        try:
            quiet_s = 0.0
            while not await asyncio.to_thread(self._stopped.wait, min(self._interval_s - quiet_s, _NEWS_S)):
                quiet_s += _NEWS_S
                if quiet_s >= self._interval_s:
                    quiet_s = 0.0
                    await self._try(store, self._beat)
                else:
                    await self._try(store, self._tell_news)
        finally:
            await store.close()

    async def _beat_here(self) -> None:
        while True:
            await self._clock.sleep_us(int(self._interval_s * 1_000_000))
            await self._try(self._store, self._beat)

    async def _try(self, store: PersistenceProvider, work: Callable[[PersistenceProvider], Awaitable[None]]) -> None:
        try:
            await work(store)
        except (PersistenceError, OSError) as exc:
            _LOGGER.warning("the worker could not tell that it is alive; it tries again: %s", exc)

    async def _tell_news(self, store: PersistenceProvider) -> None:
        await self._extend(store, self._news())

    async def _extend(self, store: PersistenceProvider, claims: Sequence[TaskClaim]) -> None:
        if not claims:
            return
        names = await store.extend_leases(claims, until_us=self._clock.now_us() + self._lease_us)
        if names:
            lost = [claim for claim in claims if claim.task_id in names]
            self._loop.call_soon_threadsafe(self._lost, lost)

    async def _beat(self, store: PersistenceProvider) -> None:
        now = self._clock.now_us()
        await self._extend(store, self._claims())
        record = self._record()
        record.seen_us = now
        await store.put_worker(record)
        if self._health_file is not None:
            self._write_health(self._health_file, record)

    @staticmethod
    def _write_health(path: Path, record: WorkerRecord) -> None:
        told = {"worker_id": record.worker_id, "seen_us": record.seen_us, "running": len(record.running)}
        draft = path.with_name(f"{path.name}.new")
        draft.write_bytes(orjson.dumps({**told, "draining": record.draining}))
        draft.replace(path)
