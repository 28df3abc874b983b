"""The durable queue in PostgreSQL: claims that skip each other's rows, reports that stand alone, pushed wake-ups.

Who puts tasks into the queue says so in a notification of its transaction (`tasks` on the channel of the inboxes), so an
idle worker begins within a round trip of the commit.
"""

from collections.abc import Callable, Sequence

from ruvon.implementations.persistence import _rows as rows
from ruvon.implementations.persistence.postgres import _queue_statements as sql
from ruvon.implementations.persistence.postgres._driver import Connection, DatabaseServerError
from ruvon.implementations.persistence.postgres._holds import TASKS
from ruvon.implementations.persistence.postgres._instances import columns
from ruvon.implementations.persistence.postgres._limited import Limits
from ruvon.implementations.persistence.postgres._sending import append
from ruvon.providers.persistence import InboxEntry, PersistenceError, TaskRecord
from ruvon.providers.tasks import (
    TaskClaim,
    TaskFilter,
    TaskReport,
    TaskStatus,
    WorkerRecord,
    becomes_dead,
    crash_entry,
)

__all__ = ["Queue"]

_WORKER_COLUMNS = (
    "worker_id", "host", "pid", "queues", "concurrency", "started_us", "seen_us", "running", "draining",
    "lease_us",
)  # fmt: skip


