"""Dead letters: tasks that no worker gets any more, each belonging to whom its workflow belongs to."""

from typing import Final, final
from uuid import UUID

import orjson

from ruvon.builder import WorkflowBuilder
from ruvon.providers import TaskFilter, TaskNotFoundError, TaskRecord, TaskStatus, WorkflowNotFoundError
from ruvon_server.auth import Principal
from ruvon_server.drives import Drives
from ruvon_server.models import queues as models
from ruvon_server.problems import NotDeadError

__all__ = ["DeadLetterService"]

_PAGE: Final = 100
_MOST_LOOKED_AT: Final = 1_000
"""So many dead letters one page looks through for those of a tenant, at most."""


@final
class DeadLetterService:
    """Lists dead letters, and lets their steps be tried again.

    Args:
        builder: the workflows and their store.
        drives: who lets workflows go on behind a request.
    """

    def __init__(self, builder: WorkflowBuilder, drives: Drives) -> None:
        self._builder = builder
        self._store = builder.persistence
        self._drives = drives

    async def find(
        self,
        principal: Principal,
        queue: str | None,
        workflow_id: UUID | None,
        limit: int,
        after: tuple[int, int, str] | None,
    ) -> tuple[list[models.DeadLetter], tuple[int, int, str] | None]:
        """A page of the dead letters that are there for whoever asks, and where the next one begins."""
        wanted = TaskFilter(statuses=(TaskStatus.DEAD.value,), queue=queue, workflow_id=workflow_id)
        size = _PAGE if principal.is_limited else limit + 1
        items: list[models.DeadLetter] = []
        looked = 0
        while True:
            found = await self._store.find_tasks(wanted, limit=size, after=after)
            for task in found:
                if len(items) == limit or looked == _MOST_LOOKED_AT:
                    return items, after
                looked, after = looked + 1, task.place
                if not principal.is_limited or await self._is_his(principal, task):
                    items.append(_letter(task))
            if len(found) < size:
                return items, None

    async def show(self, principal: Principal, task_id: str) -> models.DeadLetter:
        """A dead letter."""
        return _letter(await self._dead(principal, task_id))

    async def requeue(self, principal: Principal, task_id: str, reason: str) -> models.Requeued:
        """Retry the workflow of a dead letter: its step is queued again with a fresh crash budget.

        Raises:
            TaskNotFoundError: there is no such task.
            NotDeadError: it is none.
            RepairError: its workflow has not failed.
        """
        task = await self._dead(principal, task_id)
        workflow = (await self._builder.load_workflow(task.workflow_id)).followed_by(self._drives.go_on)
        await workflow.retry(actor=principal.name, reason=reason)
        await self._store.discard_task(task_id)
        return models.Requeued(workflow_id=str(task.workflow_id))

    async def discard(self, principal: Principal, task_id: str) -> None:
        """Forget a dead letter; its workflow stays as it is."""
        await self._dead(principal, task_id)
        await self._store.discard_task(task_id)

    async def _dead(self, principal: Principal, task_id: str) -> TaskRecord:
        task = await self._store.get_task(task_id)
        if not await self._is_his(principal, task):
            raise TaskNotFoundError(task_id)
        if task.status != TaskStatus.DEAD:
            raise NotDeadError(task_id, task.status)
        return task

    async def _is_his(self, principal: Principal, task: TaskRecord) -> bool:
        try:
            record = await self._store.load_instance(task.workflow_id)
        except WorkflowNotFoundError:
            return principal.sees(None, None)
        return principal.sees(record.owner_id, record.org_id)


def _letter(task: TaskRecord) -> models.DeadLetter:
    return models.DeadLetter(
        task_id=task.task_id,
        workflow_id=str(task.workflow_id),
        queue=task.queue,
        step=task.activation,
        attempt=task.attempt,
        crashes=task.crashes,
        worker_id=task.worker_id,
        priority=task.priority,
        concurrency_key=task.concurrency_key,
        progress=orjson.loads(task.progress) if task.progress else None,
    )
