"""`MemoryPersistenceProvider`: everything in dictionaries, for tests, demonstrations and simulation.

It keeps every promise of the protocol except that nothing survives the process: commits are atomic and fenced by the
revision, holds exclude each other, values are kept as the bytes they were written as. It is the reference that the
contract suite is read against. For use from one event loop.
"""

import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, final
from uuid import UUID

from ruvon.providers import (
    Clock,
    DefinitionNotFoundError,
    DefinitionRecord,
    DuplicateIdempotencyKeyError,
    InboxEntry,
    InstanceRecord,
    LogEntry,
    OutboxRecord,
    PersistenceError,
    StaleWorkflowError,
    SystemClock,
    TaskNotFoundError,
    TaskRecord,
    Transition,
    WorkflowBusyError,
    WorkflowNotFoundError,
)

__all__ = ["MemoryPersistenceProvider"]

_LEVELS = frozenset({"DEBUG", "INFO", "WARNING", "ERROR"})


@final
class _MemoryHold:
    """The hold of one instance in this process."""

    __slots__ = ("_holds", "_notify", "_workflow_id", "token")

    def __init__(self, holds: "dict[UUID, _MemoryHold]", workflow_id: UUID, token: bytes) -> None:
        self.token = token
        self._holds = holds
        self._workflow_id = workflow_id
        self._notify: Callable[[], None] | None = None

    def listen(self, notify: Callable[[], None] | None, /) -> None:
        """Call `notify` whenever an entry was appended to the inbox."""
        self._notify = notify

    def tell(self) -> None:
        """An entry was appended."""
        if self._notify is not None:
            self._notify()

    async def release(self) -> None:
        """Give the instance free."""
        if self._holds.get(self._workflow_id) is self:
            del self._holds[self._workflow_id]


