"""Reports go to the store in groups: whatever waits when the one before is written shares a transaction."""

import asyncio
from typing import final

from ruvon.providers import Clock, PersistenceError, TaskReport, TaskStore

__all__ = ["Reporter"]


@final
class Reporter:
    """Writes reports, each alone, many at a time."""

    def __init__(self, store: TaskStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._waiting: list[tuple[TaskReport, asyncio.Future[bool]]] = []
        self._task: asyncio.Task[None] | None = None

    async def report(self, report: TaskReport) -> bool:
        """Write a report; whether it counted.

        Raises:
            PersistenceError: the store failed.
        """
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((report, answer))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work(), name="ruvon-worker-reports")
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            if not answer.done():
                await asyncio.wait((answer,))  # what is being written counts, though nobody wants to know
            raise

    async def _work(self) -> None:
        while self._waiting:
            await self._clock.sleep_us(0)  # what is reported in this turn of the loop rides along
            batch, self._waiting = self._waiting, []
            try:
                counted = await self._store.report_tasks([report for report, _ in batch])
            except BaseException as exc:
                for _, answer in batch:
                    if not answer.done():
                        answer.set_exception(exc if isinstance(exc, Exception) else asyncio.CancelledError())
                if not isinstance(exc, Exception):
                    raise
                continue
            for (_, answer), counts in zip(batch, counted, strict=True):
                if answer.done():
                    continue
                if isinstance(counts, PersistenceError):
                    answer.set_exception(counts)
                else:
                    answer.set_result(counts)
