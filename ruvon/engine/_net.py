"""The net under a drive: a task that lets a worker look after the instance when the process that drives it is gone.

A worker drives under a claimed task, whose lease runs out when the worker dies. Any other process (an application, a
scheduler) has none. So it puts a `wake` task into the queue before it begins, due after a lease, and takes it away at the
end. A worker that finds the task due tries to take the instance: while the driver lives that is refused, because its hold
lives with it, and the task is put off by another lease; when the driver is dead the worker goes on. Nobody has to say again
and again that he is alive. Each drive has a net of its own, so a late end never takes away that of the next drive.
"""

import logging
from typing import TYPE_CHECKING, Final, final
from uuid import UUID

from ruvon.models import WorkflowStatus
from ruvon.providers import InstanceFilter, PersistenceError, TaskKind, TaskRecord, Transition

if TYPE_CHECKING:
    from ruvon.engine._run import Run, Services

__all__ = ["QUEUE", "TAKEOVER_US", "Net", "beside", "find_told", "is_net", "wake_of"]

QUEUE: Final = "default"
"""The queue of the workers that look after what others drive."""
TAKEOVER_US: Final = 30_000_000
"""So long after it was begun a worker looks whether a drive still goes on, and so often after that."""
_MARK: Final = ".net."
_LOGGER: Final = logging.getLogger("ruvon.engine")


def is_net(task: TaskRecord) -> bool:
    """Whether a task is the net under a drive of another process."""
    return task.kind is TaskKind.WAKE and _MARK in task.task_id


def wake_of(workflow_id: UUID) -> str:
    """The id of the task with which an instance begins in the background."""
    return f"{workflow_id.hex}.wake"


@final
class Net:
    """The net under one drive.

    Args:
        services: the store, the clock and the executor.
        takeover_us: how long a dead drive may stay unnoticed.
    """

    __slots__ = ("_services", "_takeover_us", "_task")

    def __init__(self, services: "Services", takeover_us: int) -> None:
        self._services = services
        self._takeover_us = takeover_us
        self._task: TaskRecord | None = None

    async def spread(self, run: "Run") -> None:
        """Put it under a drive that is about to begin; a second call is harmless.

        Raises:
            PersistenceError: the store failed.
        """
        if self._task is not None:
            return
        record, services = run.record, self._services
        self._task = TaskRecord(
            f"{record.workflow_id.hex}{_MARK}{run.token.hex()}",
            record.workflow_id,
            TaskKind.WAKE,
            "",
            QUEUE,
            available_us=services.clock.now_us() + self._takeover_us,
            priority=record.priority,
        )
        await services.store.commit(beside(record.workflow_id, services.clock.now_us(), tasks=(self._task,)))

    async def take_away(self) -> None:
        """Nothing is left to look after. One that stays because the store fails costs a worker a look, and no more."""
        task, self._task = self._task, None
        if task is None:
            return
        try:
            now = self._services.clock.now_us()
            await self._services.store.commit(beside(task.workflow_id, now, tasks_done=(task.task_id,)))
        except PersistenceError as exc:
            _LOGGER.warning("a worker will look after %s once more: %s", task.workflow_id, exc)


async def find_told(run: "Run") -> None:
    """Relatives with messages: a lost process may have told them something and died before it could wake them."""
    store, record = run.services.store, run.record
    if run.status.is_terminal and record.parent_id is not None and await store.read_inbox(record.parent_id):
        run.told.add(record.parent_id)
    children = InstanceFilter(parent_id=record.workflow_id)
    for row in await store.find_instances(children, limit=1_000) if run.program.starts else ():
        child = UUID(row.workflow_id)
        if not WorkflowStatus(row.status).is_terminal and await store.read_inbox(child):
            run.told.add(child)


def beside(
    workflow_id: UUID, now_us: int, *, tasks: tuple[TaskRecord, ...] = (), tasks_done: tuple[str, ...] = ()
) -> Transition:
    """A transition that changes the queue and no instance."""
    return Transition(
        workflow_id, 0, -1, 0, b"", WorkflowStatus.ACTIVE.value, b"", None, now_us, [], 0,
        tasks=tasks, tasks_done=tasks_done,
    )  # fmt: skip
