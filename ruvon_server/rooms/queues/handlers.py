"""The operations of the queues room."""

from typing import Annotated, Any, Final, TypeAlias
from uuid import UUID

from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter
from pydantic import TypeAdapter

from ruvon.providers import TaskFilter, TaskStatus
from ruvon_server.auth import Permission, Principal
from ruvon_server.models import queues as models
from ruvon_server.models.workflows import NAME_PATTERN, Name
from ruvon_server.paging import DEFAULT_LIMIT, Cursor, Limit, Paging
from ruvon_server.rooms.queues.dead_letters import DeadLetterService
from ruvon_server.rooms.queues.service import QueueService
from ruvon_server.routes import deletes, reads, replaces, writes

__all__ = ["DEAD_LETTERS", "QUEUES", "TASKS", "WORKERS"]

QueueName: TypeAlias = Annotated[
    str, PathParameter(max_length=200, pattern=NAME_PATTERN, description="The name of a queue.")
]
TaskId: TypeAlias = Annotated[
    str, PathParameter(max_length=1_000, pattern=NAME_PATTERN, description="The id of a task.")
]
Service: TypeAlias = NamedDependency[QueueService]
Letters: TypeAlias = NamedDependency[DeadLetterService]
Asker: TypeAlias = NamedDependency[Principal]
_ONE: Final = ("task-not-found", "not-dead")
_DEAD: Final = (TaskStatus.DEAD.value,)
_IN_QUEUE: Final = TypeAdapter(tuple[int, int, str])
"""Reads the places of tasks."""


@reads("/", name="list_workers", permission=Permission.QUEUES_READ)
async def list_workers(service: Service) -> models.WorkerList:
    """List the workers of the store: what they serve and run, and their last sign of life."""
    return await service.workers()


@reads("/", name="list_queues", permission=Permission.QUEUES_READ)
async def list_queues(service: Service) -> models.QueueList:
    """List the queues that have tasks or limits: what waits, what runs, and the limits."""
    return await service.queues()


@replaces(
    "/{name:str}/limits",
    name="set_queue_limits",
    permission=Permission.QUEUES_WRITE,
    problems=("invalid-limits",),
)
async def set_queue_limits(name: QueueName, data: JSONBody[models.Limits], service: Service) -> models.Limits:
    """Give a queue these limits in place of those that it had, for all workers, from the next claim on."""
    return await service.set_limits(name, data)


@deletes(
    "/{name:str}/limits",
    name="lift_queue_limits",
    permission=Permission.QUEUES_WRITE,
    problems=("no-limits",),
)
async def lift_queue_limits(name: QueueName, service: Service) -> None:
    """Let a queue have no limits any more."""
    await service.lift_limits(name)


@reads("/", name="list_tasks", permission=Permission.QUEUES_READ, problems=("bad-cursor",))
async def list_tasks(
    service: Service,
    pages: Paging,
    dead: Annotated[bool, QueryParameter(description="Only dead letters.")] = False,
    queue: Annotated[Name | None, QueryParameter(description="Only those of this queue.")] = None,
    workflow_id: Annotated[UUID | None, QueryParameter(description="Only those of this workflow.")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> models.TaskPage:
    """List what lies in the queues of the store, the most urgent first: what waits, what runs, and dead letters."""
    wanted = TaskFilter(statuses=_DEAD if dead else (), queue=queue, workflow_id=workflow_id)
    after = await pages.place(cursor, _IN_QUEUE)
    items, place = await service.tasks(wanted, limit, after)
    return models.TaskPage(items=items, next_cursor=await pages.cursor(place))


@reads("/{task_id:str}", name="get_task", permission=Permission.QUEUES_READ, problems=("task-not-found",))
async def get_task(task_id: TaskId, service: Service) -> models.TaskDetails:
    """Show a task: when it is due, who has it, how far its body is. The state that it carries is not shown."""
    return await service.task(task_id)


@reads("/", name="list_dead_letters", permission=Permission.WORKFLOWS_READ, problems=("bad-cursor",))
async def list_dead_letters(
    letters: Letters,
    principal: Asker,
    pages: Paging,
    queue: Annotated[Name | None, QueryParameter(description="Only those of this queue.")] = None,
    workflow_id: Annotated[UUID | None, QueryParameter(description="Only those of this workflow.")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> models.DeadLetterPage:
    """List the tasks that workers died over, the most urgent first."""
    after = await pages.place(cursor, _IN_QUEUE)
    items, place = await letters.find(principal, queue, workflow_id, limit, after)
    return models.DeadLetterPage(items=items, next_cursor=await pages.cursor(place))


@reads("/{task_id:str}", name="get_dead_letter", permission=Permission.WORKFLOWS_READ, problems=_ONE)
async def get_dead_letter(task_id: TaskId, letters: Letters, principal: Asker) -> models.DeadLetter:
    """Show a dead letter. The state that it carries is not shown."""
    return await letters.show(principal, task_id)


@writes(
    "/{task_id:str}/requeue",
    name="requeue_dead_letter",
    permission=Permission.WORKFLOWS_REPAIR,
    problems=(
        *_ONE,
        "repair-refused",
        "workflow-not-found",
        "workflow-busy",
        "workflow-changed",
        "definition-drift",
        "cannot-run-here",
    ),
    status_code=202,
)
async def requeue_dead_letter(
    task_id: TaskId, data: JSONBody[models.RequeueDeadLetter], letters: Letters, principal: Asker
) -> models.Requeued:
    """Retry the workflow of a dead letter: its step is queued again with a fresh crash budget."""
    return await letters.requeue(principal, task_id, data.reason)


@deletes("/{task_id:str}", name="discard_dead_letter", permission=Permission.WORKFLOWS_REPAIR, problems=_ONE)
async def discard_dead_letter(task_id: TaskId, letters: Letters, principal: Asker) -> None:
    """Forget a dead letter; its workflow stays as it is."""
    await letters.discard(principal, task_id)


WORKERS: Final[list[Any]] = [list_workers]
QUEUES: Final[list[Any]] = [list_queues, set_queue_limits, lift_queue_limits]
TASKS: Final[list[Any]] = [list_tasks, get_task]
DEAD_LETTERS: Final[list[Any]] = [list_dead_letters, get_dead_letter, requeue_dead_letter, discard_dead_letter]
