"""What a worker does for the drives in its slots: it begins their new tasks at once, and lends slots that only wait.

A new task of a drive is claimed in the commit that queues it, so a workflow whose next step is queued goes on without a look
into the queue. Not where others have more right: a queue with limits, which only the store can keep; tasks of a higher
priority that wait; after many in a row, whoever waits.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final, final

from ruvon.providers import Clock, TaskClaim, TaskKind, TaskRecord, TaskStatus, TaskStore

__all__ = ["Hosting"]

_CROWD: Final = 3
"""So many times the slots are in hand at most, with those that only wait."""
_STREAK: Final = 16
"""So many commits in a row a drive gets its own tasks begun while others wait."""


@final
class Hosting:
    """The slots of a worker, as its drives see them.

    Args:
        worker_id: who claims.
        queues: the queues that it serves; all where none is given.
        concurrency: how many tasks at a time.
        lease_us: how long a claim holds.
        clock: the moments of claims.
        taken: how many slots have a task now.
        begin: begins a claimed task.
        wake: is called when a slot has become free.
    """

    def __init__(
        self,
        worker_id: str,
        *,
        queues: Sequence[str],
        concurrency: int,
        lease_us: int,
        clock: Clock,
        taken: Callable[[], int],
        begin: Callable[[TaskRecord], object],
        wake: Callable[[], None],
    ) -> None:
        self._worker_id = worker_id
        self._queues = queues
        self._concurrency = concurrency
        self._lease_us = lease_us
        self._clock = clock
        self._taken = taken
        self._begin = begin
        self._wake = wake
        self._resting = 0
        self._asked = 0
        """For so many tasks the store is being asked now."""
        self._claimed: dict[str, TaskRecord] = {}
        """Tasks that were claimed in the commit that queues them, until it is durable."""
        self._limited: frozenset[str] = frozenset()
        self._is_open = False
        self._is_shut = False
        self._least_priority = 0
        """The priority of the last task of the last claim: what is left in the queue has no higher one."""
        self.has_backlog = False
        """The last claim found as many tasks as it asked for."""

    @property
    def free(self) -> int:
        """How many more tasks may begin; below zero where a drive goes on whose slot was lent meanwhile.

        What only waits takes no slot. What is about to begin takes one already.
        """
        return self._concurrency + self._resting - self._taken() - len(self._claimed) - self._asked

    @property
    def room(self) -> int:
        """How many more tasks the store may be asked for: of those that only wait there are limits, too."""
        return min(self.free, self._concurrency * _CROWD - self._taken() - len(self._claimed))

    # --- what the worker tells ----------------------------------------------------------------------------------------

    async def look(self, store: TaskStore) -> None:
        """Learn which queues have limits; from the first look on tasks are claimed here, until `shut`."""
        self._limited = frozenset(load.limits.queue for load in await store.queue_loads())
        self._is_open = not self._is_shut

    @contextmanager
    def asking(self, wanted: int) -> Generator[None, None, None]:
        """While this is open the store is asked for so many tasks: nobody else takes their slots."""
        self._asked = wanted
        try:
            yield
        finally:
            self._asked = 0

    def claimed(self, found: Sequence[TaskRecord], wanted: int) -> None:
        """What a claim of so many tasks has found."""
        self.has_backlog = len(found) == wanted
        self._least_priority = min((task.priority for task in found), default=0)

    def shut(self) -> None:
        """Begin nothing more, for good."""
        self._is_open, self._is_shut = False, True

    def left(self) -> list[TaskClaim]:
        """Claims of tasks that were never begun: `shut` came before their commit was durable, or it failed."""
        return [TaskClaim(task.task_id, task.lease_epoch) for task in self._claimed.values()]

    # --- what drives ask ----------------------------------------------------------------------------------------------

    def adopt(self, tasks: Sequence[TaskRecord], streak: int, /, *, is_spare: bool) -> bool:
        """Claim new tasks that are about to be committed, as far as slots are free; whether there were any.

        Args:
            tasks: the tasks.
            streak: how many commits in a row the drive got tasks of its own begun.
            is_spare: the drive's own slot is to be had, too: it waits for what is begun.
        """
        if not self._is_open or (self.has_backlog and streak >= _STREAK):
            return False
        now = self._clock.now_us()
        room = max(self.free + is_spare, 0)
        found = [task for task in tasks if self._may_adopt(task, now)][:room]
        for task in found:
            task.status, task.worker_id, task.lease_epoch = TaskStatus.CLAIMED, self._worker_id, 1
            task.lease_us = now + self._lease_us
            self._claimed[task.task_id] = task
        return bool(found)

    def _may_adopt(self, task: TaskRecord, now_us: int) -> bool:
        return (
            task.kind is TaskKind.STEP
            and task.attempt == 1
            and task.available_us <= now_us
            and (not self._queues or task.queue in self._queues)
            and task.queue not in self._limited
            and not (self.has_backlog and task.priority < self._least_priority)
        )

    def begin_adopted(self, tasks: Sequence[TaskRecord], /) -> None:
        """Begin what was claimed with its commit, which is durable now."""
        for task in tasks if self._is_open else ():
            if self._claimed.pop(task.task_id, None) is not None:
                self._begin(replace(task))  # the store may keep the one that was committed

    def rests(self, change: int, /) -> None:
        """A slot has begun (1) or ended (-1) to wait: a drive for others, or a body that is done for its drive's commit."""
        self._resting += change
        if change > 0 and self.room > 0:
            self._wake()
