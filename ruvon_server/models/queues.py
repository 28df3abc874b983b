"""What the queues room is asked and answers."""

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ruvon_server.models.workflows import ID, Reason

__all__ = [
    "DeadLetter",
    "DeadLetterPage",
    "Limits",
    "Queue",
    "QueueList",
    "RequeueDeadLetter",
    "Requeued",
    "Task",
    "TaskDetails",
    "TaskPage",
    "Worker",
    "WorkerList",
]

_MOMENT = "2026-11-21T12:00:00Z"
_MOST = 1_000_000_000
_WORKER: dict[str, Any] = {
    "worker_id": "host-7-4f2a",
    "host": "host",
    "pid": 7,
    "queues": ["default"],
    "concurrency": 8,
    "running": 3,
    "draining": False,
    "started_at": _MOMENT,
    "seen_at": _MOMENT,
    "silent_s": 1.2,
    "looks_dead_since": None,
}
_QUEUE: dict[str, Any] = {
    "name": "mail",
    "pending": 12,
    "claimed": 4,
    "dead": 0,
    "limits": {"concurrency": 4, "per_key": None, "rate": 100, "period_s": 60},
    "running": 4,
    "started": 57,
}
_DEAD_LETTER: dict[str, Any] = {
    "task_id": "0196a1.4b7c",
    "workflow_id": ID,
    "queue": "default",
    "step": "render",
    "attempt": 1,
    "crashes": 3,
    "worker_id": "host-7-4f2a",
    "priority": 0,
    "concurrency_key": None,
    "progress": {"page": 7},
}


_TASK: dict[str, Any] = {
    "task_id": "0196a1.4b7c",
    "workflow_id": ID,
    "status": "pending",
    "queue": "default",
    "kind": "step",
    "step": "render",
    "attempt": 1,
    "crashes": 0,
    "worker_id": None,
    "waits_for": None,
    "available_at": _MOMENT,
    "priority": 0,
    "concurrency_key": None,
}


def _config(*examples: dict[str, Any], closed: bool = False) -> ConfigDict:
    extra: Literal["forbid", "ignore"] = "forbid" if closed else "ignore"
    return ConfigDict(use_attribute_docstrings=True, extra=extra, json_schema_extra={"examples": list(examples)})


class Worker(BaseModel):
    """A worker process, as it tells of itself."""

    model_config = _config(_WORKER)

    worker_id: str
    host: str
    pid: int
    queues: list[str]
    """The queues that it serves; none: all."""
    concurrency: int
    """So many tasks at a time."""
    running: int
    """So many it has now."""
    draining: bool
    """It takes nothing new."""
    started_at: datetime
    seen_at: datetime
    """Its last sign of life."""
    silent_s: float
    looks_dead_since: datetime | None
    """Since when it is silent for longer than its lease; None: it is not."""


class WorkerList(BaseModel):
    """The workers, by id."""

    model_config = _config({"items": [_WORKER]})

    items: list[Worker]


def _says_both(schema: dict[str, Any]) -> None:
    """Let the schema say that `rate` and `period_s` are both there, or neither."""
    open_side = {"type": "null"}
    both = {name: schema["properties"][name]["anyOf"][0] for name in ("rate", "period_s")}
    schema["anyOf"] = [
        {"properties": dict.fromkeys(both, open_side)},
        {"properties": both, "required": list(both)},
    ]
    schema["examples"] = [{"concurrency": 4, "per_key": 1, "rate": 100, "period_s": 60}]


class Limits(BaseModel):
    """What a queue may do; null leaves that side open."""

    model_config = ConfigDict(use_attribute_docstrings=True, extra="forbid", json_schema_extra=_says_both)

    concurrency: int | None = Field(default=None, ge=0, le=_MOST)
    """So many steps of it run at a time, over all workers; 0: none is begun."""
    per_key: int | None = Field(default=None, ge=0, le=_MOST)
    """So many with the same concurrency key."""
    rate: int | None = Field(default=None, ge=0, le=_MOST)
    """So many start within any period."""
    period_s: float | None = Field(default=None, gt=0, le=366 * 86_400)
    """The period of `rate`, in seconds."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.rate is None) != (self.period_s is None):
            raise ValueError("`rate` and `period_s` go together, such as 100 in 60")
        return self


class Queue(BaseModel):
    """A queue that has tasks or limits."""

    model_config = _config(_QUEUE)

    name: str
    pending: int
    """Tasks that wait for a worker."""
    claimed: int
    """Tasks that workers have."""
    dead: int
    """Dead letters."""
    limits: Limits
    running: int | None
    """Steps that count against `concurrency`; None where there are no limits."""
    started: int | None
    """Steps that started within the last period; None where there is no rate."""


class QueueList(BaseModel):
    """The queues, by name."""

    model_config = _config({"items": [_QUEUE]})

    items: list[Queue]


class Task(BaseModel):
    """Something that a worker is to do, or does."""

    model_config = _config(_TASK)

    task_id: str
    workflow_id: str
    status: str
    """`pending`, `claimed` or `dead`."""
    queue: str
    kind: str
    """What is to be done: a step, or to go on with a workflow."""
    step: str
    """The activation of the step."""
    attempt: int
    crashes: int
    """So many workers have died over it."""
    worker_id: str | None
    waits_for: str | None
    """Why nobody has it yet: a limit of its queue, or its moment; None where only a worker is missing."""
    available_at: datetime
    """No worker gets it before."""
    priority: int
    concurrency_key: str | None


class TaskPage(BaseModel):
    """A page of tasks, the most urgent first."""

    model_config = _config({"items": [_TASK], "next_cursor": None})

    items: list[Task]
    next_cursor: str | None
    """Give it as `cursor` to get the next page; None on the last one."""


class TaskDetails(Task):
    """A task, with how far it is. The state that it carries is not shown."""

    model_config = _config(
        {**_TASK, "lease_until": None, "claims": 0, "progress": None, "digest": None, "payload_bytes": 0}
    )

    lease_until: datetime | None
    """So long whoever has it keeps it without another sign of life."""
    claims: int
    """So often it was claimed."""
    progress: Any
    """What its body told last."""
    digest: str | None
    """The digest of the definition that it runs."""
    payload_bytes: int
    """The size of what it carries."""


class DeadLetter(BaseModel):
    """A task that so many workers died over that no other one gets it."""

    model_config = _config(_DEAD_LETTER)

    task_id: str
    workflow_id: str
    queue: str
    step: str
    """The activation of the step."""
    attempt: int
    crashes: int
    """So many workers have died over it."""
    worker_id: str | None
    """The last one."""
    priority: int
    concurrency_key: str | None
    progress: Any
    """What its body told last."""


class DeadLetterPage(BaseModel):
    """A page of dead letters, the most urgent first."""

    model_config = _config({"items": [_DEAD_LETTER], "next_cursor": None})

    items: list[DeadLetter]
    """There may be fewer than asked for, and none, although more pages follow."""
    next_cursor: str | None
    """Give it as `cursor` to get the next page; None on the last one."""


class RequeueDeadLetter(BaseModel):
    """Try the step of a dead letter again."""

    model_config = _config({"reason": "more memory"}, closed=True)

    reason: Reason = ""
    """Why; kept in the history."""


class Requeued(BaseModel):
    """The step is tried again."""

    model_config = _config({"workflow_id": ID})

    workflow_id: str
    """Its workflow, which goes on."""
