"""The feeder: sees to it that every task in the store has a message in the broker.

Whoever commits a task sends its message at once. What is left for the feeder is what that misses: messages that the
broker lost or that were never sent because a process died in between, tasks that are due later than a message may wait,
and tasks whose worker has died. One feeder of a store is at work at a time; the others stand by.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Final, final

from ruvon.builder import WorkflowBuilder
from ruvon.providers import PersistenceError, TaskFilter, TaskRecord, TaskStatus, duration_us
from ruvon.providers._limits import why_waiting

__all__ = ["Feeder"]

_LOGGER: Final = logging.getLogger("ruvon.worker")
_DUTY: Final = "task-feeder"
_PAGE: Final = 1_000


@final
class Feeder:
    """Sends the messages that are missing.

    Args:
        builder: the store, and an execution provider that sends messages.
        depth: how many messages lie in the broker that nobody has taken; called in a thread. While there are any, a task
            that waits is not taken for lost.
        patience: a task that has been due for so long, and has no message, is sent again.
        poll: the pause between two looks.
    """

    def __init__(
        self,
        builder: WorkflowBuilder,
        *,
        depth: Callable[[], int],
        patience: timedelta = timedelta(seconds=5),
        poll: timedelta = timedelta(seconds=1),
    ) -> None:
        self._store = builder.persistence
        self._execution = builder.execution
        self._engine = builder.engine()
        self._clock = builder.clock
        self._depth = depth
        self._patience_us = duration_us(patience)
        self._poll_us = duration_us(poll)
        self._since: dict[str, int] = {}
        """When a waiting task was first seen, or sent again, by its id."""

    async def run(self) -> None:
        """Feed until the task is cancelled."""
        while True:
            try:
                await self._serve()
            except PersistenceError as exc:
                _LOGGER.warning("the feeder cannot look for tasks; it tries again: %s", exc)
            await self._clock.sleep_us(self._poll_us)

    async def _serve(self) -> None:
        duty = await self._store.take_duty(_DUTY)
        if duty is None:
            return
        try:
            while True:
                await self.feed()
                await self._clock.sleep_us(self._poll_us)
        finally:
            await duty.release()

    async def feed(self) -> int:
        """Look once; how many messages were sent."""
        now = self._clock.now_us()
        reaped = await self._store.reap_tasks(now, crash_budget=self._engine.crash_budget, limit=_PAGE)
        for task in reaped:
            if task.status == TaskStatus.DEAD:
                await self._engine.poke(task.workflow_id)
        missing = [task for task in reaped if task.status == TaskStatus.PENDING]
        known = {task.task_id for task in missing}
        missing += [task for task in await self._overdue(now) if task.task_id not in known]
        self._since.update(dict.fromkeys((task.task_id for task in missing), now))
        if missing:
            await self._execution.tasks_added(missing)
        return len(missing)

    async def _pending(self) -> list[TaskRecord]:
        """The first tasks of each queue: one that is full or paused hides none of another."""
        counts = await self._store.count_tasks()
        queues = [queue for queue, status, _ in counts if status == TaskStatus.PENDING]
        found: list[TaskRecord] = []
        for queue in queues:
            wanted = TaskFilter(statuses=(TaskStatus.PENDING,), queue=queue)
            found += await self._store.find_tasks(wanted, limit=_PAGE)
        return found

    async def _overdue(self, now: int) -> list[TaskRecord]:
        """Tasks that have been due for long and were not sent again lately, unless messages lie in the broker."""
        due = [task for task in await self._pending() if task.available_us <= now]
        self._since = {task.task_id: self._since.get(task.task_id, now) for task in due}
        loads = {load.limits.queue: load for load in await self._store.queue_loads()}
        found = [
            task
            for task in due
            if self._since[task.task_id] <= now - self._patience_us
            and not why_waiting(task, loads.get(task.queue), now)
        ]
        if not found:
            return []
        try:
            waiting = await asyncio.to_thread(self._depth)
        except Exception as exc:  # noqa: BLE001 - each broker has its own
            _LOGGER.warning("the broker cannot be reached; the feeder tries again: %s", exc)
            return []
        return [] if waiting else found
