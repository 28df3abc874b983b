"""The provider: the engine's part with the documented methods around it."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from typing import Any, final
from uuid import UUID

from ruvon.implementations.persistence._documented import WithoutDevice, known_level
from ruvon.implementations.persistence.memory._listing import Listing
from ruvon.implementations.persistence.memory._planned import Planned
from ruvon.implementations.persistence.memory._queue import Queue
from ruvon.implementations.persistence.memory._resealing import Resealing
from ruvon.implementations.persistence.memory._tables import uuid_of
from ruvon.providers import SqlTransaction, TaskNotFoundError, TaskRecord, UnsupportedError, WorkflowNotFoundError

__all__ = ["MemoryPersistenceProvider"]


@final
class MemoryPersistenceProvider(Queue, Planned, Listing, Resealing, WithoutDevice):
    """A store in this process's memory.

    Args:
        clock: whose time heartbeats and leases are measured in.
    """

    def transact(self) -> AbstractAsyncContextManager[SqlTransaction]:
        """There is no SQL in memory."""
        raise UnsupportedError("SQL", "use the SQLite store, `:memory:` for tests, where a step shares its transaction")

    def another(self) -> "MemoryPersistenceProvider":
        """There is none: its memory is all there is."""
        raise UnsupportedError("a second connection", "use a file of SQLite, which any number of providers can open")

    async def save_workflow(self, workflow_id: UUID | str, data: Mapping[str, Any], /) -> None:
        """Store a dictionary of the caller's own."""
        self._saved[str(workflow_id)] = dict(data)

    async def load_workflow(self, workflow_id: UUID | str, /) -> dict[str, Any]:
        """The stored dictionary, or the row of an engine-driven workflow."""
        saved = self._saved.get(str(workflow_id))
        if saved is not None:
            return dict(saved)
        key = uuid_of(workflow_id)
        if key is None:
            raise WorkflowNotFoundError(workflow_id)
        row = self._row(key)
        return {**asdict(row), "workflow_id": str(row.workflow_id)}

    async def log_execution(
        self,
        workflow_id: UUID | str,
        step_name: str | None = None,
        level: str = "INFO",
        message: str = "",
        metadata: Mapping[str, Any] | None = None,
        *,
        log_level: str | None = None,
    ) -> None:
        """Append a line of text log."""
        chosen = known_level(log_level or level)
        self.execution_logs.append(
            {
                "workflow_id": str(workflow_id),
                "step_name": step_name,
                "level": chosen,
                "message": message,
                "metadata": dict(metadata or {}),
                "at_us": self._clock.now_us(),
                "key": next(self._lines),
            }
        )

    async def read_execution_logs(
        self, workflow_id: UUID | str, *, level: str | None = None, limit: int = 100, before: int | None = None
    ) -> list[dict[str, Any]]:
        """The newest text log lines of a workflow, oldest of them first; those before one with `before`, its `key`."""
        wanted = level.upper() if level else None
        found = [
            dict(line)
            for line in reversed(self.execution_logs)
            if line["workflow_id"] == str(workflow_id)
            and wanted in {None, line["level"]}
            and (before is None or line["key"] < before)
        ]
        return found[:limit][::-1]

    async def record_metric(
        self,
        workflow_id: UUID | str,
        step_name: str | None,
        name: str,
        value: float,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Record a number."""
        self.metrics.append(
            {
                "workflow_id": str(workflow_id),
                "step_name": step_name,
                "name": name,
                "value": value,
                "metadata": dict(metadata or {}),
            }
        )

    async def claim_next_task(
        self, worker_id: str, *, queues: Sequence[str] = (), lease_us: int = 60_000_000
    ) -> dict[str, Any] | None:
        """Claim the most urgent task that is due."""
        now = self._clock.now_us()
        await self.reap_tasks(now)
        found = await self.claim_tasks(worker_id, queues=queues, lease_us=lease_us, now_us=now)
        return asdict(found[0]) if found else None

    async def release_task(self, task_id: str, /, *, available_us: int = 0) -> None:
        """Give a claimed task back."""
        task = await self.get_task(task_id)
        task.status = "pending"
        task.worker_id = None
        task.available_us = available_us
        self._tell_workers()

    async def set_task_status(self, task_id: str, status: str, /) -> None:
        """Record where a task stands."""
        (await self.get_task(task_id)).status = status

    async def get_task(self, task_id: str, /) -> TaskRecord:
        """A task by its id."""
        found = self._tasks.get(task_id)
        if found is None:
            raise TaskNotFoundError(task_id)
        return found

    async def heartbeat_update(
        self,
        workflow_id: UUID | str,
        worker_id: str,
        current_step: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Tell that a worker is alive."""
        self._heartbeats[str(workflow_id)] = {
            "workflow_id": str(workflow_id),
            "worker_id": worker_id,
            "current_step": current_step,
            "metadata": dict(metadata or {}),
            "heartbeat_us": self._clock.now_us(),
        }

    async def remove_heartbeat(self, workflow_id: UUID | str, worker_id: str, /) -> None:
        """Forget a heartbeat."""
        if self._heartbeats.get(str(workflow_id), {}).get("worker_id") == worker_id:
            del self._heartbeats[str(workflow_id)]

    async def scan_stale_heartbeats(self, threshold_seconds: float, /) -> list[dict[str, Any]]:
        """The heartbeats older than the threshold."""
        oldest = self._clock.now_us() - int(threshold_seconds * 1_000_000)
        return [dict(beat) for beat in self._heartbeats.values() if beat["heartbeat_us"] < oldest]

    async def delete_workflow(self, workflow_id: UUID | str, /) -> bool:
        """Delete a workflow with its log and inbox."""
        saved = self._saved.pop(str(workflow_id), None) is not None
        return self._delete(uuid_of(workflow_id)) or saved
