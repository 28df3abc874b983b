"""The durable queue: what is claimed, reported and given back is one operation each, many of them in one batch.

What an idle worker does again and again, looking for due tasks and for leases that have run out, asks first and writes
nothing in vain. The commits of other processes are heard of by PUBLISH.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any

from ruvon.implementations.persistence.redis import _packing as packing
from ruvon.implementations.persistence.redis._limited import Limits
from ruvon.implementations.persistence.redis._operations import available, message_header, task_place
from ruvon.implementations.persistence.redis._packing import moment
from ruvon.providers.persistence import (
    InboxEntry,
    PersistenceError,
    TaskNotFoundError,
    TaskRecord,
    WorkflowNotFoundError,
)
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


class Queue(Limits):
    """Tasks and the workers that run them."""

    async def claim_tasks(
        self, worker_id: str, /, *, queues: Sequence[str] = (), limit: int = 1, lease_us: int, now_us: int
    ) -> Sequence[TaskRecord]:
        """Claim pending tasks that are due."""
        wanted = list(dict.fromkeys(queues))
        self._looked.pop(tuple(queues), None)
        if limit <= 0 or not await self._ask("has_due", now_us, *wanted):
            return []
        header = {"op": "claim", **_claiming(worker_id, now_us, lease_us), "now": str(now_us), "limit": limit}
        if wanted:
            header["queues"] = wanted
        return await self._claim_ordered(header, queues, now_us)

    async def claim_task(self, task_id: str, worker_id: str, /, *, lease_us: int, now_us: int) -> TaskRecord | None:
        """Claim one task."""
        header = {"op": "claim_one", "id": task_id, "now": str(now_us), **_claiming(worker_id, now_us, lease_us)}
        _, found = await self._do_plain(header)
        return packing.task(task_id, found[1]) if found is not None else None

    async def extend_leases(self, claims: Sequence[TaskClaim], /, *, until_us: int) -> Sequence[str]:
        """Let claims hold longer."""
        lease = moment(until_us, "the end of a lease")
        made = (_claim("extend", claim, lease=lease) for claim in claims)
        answers = await asyncio.gather(*(self._do_lightly(header, *parts) for header, *parts in made))
        return [claim.task_id for claim, answer in zip(claims, answers, strict=True) if not answer[1]]

    async def report_tasks(self, reports: Sequence[TaskReport], /) -> Sequence[bool | PersistenceError]:
        """Write what came of tasks, each alone."""
        return await asyncio.gather(*map(self._report, reports))

    async def _report(self, report: TaskReport) -> bool | PersistenceError:
        header: dict[str, object] = {"op": "report", "id": report.task_id, "epoch": str(report.lease_epoch)}
        header["drives"] = report.drives
        try:
            return await self._tell(header, report.entry)
        except PersistenceError as exc:
            return exc

    async def release_tasks(self, claims: Sequence[TaskClaim], /, *, available_us: int = 0) -> None:
        """Give claimed tasks back."""
        made = (_claim("give_back", claim, available=available(available_us)) for claim in claims)
        await asyncio.gather(*(self._do_plain(header, *parts) for header, *parts in made))

    async def withdraw_task(self, task_id: str, entry: InboxEntry, /) -> bool:
        """Take a task that nobody has claimed out of the queue."""
        return await self._tell({"op": "withdraw", "id": task_id}, entry)

    async def reap_tasks(
        self, now_us: int, /, *, crash_budget: int | None = None, limit: int = 100
    ) -> Sequence[TaskRecord]:
        """Take claims whose lease has run out from their workers."""
        found = packing.tasks(await self._ask("expired_tasks", now_us, limit)) if limit > 0 else []
        reaped = await asyncio.gather(*(self._reap(task, now_us, crash_budget) for task in found))
        return [task for task, is_reaped in zip(found, reaped, strict=True) if is_reaped]

    async def _reap(self, task: TaskRecord, now_us: int, crash_budget: int | None) -> bool:
        """Take one; False where its worker, or somebody else who reaps, was faster."""
        task.crashes += 1
        task.worker_id, task.lease_us = None, 0
        task.status = TaskStatus.DEAD if becomes_dead(task, crash_budget) else TaskStatus.PENDING
        header: dict[str, object] = {"op": "reap", "id": task.task_id, "epoch": str(task.lease_epoch)}
        header |= {"now": str(now_us), "status": str(task.status), "crashes": str(task.crashes)}
        return await self._tell(header, crash_entry(task, now_us) if task.status == TaskStatus.DEAD else None)

    async def _tell(self, header: dict[str, object], entry: InboxEntry | None) -> bool:
        """Do something with a task, and tell its instance of it; whether it was done."""
        parts: list[bytes] = []
        if entry is not None:
            header["entry"] = message_header(entry, parts)
        _, is_done = await self._do_plain(header, *parts)
        if is_done and entry is not None:
            self._open_holds().wake(entry.workflow_id)
        return bool(is_done)

    async def next_task_us(self, queues: Sequence[str], /) -> int | None:
        """The earliest moment at which there is something to do; where tasks are due already, a moment that has passed."""
        looked = self._looked.get(tuple(queues))
        if looked is not None:
            return await self._next_limited_us(queues, *looked)
        found = await self._ask("next_task", *queues)
        return int(found) if found is not None else None

    async def find_tasks(
        self, wanted: TaskFilter, /, *, limit: int = 100, after: tuple[int, int, str] | None = None
    ) -> Sequence[TaskRecord]:
        """Tasks that fit; looked for in portions."""
        found: list[TaskRecord] = []
        place: bytes | None = task_place(*after).encode() if after is not None else b""
        while place is not None and len(found) < limit:
            given = packing.line({**_filter(wanted), "limit": limit - len(found)})
            portion, place = await self._ask("tasks", place, given)
            found += packing.tasks(portion)
        return found

    async def count_tasks(self) -> Sequence[tuple[str, str, int]]:
        """Queue, status and number of tasks."""
        counts: list[tuple[str, str, int]] = []
        for name, count in _pairs(await self._ask("task_counts")):
            status, _, queue = name.decode().partition("\n")
            counts.append((queue, status, int(count)))
        return sorted(counts)

    async def discard_task(self, task_id: str, /) -> bool:
        """Forget a dead letter."""
        return bool((await self._do_plain({"op": "discard", "id": task_id}))[1])

    def listen_tasks(self, notify: Callable[[], None], /) -> Callable[[], None]:
        """Call `notify` whenever tasks may have become due."""
        listeners = self._open_holds().task_listeners
        listeners.append(notify)
        return lambda: listeners.remove(notify) if notify in listeners else None

    # --- documented methods -------------------------------------------------------------------------------------------

    async def claim_next_task(
        self, worker_id: str, *, queues: Sequence[str] = (), lease_us: int = 60_000_000
    ) -> dict[str, Any] | None:
        """Claim the most urgent task that is due, or None; a task is given to one worker at a time."""
        now = self._clock.now_us()
        await self.reap_tasks(now)
        found = await self.claim_tasks(worker_id, queues=queues, lease_us=lease_us, now_us=now)
        return asdict(found[0]) if found else None

    async def release_task(self, task_id: str, /, *, available_us: int = 0) -> None:
        """Give a claimed task back."""
        await self._set_task({"id": task_id, "status": "pending", "available": available(available_us)})

    async def set_task_status(self, task_id: str, status: str, /) -> None:
        """Record where a task stands."""
        await self._set_task({"id": task_id, "status": status})

    async def _set_task(self, header: dict[str, object]) -> None:
        try:
            await self._do_plain({"op": "task", **header})
        except WorkflowNotFoundError:
            raise TaskNotFoundError(str(header["id"])) from None

    async def get_task(self, task_id: str, /) -> TaskRecord:
        """The task."""
        row = await self._ask("task", task_id)
        if not row:
            raise TaskNotFoundError(task_id)
        return packing.task(task_id, row)

    # --- workers ------------------------------------------------------------------------------------------------------

    async def put_worker(self, record: WorkerRecord, /) -> None:
        """Write what a worker tells of itself."""
        part = packing.worker_bytes(record)
        await self._do_lightly({"op": "worker", "id": record.worker_id, "size": len(part)}, part)

    async def list_workers(self) -> Sequence[WorkerRecord]:
        """Every worker."""
        found = [packing.worker(data) for _, data in _pairs(await self._ask("workers"))]
        return sorted(found, key=lambda record: record.worker_id)

    async def remove_worker(self, worker_id: str, /) -> None:
        """Forget a worker."""
        await self._do_lightly({"op": "no_worker", "id": worker_id})


def _claiming(worker_id: str, now_us: int, lease_us: int) -> dict[str, object]:
    return {"worker": worker_id, "lease": moment(now_us + lease_us, "the end of a lease")}


def _claim(name: str, claim: TaskClaim, **values: str) -> tuple[Any, ...]:
    """An operation on a task that a worker has, and the bytes of what its body told last."""
    header: dict[str, object] = {"op": name, "id": claim.task_id, "epoch": str(claim.lease_epoch), **values}
    if claim.progress is None:
        return (header,)
    return {**header, "progress": len(claim.progress)}, claim.progress


def _filter(wanted: TaskFilter) -> dict[str, object]:
    found: dict[str, object] = {
        "statuses": dict.fromkeys(map(str, wanted.statuses), True) or None,
        "queue": wanted.queue,
        "workflow": str(wanted.workflow_id) if wanted.workflow_id is not None else None,
        "worker": wanted.worker_id,
        "lease_before": str(wanted.lease_before_us) if wanted.lease_before_us is not None else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _pairs(found: Sequence[bytes]) -> Iterable[tuple[bytes, bytes]]:
    """The fields of a hash and their values."""
    return zip(found[::2], found[1::2], strict=True)
