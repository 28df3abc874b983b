"""The dictionaries that everything is kept in, and the holds."""

import itertools
import os
from collections.abc import Callable
from typing import Any, final
from uuid import UUID

from ruvon.providers import (
    Clock,
    DefinitionRecord,
    InboxEntry,
    InstanceRecord,
    LogEntry,
    OutboxRecord,
    QueueLimits,
    ScheduleRecord,
    SystemClock,
    TaskRecord,
    WorkerRecord,
    WorkflowBusyError,
    WorkflowNotFoundError,
)
from ruvon.providers._limits import Starts

__all__ = ["MemoryHold", "Tables", "uuid_of"]


@final
class MemoryHold:
    """The hold of one instance in this process."""

    __slots__ = ("_driven", "_drives", "_holds", "_notify", "_workflow_id", "died", "token")

    def __init__(self, holds: "dict[UUID, MemoryHold]", driven: set[UUID], workflow_id: UUID, token: bytes) -> None:
        self.token = token
        self.died = workflow_id in driven
        self._holds = holds
        self._driven = driven
        self._drives = False
        self._workflow_id = workflow_id
        self._notify: Callable[[], None] | None = None

    def listen(self, notify: Callable[[], None] | None, /) -> None:
        """Call `notify` whenever an entry was appended to the inbox."""
        self._notify = notify

    def driving(self) -> None:
        """A hold that is dropped and not released from now on is one that the next hold tells of."""
        self._driven.add(self._workflow_id)
        self._drives = True

    def tell(self) -> None:
        """An entry was appended."""
        if self._notify is not None:
            self._notify()

    async def release(self) -> None:
        """Give the instance free."""
        if self._holds.get(self._workflow_id) is self:
            del self._holds[self._workflow_id]
            if self._drives:
                self._driven.discard(self._workflow_id)


@final
class MemoryDuty:
    """A duty that somebody has in this process."""

    __slots__ = ("_duties", "_name")

    def __init__(self, duties: "dict[str, MemoryDuty]", name: str) -> None:
        self._duties = duties
        self._name = name

    async def release(self) -> None:
        """Leave it to others."""
        if self._duties.get(self._name) is self:
            del self._duties[self._name]


class Tables:
    """What the parts of the provider share."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock if clock is not None else SystemClock()
        self._rows: dict[UUID, InstanceRecord] = {}
        self._logs: dict[UUID, list[LogEntry]] = {}
        self._snapshots: dict[UUID, list[tuple[int, bytes]]] = {}
        self._inboxes: dict[UUID, list[InboxEntry]] = {}
        self._dedups: dict[UUID, set[str]] = {}
        self._by_key: dict[str, UUID] = {}
        self._definitions: dict[bytes, DefinitionRecord] = {}
        self._schedules: dict[str, ScheduleRecord] = {}
        self._tasks: dict[str, TaskRecord] = {}
        self._task_listeners: list[Callable[[], None]] = []
        self._workers: dict[str, WorkerRecord] = {}
        self._limits: dict[str, QueueLimits] = {}
        self._starts: dict[str, Starts] = {}
        self._looked: dict[tuple[str, ...], tuple[int, int | None]] = {}
        """By queues: when the last claim found no more, and when a rate opens one of them again."""
        self._holds: dict[UUID, MemoryHold] = {}
        self._driven: set[UUID] = set()
        self._duties: dict[str, MemoryDuty] = {}
        self._saved: dict[str, dict[str, Any]] = {}
        self._heartbeats: dict[str, dict[str, Any]] = {}
        self.outbox: list[OutboxRecord] = []
        self.execution_logs: list[dict[str, Any]] = []
        self.metrics: list[dict[str, Any]] = []
        self._keys = itertools.count(1)
        self._sequence = itertools.count(1)
        self._events = itertools.count(1)
        self._lines = itertools.count(1)
        self._task_keys = itertools.count(1)
        self._tokens = itertools.count(1)

    async def initialize(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to release; what was stored stays until the object is dropped."""

    async def hold(self, workflow_id: UUID, /) -> MemoryHold:
        """Take the right to drive an instance."""
        if workflow_id in self._holds:
            raise WorkflowBusyError(workflow_id)
        token = os.getpid().to_bytes(4, "big") + next(self._tokens).to_bytes(6, "big")
        made = self._holds[workflow_id] = MemoryHold(self._holds, self._driven, workflow_id, token)
        return made

    def drop_holds(self) -> None:
        """Free everything as the death of whoever holds it would: the next holder of what was driven is told of it."""
        self._holds.clear()
        self._duties.clear()

    async def take_duty(self, name: str, /) -> MemoryDuty | None:
        """Take a duty; None: somebody has it."""
        if name in self._duties:
            return None
        made = self._duties[name] = MemoryDuty(self._duties, name)
        return made

    def _row(self, workflow_id: UUID) -> InstanceRecord:
        row = self._rows.get(workflow_id)
        if row is None:
            raise WorkflowNotFoundError(workflow_id)
        return row

    def _delete(self, workflow_id: UUID | None) -> bool:
        """Delete an instance with all that belongs to it; False where there is none."""
        if workflow_id is None or workflow_id not in self._rows:
            return False
        found = self._rows.pop(workflow_id)
        self._driven.discard(workflow_id)
        for table in (self._logs, self._snapshots, self._inboxes, self._dedups):
            table.pop(workflow_id, None)
        for task_id in [task.task_id for task in self._tasks.values() if task.workflow_id == workflow_id]:
            del self._tasks[task_id]
        self._heartbeats.pop(str(workflow_id), None)
        if found.idempotency_key is not None:
            self._by_key.pop(found.idempotency_key, None)
        return True


def uuid_of(workflow_id: UUID | str) -> UUID | None:
    """An id or its text; a text that is no id is no workflow's."""
    try:
        return workflow_id if isinstance(workflow_id, UUID) else UUID(workflow_id)
    except ValueError:
        return None