class Queue(Limits):
    """Tasks and the workers that run them."""

    async def claim_tasks(
        self, worker_id: str, /, *, queues: Sequence[str] = (), limit: int = 1, lease_us: int, now_us: int
    ) -> Sequence[TaskRecord]:
        """Claim pending tasks that are due. A claim whose answer is lost with the connection runs out by itself."""
        if await self._has_limits(queues):
            return await self._claim_limited(worker_id, queues, limit, lease_us, now_us)
        found = await self._claim(sql.CLAIM, worker_id, now_us + lease_us, now_us, list(queues) or None, limit)
        return sorted(map(rows.task, found), key=lambda task: (-task.priority, task.available_us))

    async def claim_task(self, task_id: str, worker_id: str, /, *, lease_us: int, now_us: int) -> TaskRecord | None:
        """Claim one task; a claim whose answer is lost with the connection is found again by its worker and lease."""
        if await self._has_limits(()):
            return await self._claim_one_limited(task_id, worker_id, lease_us, now_us)
        row = await self._one(sql.CLAIM_ONE, task_id, worker_id, now_us + lease_us)
        return rows.task(row) if row is not None else None

    async def extend_leases(self, claims: Sequence[TaskClaim], /, *, until_us: int) -> Sequence[str]:
        """Let claims hold longer."""
        if not claims:
            return []
        values = [(claim.task_id, claim.lease_epoch, claim.progress) for claim in claims]
        kept = {row["task_id"] for row in await self._all(sql.EXTEND, *columns(values, 3), until_us)}
        return [claim.task_id for claim in claims if claim.task_id not in kept]

    async def report_tasks(self, reports: Sequence[TaskReport], /) -> Sequence[bool | PersistenceError]:
        """Write what came of tasks, each alone: a batch that is refused is written one by one."""
        if not reports:
            return []
        counted: Sequence[bool | PersistenceError]
        try:
            counted = await self._report(reports)
        except DatabaseServerError as exc:
            if exc.__cause__ is None:  # nothing was refused: the server is away
                raise
            counted = [exc] if len(reports) == 1 else await self._report_singly(reports)
        for report, counts in zip(reports, counted, strict=True):
            if counts is True and report.entry is not None:
                self._open_holds().wake(report.entry.workflow_id)
        if True in counted and await self._has_limits(()):
            await self._announce()
        return counted

    async def _report_singly(self, reports: Sequence[TaskReport]) -> list[bool | PersistenceError]:
        answers: list[bool | PersistenceError] = []
        for place, report in enumerate(reports):
            try:
                answers += await self._report([report])
            except DatabaseServerError as exc:
                if exc.__cause__ is None:  # the server has gone meanwhile; each of the others would wait for it in vain
                    return answers + [exc] * (len(reports) - place)
                answers.append(exc)
        return answers

    async def _report(self, reports: Sequence[TaskReport]) -> list[bool]:
        first = {report.task_id: report for report in reversed(reports)}
        values = [_report_row(report) for report in first.values()]

        async def work(connection: Connection) -> set[str]:
            found = await connection.fetch(sql.REPORT, *columns(values, 9), self._inbox_salt, self._channel)
            return {row["task_id"] for row in found}

        kept = await self._transaction(work)
        answers = [report.task_id in kept and first[report.task_id] is report for report in reports]
        # The statement takes each task once. A report of the same task under another claim may be the one that counts.
        others = [
            place for place, report in enumerate(reports) if report.lease_epoch != first[report.task_id].lease_epoch
        ]
        if others:
            for place, counts in zip(others, await self._report([reports[place] for place in others]), strict=True):
                answers[place] = counts
        return answers

    async def release_tasks(self, claims: Sequence[TaskClaim], /, *, available_us: int = 0) -> None:
        """Give claimed tasks back."""
        values = [(claim.task_id, claim.lease_epoch, claim.progress) for claim in claims]
        if values:
            await self._all(sql.RELEASE, *columns(values, 3), available_us)
            await self._announce()

    async def withdraw_task(self, task_id: str, entry: InboxEntry, /) -> bool:
        """Take a task that nobody has claimed out of the queue."""

        async def work(connection: Connection) -> bool:
            if not await connection.fetch(sql.WITHDRAW, task_id):
                return False
            return await append(connection, [entry], self._inbox_salt, self._channel) > 0

        withdrawn = await self._transaction(work)
        if withdrawn:
            self._open_holds().wake(entry.workflow_id)
        return withdrawn

    async def reap_tasks(
        self, now_us: int, /, *, crash_budget: int | None = None, limit: int = 100
    ) -> Sequence[TaskRecord]:
        """Take claims whose lease has run out from their workers."""

        async def work(connection: Connection) -> list[TaskRecord]:
            found = [rows.task(row) for row in await connection.fetch(sql.EXPIRED, now_us, limit)]
            if not found:
                return []
            for task in found:
                task.crashes += 1
                task.worker_id, task.lease_us = None, 0
                task.status = TaskStatus.DEAD if becomes_dead(task, crash_budget) else TaskStatus.PENDING
            values = [(task.task_id, str(task.status), task.crashes) for task in found]
            await connection.execute(sql.REAP, *columns(values, 3))
            dead = [crash_entry(task, now_us) for task in found if task.status == TaskStatus.DEAD]
            if dead:
                await append(connection, dead, self._inbox_salt, self._channel)
            return found

        reaped = await self._transaction(work)
        if reaped:
            await self._announce()
        return reaped

    async def next_task_us(self, queues: Sequence[str], /) -> int | None:
        """The earliest moment at which there is something to do."""
        if await self._has_limits(queues):
            return await self._next_limited_us(queues)
        found = await self._one(sql.NEXT, list(queues) or None)
        return found["moment"] if found is not None else None

    async def find_tasks(
        self, wanted: TaskFilter, /, *, limit: int = 100, after: tuple[int, int, str] | None = None
    ) -> Sequence[TaskRecord]:
        """Tasks that fit."""
        workflow = str(wanted.workflow_id) if wanted.workflow_id is not None else None
        statuses = list(wanted.statuses) or None
        found = await self._all(
            sql.FIND,
            statuses,
            wanted.queue,
            workflow,
            wanted.worker_id,
            wanted.lease_before_us,
            limit,
            *(after or (None, None, None)),
        )
        return [rows.task(row) for row in found]

    async def count_tasks(self) -> Sequence[tuple[str, str, int]]:
        """Queue, status and number of tasks."""
        return [(row["queue"], row["status"], row["number"]) for row in await self._all(sql.COUNT)]

    async def discard_task(self, task_id: str, /) -> bool:
        """Forget a dead letter."""
        return await self._one(sql.DISCARD, task_id) is not None

    def listen_tasks(self, notify: Callable[[], None], /) -> Callable[[], None]:
        """Call `notify` whenever tasks may have become due."""
        holds = self._open_holds()
        holds.task_listeners.append(notify)
        return lambda: holds.task_listeners.remove(notify) if notify in holds.task_listeners else None

    async def _announce(self) -> None:
        await self._all(sql.NOTIFY, self._channel, TASKS)

    # --- workers ------------------------------------------------------------------------------------------------------

    async def put_worker(self, record: WorkerRecord, /) -> None:
        """Write what a worker tells of itself."""
        values = rows.worker_values(record)
        await self._all(sql.PUT_WORKER, *(values[name] for name in _WORKER_COLUMNS))

    async def list_workers(self) -> Sequence[WorkerRecord]:
        """Every worker."""
        return [rows.worker(row) for row in await self._all(sql.LIST_WORKERS)]

    async def remove_worker(self, worker_id: str, /) -> None:
        """Forget a worker."""
        await self._all(sql.REMOVE_WORKER, worker_id)


def _report_row(report: TaskReport) -> tuple[object, ...]:
    entry = report.entry
    if entry is None:
        return report.task_id, report.lease_epoch, report.drives, None, None, None, None, None, None
    return (
        report.task_id,
        report.lease_epoch,
        report.drives,
        str(entry.workflow_id),
        entry.kind.value,
        entry.name,
        entry.key,
        entry.payload,
        entry.at_us,
    )
