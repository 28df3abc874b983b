"""`TaskStore`: the durable queue of a store.

A task is put into the queue by the transition that needs it (`Transition.tasks`), and taken out by the transaction that
writes its report. In between a worker *claims* it: the claim is a lease that runs out, and each claim raises the task's
lease epoch. What a worker says of a task counts only under the epoch of its claim, so one that was thought dead and
comes back late is not heard. A worker never writes anything else of an instance than the entry in its inbox.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, final
from uuid import UUID

import orjson

from ruvon.providers._errors import PersistenceError
from ruvon.providers._limits import QueueLimits, QueueLoad
from ruvon.providers._records import InboxEntry, InboxKind, TaskKind, TaskRecord

__all__ = [
    "TaskClaim",
    "TaskFilter",
    "TaskReport",
    "TaskStatus",
    "TaskStore",
    "WorkerRecord",
    "becomes_dead",
    "crash_entry",
]


class TaskStatus(StrEnum):
    """Where a task stands; one that is done is not there any more."""

    PENDING = "pending"
    CLAIMED = "claimed"
    DEAD = "dead"
    """The workers that took it died; kept for people to look at."""


@final
@dataclass(frozen=True, slots=True)
class TaskClaim:
    """A claimed task, as the worker that has it names it."""

    task_id: str
    lease_epoch: int
    progress: bytes | None = None
    """JSON of what the body told last with `heartbeat`; None leaves what is stored."""


@final
@dataclass(frozen=True, slots=True)
class TaskReport:
    """What a worker has made of a task."""

    task_id: str
    lease_epoch: int
    entry: InboxEntry | None = None
    """What is told to the instance; None where the task was not a step's. Its `dedup` is not looked at: a claim is
    reported once."""
    drives: bool = False
    """The task stays claimed, as one of the kind `wake`: the worker drives the instance now, and reports again."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """Which tasks are meant: those that fit everything that is given."""

    statuses: tuple[str, ...] = ()
    queue: str | None = None
    workflow_id: UUID | None = None
    worker_id: str | None = None
    lease_before_us: int | None = None
    """Claimed, and the lease runs out before this moment."""


@final
@dataclass(slots=True)
class WorkerRecord:
    """One worker process, as it tells of itself."""

    worker_id: str
    host: str = ""
    pid: int = 0
    queues: tuple[str, ...] = ()
    """The queues that it serves; empty: all."""
    concurrency: int = 1
    started_us: int = 0
    seen_us: int = 0
    """Its last sign of life."""
    running: tuple[str, ...] = field(default_factory=tuple)
    """The ids of the tasks that it runs."""
    draining: bool = False
    """It takes nothing new."""
    lease_us: int = 0
    """It looks dead when it is silent for longer; 0: it has not told."""


class TaskStore(Protocol):
    """The part of a store that keeps tasks; every method is atomic, and safe for any number of workers at a time."""

    async def claim_tasks(
        self, worker_id: str, /, *, queues: Sequence[str] = (), limit: int = 1, lease_us: int, now_us: int
    ) -> Sequence[TaskRecord]:
        """Claim pending tasks that are due, the largest priority first and the oldest of them first.

        Steps that a limit of their queue holds back are passed over.

        Args:
            worker_id: who claims them.
            queues: only tasks of these; all where none is given.
            limit: how many at most.
            lease_us: how long the claim holds.
            now_us: the present moment; later tasks are not due.
        """
        ...

    async def claim_task(self, task_id: str, worker_id: str, /, *, lease_us: int, now_us: int) -> TaskRecord | None:
        """Claim one task; None where it is not pending, not there, or held back by a limit of its queue."""
        ...

    async def extend_leases(self, claims: Sequence[TaskClaim], /, *, until_us: int) -> Sequence[str]:
        """Let claims hold until a moment, and keep the progress of their bodies; the ids of those that are lost."""
        ...

    async def report_tasks(self, reports: Sequence[TaskReport], /) -> Sequence[bool | PersistenceError]:
        """Write what came of tasks, each alone: the entry into the inbox and the task out of the queue, or neither.

        Returns:
            For each report whether it counted: False where the claim was lost or the task withdrawn, and the error where
            the store cannot keep this one. The others of the batch are written all the same.

        Raises:
            PersistenceError: the store failed, so that nothing is known of any of them.
        """
        ...

    async def release_tasks(self, claims: Sequence[TaskClaim], /, *, available_us: int = 0) -> None:
        """Give claimed tasks back, due at a moment; claims that are lost are left alone."""
        ...

    async def withdraw_task(self, task_id: str, entry: InboxEntry, /) -> bool:
        """Take a task that nobody has claimed out of the queue, and tell its instance; False where that is too late."""
        ...

    async def reap_tasks(
        self, now_us: int, /, *, crash_budget: int | None = None, limit: int = 100
    ) -> Sequence[TaskRecord]:
        """Take claims whose lease has run out from their workers; the tasks, as they are after it.

        Each is pending again with one crash more. A step that so many workers died over as the budget says becomes a dead
        letter instead, and its instance is told (`crash_entry`).
        """
        ...

    async def next_task_us(self, queues: Sequence[str], /) -> int | None:
        """The earliest moment at which a task of these queues (none: of any) is due, or a lease runs out.

        Tasks that the last claim for these queues passed over because of a limit do not count; the moment at which a rate
        lets them begin does.
        """
        ...

    async def find_tasks(
        self, wanted: TaskFilter, /, *, limit: int = 100, after: tuple[int, int, str] | None = None
    ) -> Sequence[TaskRecord]:
        """Tasks that fit: the largest priority first, then the earliest moment.

        Args:
            wanted: which ones.
            limit: how many at most.
            after: the `place` of the last one seen; the list goes on behind it, whether that one is still there or not.
        """
        ...

    async def count_tasks(self) -> Sequence[tuple[str, str, int]]:
        """Queue, status and number of tasks, by queue and status."""
        ...

    async def discard_task(self, task_id: str, /) -> bool:
        """Forget a dead letter; False where there is none with this id."""
        ...

    def listen_tasks(self, notify: Callable[[], None], /) -> Callable[[], None]:
        """Call `notify` on the loop's thread whenever tasks may have become due; what is returned stops that.

        Tasks that other processes put into the queue count too. A call too many is possible, one too few is not, except
        while a connection is lost.
        """
        ...

    async def put_limits(self, limits: QueueLimits, /) -> None:
        """Give a queue these limits, in place of those that it had; the starts of the last period stay counted."""
        ...

    async def remove_limits(self, queue: str, /) -> bool:
        """Let a queue have no limits any more; False where it had none."""
        ...

    async def queue_loads(self) -> Sequence[QueueLoad]:
        """Every queue that has limits, by name, with what runs and what has started."""
        ...

    async def put_worker(self, record: WorkerRecord, /) -> None:
        """Write what a worker tells of itself."""
        ...

    async def list_workers(self) -> Sequence[WorkerRecord]:
        """Every worker that has told of itself and not left, by id."""
        ...

    async def remove_worker(self, worker_id: str, /) -> None:
        """Forget a worker; an unknown one is ignored."""
        ...


def crash_entry(task: TaskRecord, at_us: int) -> InboxEntry:
    """What an instance is told of a task that so many workers died over as `task.crashes` says."""
    payload = orjson.dumps({"crashes": task.crashes})
    return InboxEntry(task.workflow_id, InboxKind.TASK_RESULT, task.activation, payload, key=task.task_id, at_us=at_us)


def looks_dead_since_us(worker: WorkerRecord, now_us: int) -> int | None:
    """When a worker that is silent for longer than its lease began to look dead; None where it does not."""
    ends_us = worker.seen_us + worker.lease_us
    return ends_us if worker.lease_us and ends_us < now_us else None


def becomes_dead(task: TaskRecord, crash_budget: int | None) -> bool:
    """Whether a task that another worker died over is not given to a further one."""
    return task.kind is TaskKind.STEP and crash_budget is not None and task.crashes >= crash_budget
