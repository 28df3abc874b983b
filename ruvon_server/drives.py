"""Workflows that go on behind a request: who drives them, how long a request waits, and how all of it ends.

Where the executor has workers, one of them goes on (`ruvon worker`, or the one in this process). Else a task of this process
does. A request may wait for a drive; when its patience ends before the drive does, the drive goes on without it.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final, final
from uuid import UUID

from ruvon.engine import Engine

__all__ = ["Drives"]

_LOGGER: Final = logging.getLogger("ruvon.server")
_QUEUE: Final = "default"


@final
class Drives:
    """The drives of this process.

    Args:
        engine: drives them.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def has_workers(self) -> bool:
        """Whether workers go on with what is left to them."""
        return self._engine.execution.runs_queued(_QUEUE)

    @property
    def running(self) -> int:
        """How many drives of this process go on now."""
        return len(self._tasks)

    async def go_on(self, workflow_id: UUID) -> None:
        """See to it that a workflow goes on; returns when that is certain, not when it has come to rest."""
        if self.has_workers:
            await self._engine.leave_to_workers(workflow_id)
        else:
            self._begin(self._engine.drive(workflow_id, patient=True)).add_done_callback(_tell)

    async def within(self, seconds: float, work: Coroutine[Any, Any, object]) -> bool:
        """Do work, and wait for its end for so many seconds; whether it has ended. What it raises in that time is raised.

        Work that lasts longer goes on by itself, also when the request is gone.
        """
        task = self._begin(work)
        done, _ = await asyncio.wait({task}, timeout=seconds)
        if not done:
            task.add_done_callback(_tell)
            return False
        await task
        return True

    async def drain(self, seconds: float) -> None:
        """Wait for what goes on, then end it; it stands where its last commit left it."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=seconds)
        for task in (left := set(self._tasks)):
            task.cancel()
        if left:
            await asyncio.wait(left)

    def _begin(self, work: Coroutine[Any, Any, object]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work, name="ruvon-server-drive")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _tell(task: "asyncio.Task[Any]") -> None:
    """Log why a drive that nobody waits for any more has failed; its workflow stands where its last commit left it."""
    if not task.cancelled() and (exc := task.exception()) is not None:
        _LOGGER.error("a workflow could not go on: %s", exc, exc_info=exc)
