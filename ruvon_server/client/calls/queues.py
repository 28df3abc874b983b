"""The calls of the queues room."""

from uuid import UUID

from ruvon_server.client._call import API, Call, asking_named, json_of, nothing, part, query
from ruvon_server.models import queues as models

__all__ = [
    "discard_dead_letter",
    "get_dead_letter",
    "get_task",
    "lift_queue_limits",
    "list_dead_letters",
    "list_queues",
    "list_tasks",
    "list_workers",
    "requeue_dead_letter",
    "set_queue_limits",
]

set_queue_limits = asking_named(
    "set_queue_limits", "/queues/{}/limits", models.Limits, json_of(models.Limits), method="PUT"
)
requeue_dead_letter = asking_named(
    "requeue_dead_letter", "/dead-letters/{}/requeue", models.RequeueDeadLetter, json_of(models.Requeued)
)


def list_workers() -> Call[models.WorkerList]:
    """The worker processes, with what each does."""
    name = "list_workers"
    return Call(name, "GET", f"{API}/workers", json_of(models.WorkerList), repeatable=True)


def list_queues() -> Call[models.QueueList]:
    """The queues, with what waits in each."""
    name = "list_queues"
    return Call(name, "GET", f"{API}/queues", json_of(models.QueueList), repeatable=True)


def lift_queue_limits(queue: str, /) -> Call[None]:
    """Take the limits of a queue away."""
    name = "lift_queue_limits"
    return Call(name, "DELETE", f"{API}/queues/{part(name, queue)}/limits", nothing)


def list_tasks(
    *,
    dead: bool | None = None,
    queue: str | None = None,
    workflow_id: UUID | str | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Call[models.TaskPage]:
    """A page of what lies in the queues, the most urgent first."""
    return Call(
        "list_tasks",
        "GET",
        f"{API}/tasks",
        json_of(models.TaskPage),
        query({"dead": dead, "queue": queue, "workflow_id": workflow_id, "limit": limit, "cursor": cursor}),
        repeatable=True,
    )


def get_task(task_id: str, /) -> Call[models.TaskDetails]:
    """A task, with how far it is."""
    name = "get_task"
    return Call(name, "GET", f"{API}/tasks/{part(name, task_id)}", json_of(models.TaskDetails), repeatable=True)


def list_dead_letters(
    *,
    queue: str | None = None,
    workflow_id: UUID | str | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Call[models.DeadLetterPage]:
    """A page of the tasks that were given up, the most urgent first."""
    name = "list_dead_letters"
    return Call(
        name,
        "GET",
        f"{API}/dead-letters",
        json_of(models.DeadLetterPage),
        query({"queue": queue, "workflow_id": workflow_id, "limit": limit, "cursor": cursor}),
        repeatable=True,
    )


def get_dead_letter(task_id: str, /) -> Call[models.DeadLetter]:
    """A task that was given up."""
    name = "get_dead_letter"
    return Call(name, "GET", f"{API}/dead-letters/{part(name, task_id)}", json_of(models.DeadLetter), repeatable=True)


def discard_dead_letter(task_id: str, /) -> Call[None]:
    """Give a task up for good."""
    name = "discard_dead_letter"
    return Call(name, "DELETE", f"{API}/dead-letters/{part(name, task_id)}", nothing)
