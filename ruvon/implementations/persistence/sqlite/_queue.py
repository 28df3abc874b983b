"""The durable queue in a SQLite file, and noticing what other processes put into it.

Every method is one transaction of the provider's writer, so claims and reports stand in turn with the commits. What an
idle worker does again and again, looking for due tasks and expired leases, reads first and takes no write turn for
nothing.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import orjson

from ruvon.implementations.persistence import _rows as rows
from ruvon.implementations.persistence.sqlite import _queue_statements as sql
from ruvon.implementations.persistence.sqlite import _statements
from ruvon.implementations.persistence.sqlite._apply import insert_inbox
from ruvon.implementations.persistence.sqlite._connection import UNKEPT, unkept
from ruvon.implementations.persistence.sqlite._limited import Limits
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

_LOOK_S: Final = 0.004
"""How often the file's change counter is read while a worker listens: a few microseconds each time."""


class Queue(Limits):
    """Tasks and the workers that run them."""

    async def claim_tasks(
        self, worker_id: str, /, *, queues: Sequence[str] = (), limit: int = 1, lease_us: int, now_us: int
    ) -> Sequence[TaskRecord]:
        """Claim pending tasks that are due."""
        wanted: dict[str, object] = {"now": now_us, "queues": _names(queues)}
        self._looked.pop(tuple(queues), None)
        if not self._read_named(sql.DUE, wanted):
            return []
        values = {**wanted, "worker": worker_id, "lease": now_us + lease_us, "limit": limit}
        if self._has_limits(_names(queues)):
            return await self._claim_limited(values, queues, limit, now_us)
        found = await self._write(lambda connection: connection.execute(sql.CLAIM, values).fetchall())
        tasks = [rows.task(row) for row in cast("list[sqlite3.Row]", found)]
        return sorted(tasks, key=lambda task: (-task.priority, task.available_us))

    async def claim_task(self, task_id: str, worker_id: str, /, *, lease_us: int, now_us: int) -> TaskRecord | None:
        """Claim one task."""
        values = {"task": task_id, "worker": worker_id, "lease": now_us + lease_us}
        if self._has_limits(None):
            return await self._claim_one_limited(task_id, values, now_us)
        row = await self._write(lambda connection: connection.execute(sql.CLAIM_ONE, values).fetchone())
        return rows.task(cast("sqlite3.Row", row)) if row is not None else None

    async def extend_leases(self, claims: Sequence[TaskClaim], /, *, until_us: int) -> Sequence[str]:
        """Let claims hold longer."""

        def work(connection: sqlite3.Connection) -> list[str]:
            return [
                claim.task_id
                for claim in claims
                if not connection.execute(sql.EXTEND, {**_claim(claim), "until": until_us}).rowcount
            ]

        return cast("list[str]", await self._write(work)) if claims else []

    async def report_tasks(self, reports: Sequence[TaskReport], /) -> Sequence[bool | PersistenceError]:
        """Write what came of tasks, each alone."""

        def work(connection: sqlite3.Connection) -> Sequence[bool | PersistenceError]:
            return _report_all(connection, reports)

        counted = cast("list[bool | PersistenceError]", await self._write(work)) if reports else []
        for report, counts in zip(reports, counted, strict=True):
            if counts is True and report.entry is not None:
                self._open_locks().wake(report.entry.workflow_id)
        if True in counted and self._has_limits(None):
            self._tell_workers()
        return counted

    async def release_tasks(self, claims: Sequence[TaskClaim], /, *, available_us: int = 0) -> None:
        """Give claimed tasks back."""
        values = [{**_claim(claim), "available": available_us} for claim in claims]
        await self._write(lambda connection: connection.executemany(sql.RELEASE, values))
        self._tell_workers()

    async def withdraw_task(self, task_id: str, entry: InboxEntry, /) -> bool:
        """Take a task that nobody has claimed out of the queue."""

        def work(connection: sqlite3.Connection) -> bool:
            if not connection.execute(sql.WITHDRAW, (task_id,)).rowcount:
                return False
            return _append(connection, entry)

        withdrawn = bool(await self._write(work))
        if withdrawn:
            self._open_locks().wake(entry.workflow_id)
        return withdrawn

    async def reap_tasks(
        self, now_us: int, /, *, crash_budget: int | None = None, limit: int = 100
    ) -> Sequence[TaskRecord]:
        """Take claims whose lease has run out from their workers."""
        if self._one(sql.HAS_EXPIRED, (now_us,)) is None:
            return []

        def work(connection: sqlite3.Connection) -> list[TaskRecord]:
            found = [rows.task(row) for row in connection.execute(sql.EXPIRED, (now_us, limit)).fetchall()]
            for task in found:
                _reap(connection, task, now_us, crash_budget)
            return found

        reaped = cast("list[TaskRecord]", await self._write(work))
        for task in reaped:
            if task.status == TaskStatus.DEAD:
                self._open_locks().wake(task.workflow_id)
        self._tell_workers()
        return reaped

    async def next_task_us(self, queues: Sequence[str], /) -> int | None:
        """The earliest moment at which there is something to do."""
        if self._has_limits(_names(queues)):
            return self._next_limited_us(queues)
        found = self._read_named(sql.NEXT, {"queues": _names(queues)})
        return found[0][0] if found else None

    async def find_tasks(
        self, wanted: TaskFilter, /, *, limit: int = 100, after: tuple[int, int, str] | None = None
    ) -> Sequence[TaskRecord]:
        """Tasks that fit."""
        values = {
            "statuses": _names(wanted.statuses),
            "queue": wanted.queue,
            "workflow": str(wanted.workflow_id) if wanted.workflow_id is not None else None,
            "worker": wanted.worker_id,
            "lease": wanted.lease_before_us,
            "limit": limit,
            **dict(zip(("priority", "moment", "key"), after or (None, None, None), strict=True)),
        }
        return [rows.task(row) for row in await self._scan(sql.FIND, values)]

    async def count_tasks(self) -> Sequence[tuple[str, str, int]]:
        """Queue, status and number of tasks."""
        return [(row["queue"], row["status"], row["number"]) for row in await self._scan(sql.COUNT, ())]

    async def discard_task(self, task_id: str, /) -> bool:
        """Forget a dead letter."""
        return bool(await self._write(lambda connection: connection.execute(sql.DISCARD, (task_id,)).rowcount))

    # --- being told ---------------------------------------------------------------------------------------------------

    def listen_tasks(self, notify: Callable[[], None], /) -> Callable[[], None]:
        """Call `notify` whenever tasks may have become due."""
        self._open_writer()
        self._task_listeners.append(notify)
        if self._task_timer is None and not self._memory:
            self._task_version = self._change_counter()
            self._arm()
        return lambda: self._stop_listening(notify)

    def _stop_listening(self, notify: Callable[[], None]) -> None:
        if notify in self._task_listeners:
            self._task_listeners.remove(notify)

    def _arm(self) -> None:
        self._task_timer = asyncio.get_running_loop().call_later(_LOOK_S, self._look_for_tasks)

    def _look_for_tasks(self) -> None:
        self._task_timer = None
        if self._writer is None or not self._task_listeners:
            return
        self._arm()
        version = self._change_counter()
        if version != self._task_version:
            self._task_version = version
            self._tell_workers()

    def _change_counter(self) -> int:
        return int(self._all("PRAGMA data_version", ())[0][0])

    # --- workers ------------------------------------------------------------------------------------------------------

    async def put_worker(self, record: WorkerRecord, /) -> None:
        """Write what a worker tells of itself."""
        values = rows.worker_values(record)
        await self._write(lambda connection: connection.execute(sql.PUT_WORKER, values))

    async def list_workers(self) -> Sequence[WorkerRecord]:
        """Every worker."""
        return [rows.worker(row) for row in await self._scan(sql.LIST_WORKERS, ())]

    async def remove_worker(self, worker_id: str, /) -> None:
        """Forget a worker."""
        await self._write(lambda connection: connection.execute(sql.REMOVE_WORKER, (worker_id,)))

    def _read_named(self, statement: str, values: dict[str, object]) -> list[sqlite3.Row]:
        return self._all(statement, cast("Any", values))


