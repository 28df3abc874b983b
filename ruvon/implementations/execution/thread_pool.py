"""`ThreadPoolExecutionProvider`: bodies that are not async run in threads of this process.

For applications that need several blocking steps at a time and no workers. Queued steps are not queued: whoever drives
the workflow runs them, in a thread, so the branches of a PARALLEL and several workflows really overlap, as far as their
bodies wait or release the interpreter's lock. What is durable is the workflow: when the process dies, the next drive of
an instance repeats the step under way, as with `SyncExecutionProvider`.

Dispatched functions run in the background, as many at a time as there are threads; those that have not begun can be
cancelled, and are not begun any more once the provider is closed.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final, final
from uuid import UUID

from ruvon.implementations.execution._threads import Threaded
from ruvon.providers import InboxEntry, InstanceRecord

__all__ = ["ThreadPoolExecutionProvider", "ThreadPoolExecutor"]

_LOGGER: Final = logging.getLogger("ruvon.execution")


@final
class ThreadPoolExecutionProvider(Threaded):
    """Runs step bodies in threads.

    Args:
        threads: how many bodies at a time.
    """

    def __init__(self, threads: int = 16) -> None:
        super().__init__(threads)
        self._places = asyncio.Semaphore(threads)
        self._waiting: set[UUID] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def threads_bodies(self) -> bool:
        """Yes."""
        return True

    async def _launch(self, record: InstanceRecord, given: Mapping[str, Any] | None) -> None:
        self._waiting.add(record.workflow_id)
        task = asyncio.create_task(self._drive_in_turn(record, given), name=f"ruvon-task-{record.workflow_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drive_in_turn(self, record: InstanceRecord, given: Mapping[str, Any] | None) -> None:
        async with self._places:
            if record.workflow_id not in self._waiting:
                return
            self._waiting.discard(record.workflow_id)
            try:
                await self._drive(record, given)
            except Exception:
                _LOGGER.exception("the task %s could not be driven to its end", record.workflow_id)

    async def _withdraw(self, workflow_id: UUID, entry: InboxEntry) -> bool:
        if workflow_id not in self._waiting:
            return False
        self._waiting.discard(workflow_id)
        return await self._engine().store.append_inbox(entry)

    async def close(self) -> None:
        """Begin nothing more; what runs comes to its end first."""
        self._waiting.clear()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await super().close()


ThreadPoolExecutor = ThreadPoolExecutionProvider
"""The short name."""
