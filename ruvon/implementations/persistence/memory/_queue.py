"""The durable queue, as durable as this process."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import islice

from ruvon.implementations.persistence.memory._commits import Commits
from ruvon.implementations.persistence.memory._limited import Limits
from ruvon.providers import (
    InboxEntry,
    PersistenceError,
    TaskClaim,
    TaskFilter,
    TaskKind,
    TaskRecord,
    TaskReport,
    TaskStatus,
    Transition,
    WorkerRecord,
)
from ruvon.providers.tasks import becomes_dead, crash_entry

__all__ = ["Queue"]


class Queue(Commits, Limits):
    """Tasks and the workers that run them."""

    async def commit(self, transition: Transition, /) -> None:
        """Write one transition, and wake workers where it brings work."""
        await super().commit(transition)
        if transition.tasks:
            self._tell_workers()

    async def claim_tasks(
        self, worker_id: str, /, *, queues: Sequence[str] = (), limit: int = 1, lease_us: int, now_us: int
    ) -> Sequence[TaskRecord]:
        """Claim pending tasks that are due."""
        due = [
            task
            for task in self._tasks.values()
            if task.status == TaskStatus.PENDING
            and task.available_us <= now_us
            and (not queues or task.queue in queues)
        ]
        due.sort(key=lambda task: (-task.priority, task.available_us))
        if self._limits:
            due = self._let_through(due, limit, queues, now_us)
        return [self._claim(task, worker_id, now_us + lease_us) for task in due[:limit]]

    async def claim_task(self, task_id: str, worker_id: str, /, *, lease_us: int, now_us: int) -> TaskRecord | None:
        """Claim one task."""
        task = self._tasks.get(task_id)
        if task is None or task.status != TaskStatus.PENDING:
            return None
        if self._limits and not self._lets_begin(task, now_us):
            return None
        return self._claim(task, worker_id, now_us + lease_us)

    @staticmethod
    def _claim(task: TaskRecord, worker_id: str, until_us: int) -> TaskRecord:
        task.status, task.worker_id = TaskStatus.CLAIMED, worker_id
        task.lease_epoch += 1
        task.lease_us = until_us
        return replace(task)

    async def extend_leases(self, claims: Sequence[TaskClaim], /, *, until_us: int) -> Sequence[str]:
        """Let claims hold longer."""
        lost: list[str] = []
        for claim in claims:
            task = self._claimed(claim.task_id, claim.lease_epoch)
            if task is None:
                lost.append(claim.task_id)
                continue
            task.lease_us = until_us
            task.progress = claim.progress if claim.progress is not None else task.progress
        return lost

    async def report_tasks(self, reports: Sequence[TaskReport], /) -> Sequence[bool | PersistenceError]:
        """Write what came of tasks, each alone."""
        return [await self._report(report) for report in reports]

    async def _report(self, report: TaskReport) -> bool:
        task = self._claimed(report.task_id, report.lease_epoch)
        if task is None:
            return False
        if report.drives:
            task.kind, task.crashes, task.payload, task.progress = TaskKind.WAKE, 0, b"", None
        else:
            del self._tasks[report.task_id]
        if report.entry is not None and report.entry.workflow_id in self._rows:
            await self.append_inbox(report.entry)
        if self._limits:
            self._tell_workers()
        return True

    async def release_tasks(self, claims: Sequence[TaskClaim], /, *, available_us: int = 0) -> None:
        """Give claimed tasks back."""
        for claim in claims:
            task = self._claimed(claim.task_id, claim.lease_epoch)
            if task is not None:
                task.status, task.worker_id, task.lease_us = TaskStatus.PENDING, None, 0
                task.available_us = available_us
                task.progress = claim.progress if claim.progress is not None else task.progress
        self._tell_workers()

    def _claimed(self, task_id: str, epoch: int) -> TaskRecord | None:
        task = self._tasks.get(task_id)
        if task is None or task.status != TaskStatus.CLAIMED or task.lease_epoch != epoch:
            return None
        return task

    async def withdraw_task(self, task_id: str, entry: InboxEntry, /) -> bool:
        """Take a task that nobody has claimed out of the queue."""
        task = self._tasks.get(task_id)
        if task is None or task.status != TaskStatus.PENDING:
            return False
        del self._tasks[task_id]
        await self.append_inbox(entry)
        return True

    async def reap_tasks(
        self, now_us: int, /, *, crash_budget: int | None = None, limit: int = 100
    ) -> Sequence[TaskRecord]:
        """Take claims whose lease has run out from their workers."""
        expired = [
            task for task in self._tasks.values() if task.status == TaskStatus.CLAIMED and task.lease_us <= now_us
        ]
        for task in expired[:limit]:
            task.crashes += 1
            task.worker_id, task.lease_us = None, 0
            task.status = TaskStatus.DEAD if becomes_dead(task, crash_budget) else TaskStatus.PENDING
            if task.status == TaskStatus.DEAD:
                await self.append_inbox(crash_entry(task, now_us))
        if expired:
            self._tell_workers()
        return [replace(task) for task in expired[:limit]]

    async def next_task_us(self, queues: Sequence[str], /) -> int | None:
        """The earliest moment at which there is something to do."""
        looked_us, opens_us = self._looked.get(tuple(queues), (-1, None)) if self._limits else (-1, None)
        moments = [
            task.lease_us if task.status == TaskStatus.CLAIMED else task.available_us
            for task in self._tasks.values()
            if task.status == TaskStatus.CLAIMED
            or (
                task.status == TaskStatus.PENDING
                and task.available_us > looked_us
                and (not queues or task.queue in queues)
            )
        ]
        moments += [opens_us] if opens_us is not None else []
        return min(moments, default=None)

    async def find_tasks(
        self, wanted: TaskFilter, /, *, limit: int = 100, after: tuple[int, int, str] | None = None
    ) -> Sequence[TaskRecord]:
        """Tasks that fit."""
        found = sorted(self._fitting(wanted), key=lambda task: _order(task.place))
        behind = (task for task in found if after is None or _order(task.place) > _order(after))
        return [replace(task) for task in islice(behind, limit)]

    def _fitting(self, wanted: TaskFilter) -> Iterable[TaskRecord]:
        for task in self._tasks.values():
            exact = (
                (wanted.queue, task.queue),
                (wanted.workflow_id, task.workflow_id),
                (wanted.worker_id, task.worker_id),
            )
            leased = task.status == TaskStatus.CLAIMED and task.lease_us < (wanted.lease_before_us or 0)
            if (
                (not wanted.statuses or task.status in wanted.statuses)
                and all(value is None or value == found for value, found in exact)
                and (wanted.lease_before_us is None or leased)
            ):
                yield task

    async def count_tasks(self) -> Sequence[tuple[str, str, int]]:
        """Queue, status and number of tasks."""
        counts = Counter((task.queue, str(task.status)) for task in self._tasks.values())
        return [(queue, status, number) for (queue, status), number in sorted(counts.items())]

    async def discard_task(self, task_id: str, /) -> bool:
        """Forget a dead letter."""
        task = self._tasks.get(task_id)
        if task is None or task.status != TaskStatus.DEAD:
            return False
        del self._tasks[task_id]
        return True

    def listen_tasks(self, notify: Callable[[], None], /) -> Callable[[], None]:
        """Call `notify` whenever tasks may have become due."""
        self._task_listeners.append(notify)
        return lambda: self._task_listeners.remove(notify) if notify in self._task_listeners else None

    async def put_worker(self, record: WorkerRecord, /) -> None:
        """Write what a worker tells of itself."""
        self._workers[record.worker_id] = replace(record)

    async def list_workers(self) -> Sequence[WorkerRecord]:
        """Every worker."""
        return [replace(self._workers[name]) for name in sorted(self._workers)]

    async def remove_worker(self, worker_id: str, /) -> None:
        """Forget a worker."""
        self._workers.pop(worker_id, None)


def _order(place: tuple[int, int, str]) -> tuple[int, int, str]:
    """What sorts places: the largest priority is the first."""
    priority, available_us, key = place
    return -priority, available_us, key