def _names(names: Sequence[str]) -> str | None:
    return orjson.dumps(list(names)).decode() if names else None


def _claim(claim: TaskClaim) -> dict[str, object]:
    return {"task": claim.task_id, "epoch": claim.lease_epoch, "progress": claim.progress}


def _report_all(connection: sqlite3.Connection, reports: Sequence[TaskReport]) -> Sequence[bool | PersistenceError]:
    """Write them together, or each alone where one has a value that cannot be kept: of that one nothing is written."""
    connection.execute("SAVEPOINT reports")
    try:
        return [_report(connection, report) for report in reports]
    except UNKEPT as exc:
        connection.execute("ROLLBACK TO reports")
        if len(reports) == 1:
            return [unkept(exc)]
    finally:
        if connection.in_transaction:
            connection.execute("RELEASE reports")
    return [_report_all(connection, [report])[0] for report in reports]


def _report(connection: sqlite3.Connection, report: TaskReport) -> bool:
    statement = sql.BECOME_WAKE if report.drives else sql.FINISH
    if not connection.execute(statement, {"task": report.task_id, "epoch": report.lease_epoch}).rowcount:
        return False
    if report.entry is not None:
        _append(connection, report.entry)
    return True


def _reap(connection: sqlite3.Connection, task: TaskRecord, now_us: int, crash_budget: int | None) -> None:
    task.crashes += 1
    task.worker_id, task.lease_us = None, 0
    task.status = TaskStatus.DEAD if becomes_dead(task, crash_budget) else TaskStatus.PENDING
    connection.execute(sql.REAP, {"status": task.status, "crashes": task.crashes, "task": task.task_id})
    if task.status == TaskStatus.DEAD:
        _append(connection, crash_entry(task, now_us))


def _append(connection: sqlite3.Connection, entry: InboxEntry) -> bool:
    """Append to the inbox of an instance that is still there."""
    if connection.execute(_statements.KEY_OF, (str(entry.workflow_id),)).fetchone() is None:
        return False
    return insert_inbox(connection, entry)
