"""Workers and queues of a store. They are no tenant's: their permissions are only for whoever is limited to none."""

from datetime import timedelta
from typing import Any, final

import orjson

from ruvon._described import moment as written
from ruvon.builder import WorkflowBuilder
from ruvon.providers import QueueLimits, QueueLoad, TaskFilter, TaskRecord
from ruvon.providers._limits import DELAYED, Gate, why_waiting
from ruvon.providers.tasks import looks_dead_since_us
from ruvon_server.models import queues as models
from ruvon_server.problems import NoLimitsError
from ruvon_server.shown import maybe_moment, moment

__all__ = ["QueueService"]


@final
class QueueService:
    """Shows workers, queues and tasks, and sets limits.

    Args:
        builder: the store.
    """

    def __init__(self, builder: WorkflowBuilder) -> None:
        self._builder = builder
        self._store = builder.persistence

    async def workers(self) -> models.WorkerList:
        """The workers of the store."""
        now_us = self._builder.clock.now_us()
        items = [
            models.Worker(
                worker_id=item.worker_id,
                host=item.host,
                pid=item.pid,
                queues=list(item.queues),
                concurrency=item.concurrency,
                running=len(item.running),
                draining=item.draining,
                started_at=moment(item.started_us),
                seen_at=moment(item.seen_us),
                silent_s=max(0, now_us - item.seen_us) / 1_000_000,
                looks_dead_since=maybe_moment(looks_dead_since_us(item, now_us)),
            )
            for item in await self._store.list_workers()
        ]
        return models.WorkerList(items=items)

    async def queues(self) -> models.QueueList:
        """The queues that have tasks or limits."""
        loads = {load.limits.queue: load for load in await self._builder.queues.loads()}
        counts: dict[str, dict[str, int]] = {}
        for queue, status, number in await self._store.count_tasks():
            counts.setdefault(queue, {})[status] = number
        names = sorted({*loads, *counts})
        return models.QueueList(items=[_queue(name, counts.get(name, {}), loads.get(name)) for name in names])

    async def tasks(
        self, wanted: TaskFilter, limit: int, after: tuple[int, int, str] | None
    ) -> tuple[list[models.Task], tuple[int, int, str] | None]:
        """A page of the tasks of the store that fit, the most urgent first, and where the next one begins."""
        found = await self._store.find_tasks(wanted, limit=limit + 1, after=after)
        more, found = len(found) > limit, found[:limit]
        loads = {load.limits.queue: load for load in await self._store.queue_loads()}
        return [models.Task(**self._columns(item, loads)) for item in found], found[-1].place if more else None

    async def task(self, task_id: str) -> models.TaskDetails:
        """One task.

        Raises:
            TaskNotFoundError: there is none with this id.
        """
        task = await self._store.get_task(task_id)
        loads = {load.limits.queue: load for load in await self._store.queue_loads()}
        return models.TaskDetails(
            **self._columns(task, loads),
            lease_until=moment(task.lease_us) if task.lease_us else None,
            claims=task.lease_epoch,
            progress=orjson.loads(task.progress) if task.progress else None,
            digest=orjson.loads(task.payload)["digest"] if task.payload else None,
            payload_bytes=len(task.payload),
        )

    def _columns(self, task: TaskRecord, loads: dict[str, QueueLoad]) -> dict[str, Any]:
        said = why_waiting(task, loads.get(task.queue), self._builder.clock.now_us())
        return {
            "task_id": task.task_id,
            "workflow_id": str(task.workflow_id),
            "status": str(task.status),
            "queue": task.queue,
            "kind": str(task.kind),
            "step": task.activation,
            "attempt": task.attempt,
            "crashes": task.crashes,
            "worker_id": task.worker_id,
            "waits_for": f"its moment: {written(task.available_us)}" if said == DELAYED else said or None,
            "available_at": moment(task.available_us),
            "priority": task.priority,
            "concurrency_key": task.concurrency_key,
        }

    async def set_limits(self, name: str, wanted: models.Limits) -> models.Limits:
        """Give a queue these limits in place of those that it had; harmless when repeated.

        Raises:
            InvalidLimitsError: no queue can have them.
        """
        if wanted == models.Limits():
            await self._builder.queues.lift_limits(name)
            return wanted
        period = timedelta(seconds=wanted.period_s) if wanted.period_s is not None else None
        made = await self._builder.queues.set_limits(
            name, concurrency=wanted.concurrency, per_key=wanted.per_key, rate=wanted.rate, period=period
        )
        return _limits(made)

    async def lift_limits(self, name: str) -> None:
        """Let a queue have no limits any more.

        Raises:
            NoLimitsError: it has none.
        """
        if not await self._builder.queues.lift_limits(name):
            raise NoLimitsError(name)


def _queue(name: str, counts: dict[str, int], load: QueueLoad | None) -> models.Queue:
    has_rate = load is not None and load.limits.rate is not None
    return models.Queue(
        name=name,
        pending=counts.get("pending", 0),
        claimed=counts.get("claimed", 0),
        dead=counts.get("dead", 0),
        limits=_limits(load.limits) if load is not None else models.Limits(),
        running=load.running if load is not None else None,
        started=sum(count for _, count in Gate(load).starts) if load is not None and has_rate else None,
    )


def _limits(limits: QueueLimits) -> models.Limits:
    period_s = limits.period_us / 1_000_000 if limits.rate is not None else None
    return models.Limits(concurrency=limits.concurrency, per_key=limits.per_key, rate=limits.rate, period_s=period_s)
