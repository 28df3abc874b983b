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
    """Its last sign of life. One that is silent for longer than its lease is gone."""
    silent_s: float


class WorkerList(BaseModel):
    """The workers, by id."""

    model_config = _config({"items": [_WORKER]})

    items: list[Worker]


class Limits(BaseModel):
    """What a queue may do; null leaves that side open."""

    model_config = _config({"concurrency": 4, "per_key": 1, "rate": 100, "period_s": 60}, closed=True)

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
    """Dead letters, the most urgent first."""

    model_config = _config({"items": [_DEAD_LETTER]})

    items: list[DeadLetter]


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