@final
class MemoryPersistenceProvider:
    """A store in this process's memory.

    Args:
        clock: whose time heartbeats and leases are measured in.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock if clock is not None else SystemClock()
        self._rows: dict[UUID, InstanceRecord] = {}
        self._logs: dict[UUID, list[LogEntry]] = {}
        self._inboxes: dict[UUID, list[InboxEntry]] = {}
        self._dedups: dict[UUID, set[str]] = {}
        self._by_key: dict[str, UUID] = {}
        self._definitions: dict[bytes, DefinitionRecord] = {}
        self._tasks: dict[str, TaskRecord] = {}
        self._holds: dict[UUID, _MemoryHold] = {}
        self._saved: dict[str, dict[str, Any]] = {}
        self._heartbeats: dict[str, dict[str, Any]] = {}
        self.outbox: list[OutboxRecord] = []
        self.execution_logs: list[dict[str, Any]] = []
        self.metrics: list[dict[str, Any]] = []
        self._keys = itertools.count(1)
        self._sequence = itertools.count(1)
        self._tokens = itertools.count(1)

    async def initialize(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to release; what was stored stays until the object is dropped."""

    # The engine's part

    async def commit(self, transition: Transition, /) -> None:
        """Write one transition completely, or not at all."""
        if transition.expected < 0:
            self._insert_all(transition)
            return
        row = self._rows.get(transition.workflow_id)
        if row is None:
            raise WorkflowNotFoundError(transition.workflow_id)
        if row.revision != transition.expected:
            raise StaleWorkflowError(transition.workflow_id)
        self._update(row, transition)
        log = self._logs[transition.workflow_id]
        if transition.drop_log:
            log.clear()
        log.extend(transition.entries)
        if transition.consumed:
            self._consume(transition)
        if transition.created or transition.definitions:
            self._insert_all(transition)
        for task in transition.tasks:
            self._tasks[task.task_id] = task
        for task_id in transition.tasks_done:
            self._tasks.pop(task_id, None)
        self.outbox.extend(transition.outbox)
        for entry in transition.sent:
            if entry.workflow_id in self._rows:
                await self.append_inbox(entry)

    def _update(self, row: InstanceRecord, transition: Transition) -> None:
        row.revision = transition.revision
        row.transition_id = transition.transition_id
        row.status = transition.status
        row.position = transition.position
        row.current_step = transition.current_step
        row.waiting_for = transition.waiting_for
        row.due_us = transition.due_us
        row.saga_enabled = transition.saga_enabled
        row.last_seq = transition.last_seq
        row.updated_us = transition.at_us
        row.result = transition.result
        row.error = transition.error
        if transition.snapshot is not None:
            row.snapshot = transition.snapshot
            row.snapshot_seq = transition.last_seq
        if transition.digest is not None:
            row.digest = transition.digest
            row.workflow_version = transition.workflow_version or row.workflow_version

    def _consume(self, transition: Transition) -> None:
        gone = set(transition.consumed)
        inbox = self._inboxes.get(transition.workflow_id, [])
        inbox[:] = [entry for entry in inbox if entry.seq not in gone]

    def _insert_all(self, transition: Transition) -> None:
        for record in transition.created:
            key = record.idempotency_key
            if record.workflow_id not in self._rows and key is not None and key in self._by_key:
                raise DuplicateIdempotencyKeyError(key, self._by_key[key])
        for definition in transition.definitions:
            self._definitions.setdefault(definition.digest, definition)
        for record in transition.created:
            if record.workflow_id in self._rows:
                if transition.expected < 0:
                    raise PersistenceError(f"a workflow with the id {record.workflow_id} exists already")
                continue
            row = replace(record, key=next(self._keys))
            self._rows[record.workflow_id] = row
            self._logs[record.workflow_id] = []
            if record.idempotency_key is not None:
                self._by_key[record.idempotency_key] = record.workflow_id

    async def hold(self, workflow_id: UUID, /) -> _MemoryHold:
        """Take the right to drive an instance."""
        if workflow_id in self._holds:
            raise WorkflowBusyError(workflow_id)
        token = os.getpid().to_bytes(4, "big") + next(self._tokens).to_bytes(6, "big")
        made = self._holds[workflow_id] = _MemoryHold(self._holds, workflow_id, token)
        return made

    async def load_instance(self, workflow_id: UUID, /) -> InstanceRecord:
        """A copy of the row."""
        row = self._rows.get(workflow_id)
        if row is None:
            raise WorkflowNotFoundError(workflow_id)
        return replace(row)

    async def find_by_idempotency_key(self, key: str, /) -> InstanceRecord | None:
        """The instance that was created with this key."""
        found = self._by_key.get(key)
        return replace(self._rows[found]) if found is not None else None

    async def read_log(
        self, workflow_id: UUID, /, *, after: int = 0, saga: bool = False, limit: int | None = None
    ) -> Sequence[LogEntry]:
        """Log entries in order."""
        log = self._logs.get(workflow_id)
        if log is None:
            raise WorkflowNotFoundError(workflow_id)
        start = after - log[0].seq + 1 if log else 0
        found = log[max(start, 0) :]
        if saga:
            found = [entry for entry in found if entry.saga is not None]
        return found[:limit] if limit is not None else found

    async def append_inbox(self, entry: InboxEntry, /) -> bool:
        """Append a message, once per dedup key."""
        if entry.workflow_id not in self._rows:
            raise WorkflowNotFoundError(entry.workflow_id)
        if entry.dedup is not None:
            known = self._dedups.setdefault(entry.workflow_id, set())
            if entry.dedup in known:
                return False
            known.add(entry.dedup)
        entry.seq = next(self._sequence)
        self._inboxes.setdefault(entry.workflow_id, []).append(entry)
        holder = self._holds.get(entry.workflow_id)
        if holder is not None:
            holder.tell()
        return True

    async def read_inbox(self, workflow_id: UUID, /, *, after: int = 0) -> Sequence[InboxEntry]:
        """The messages not consumed yet."""
        return [replace(entry) for entry in self._inboxes.get(workflow_id, ()) if entry.seq > after]

    async def put_definition(self, record: DefinitionRecord, /) -> None:
        """Store a definition."""
        self._definitions.setdefault(record.digest, record)

    async def get_definition(self, digest: bytes, /) -> DefinitionRecord:
        """A definition by its digest."""
        found = self._definitions.get(digest)
        if found is None:
            raise DefinitionNotFoundError(digest)
        return found

    # The documented part

    async def save_workflow(self, workflow_id: UUID | str, data: Mapping[str, Any], /) -> None:
        """Store a dictionary of the caller's own."""
        self._saved[str(workflow_id)] = dict(data)

    async def load_workflow(self, workflow_id: UUID | str, /) -> dict[str, Any]:
        """The stored dictionary, or the row of an engine-driven workflow."""
        saved = self._saved.get(str(workflow_id))
        if saved is not None:
            return dict(saved)
        row = self._rows.get(_uuid(workflow_id))
        if row is None:
            raise WorkflowNotFoundError(workflow_id)
        return {**asdict(row), "workflow_id": str(row.workflow_id)}

    async def list_workflows(
        self,
        *,
        status: str | None = None,
        workflow_type: str | None = None,
        owner_id: str | None = None,
        limit: int = 20,
        offset: int = 0,
    ) -> list[dict[str, Any]]:
        """Summaries, newest first."""
        found = [
            row
            for row in self._rows.values()
            if (status is None or row.status == status)
            and (workflow_type is None or row.workflow_type == workflow_type)
            and (owner_id is None or row.owner_id == owner_id)
        ]
        found.sort(key=lambda row: (row.created_us, row.key), reverse=True)
        return [_summary(row) for row in found[offset : offset + limit]]

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
        chosen = (log_level or level).upper()
        if chosen not in _LEVELS:
            raise ValueError(f"the log level {chosen!r} is not one of {', '.join(sorted(_LEVELS))}")
        self.execution_logs.append(
            {
                "workflow_id": str(workflow_id),
                "step_name": step_name,
                "level": chosen,
                "message": message,
                "metadata": dict(metadata or {}),
                "at_us": self._clock.now_us(),
            }
        )

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
        ready = [
            task
            for task in self._tasks.values()
            if task.available_us <= now
            and (not queues or task.queue in queues)
            and (task.status == "pending" or (task.status == "running" and task.lease_us <= now))
        ]
        if not ready:
            return None
        task = min(ready, key=lambda item: (-item.priority, item.available_us))
        task.status = "running"
        task.worker_id = worker_id
        task.lease_epoch += 1
        task.lease_us = now + lease_us
        return asdict(task)

    async def release_task(self, task_id: str, /, *, available_us: int = 0) -> None:
        """Give a claimed task back."""
        task = await self.get_task(task_id)
        task.status = "pending"
        task.worker_id = None
        task.available_us = available_us

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
            "at_us": self._clock.now_us(),
        }

    async def scan_stale_heartbeats(self, threshold_seconds: float, /) -> list[dict[str, Any]]:
        """The heartbeats older than the threshold."""
        oldest = self._clock.now_us() - int(threshold_seconds * 1_000_000)
        return [dict(beat) for beat in self._heartbeats.values() if beat["at_us"] < oldest]

    async def delete_workflow(self, workflow_id: UUID | str, /) -> bool:
        """Delete a workflow with its log and inbox."""
        found = self._rows.pop(_uuid(workflow_id), None)
        if found is None:
            return self._saved.pop(str(workflow_id), None) is not None
        self._logs.pop(found.workflow_id, None)
        self._inboxes.pop(found.workflow_id, None)
        self._dedups.pop(found.workflow_id, None)
        if found.idempotency_key is not None:
            self._by_key.pop(found.idempotency_key, None)
        return True

    async def get_pending_sync_workflows(self, limit: int = 100) -> list[dict[str, Any]]:
        """Only a device's store keeps this."""
        raise _device_only("get_pending_sync_workflows")

    async def get_audit_logs_for_workflows(
        self, workflow_ids: Sequence[UUID | str], limit_per_workflow: int = 50
    ) -> list[dict[str, Any]]:
        """Only a device's store keeps this."""
        raise _device_only("get_audit_logs_for_workflows")

    async def delete_synced_workflows(self, workflow_ids: Sequence[UUID | str]) -> int:
        """Only a device's store keeps this."""
        raise _device_only("delete_synced_workflows")

    async def get_edge_sync_state(self, key: str) -> str | None:
        """Only a device's store keeps this."""
        raise _device_only("get_edge_sync_state")

    async def set_edge_sync_state(self, key: str, value: str) -> None:
        """Only a device's store keeps this."""
        raise _device_only("set_edge_sync_state")


def _device_only(name: str) -> Exception:
    """The documented answer of stores that are not a device's."""
    return NotImplementedError(f"`{name}` is for devices: use the SQLite store")


def _uuid(workflow_id: UUID | str) -> UUID:
    try:
        return workflow_id if isinstance(workflow_id, UUID) else UUID(workflow_id)
    except ValueError:
        raise WorkflowNotFoundError(workflow_id) from None


def _summary(row: InstanceRecord) -> dict[str, Any]:
    return {
        "workflow_id": str(row.workflow_id),
        "workflow_type": row.workflow_type,
        "workflow_version": row.workflow_version,
        "status": row.status,
        "current_step": row.current_step,
        "owner_id": row.owner_id,
        "org_id": row.org_id,
        "parent_id": str(row.parent_id) if row.parent_id is not None else None,
        "priority": row.priority,
        "created_us": row.created_us,
        "updated_us": row.updated_us,
    }
