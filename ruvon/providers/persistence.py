"""`PersistenceProvider`: where workflows live.

A provider is anything with these methods; it need not import Ruvon or inherit from anything. The engine writes through
`commit` alone. The documented methods around it (`save_workflow`, `load_workflow`, ...) serve applications, tools and
third-party code. `ThirdPartyPersistence` in `ruvon.implementations` adapts a provider that has only those.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

from ruvon.providers._errors import (
    DefinitionNotFoundError,
    DuplicateIdempotencyKeyError,
    HistoryForgottenError,
    LogIncompleteError,
    PersistenceError,
    ScheduleNotFoundError,
    StaleScheduleError,
    StaleWorkflowError,
    StatementError,
    TaskNotFoundError,
    UnsupportedError,
    WorkflowBusyError,
    WorkflowNotFoundError,
)
from ruvon.providers._records import (
    DefinitionRecord,
    InboxEntry,
    InboxKind,
    InstanceFilter,
    InstanceRecord,
    LogEntry,
    OutboxRecord,
    ScheduleRecord,
    TaskKind,
    TaskRecord,
    Transition,
    WorkflowSummary,
)
from ruvon.providers.tasks import TaskStore

__all__ = [
    "DefinitionNotFoundError",
    "DefinitionRecord",
    "DuplicateIdempotencyKeyError",
    "Duty",
    "EngineStore",
    "HistoryForgottenError",
    "Hold",
    "InboxEntry",
    "InboxKind",
    "InstanceFilter",
    "InstanceRecord",
    "LogEntry",
    "LogIncompleteError",
    "OutboxRecord",
    "PersistenceError",
    "PersistenceProvider",
    "ScheduleNotFoundError",
    "ScheduleRecord",
    "SqlTransaction",
    "StaleScheduleError",
    "StaleWorkflowError",
    "StatementError",
    "TaskKind",
    "TaskNotFoundError",
    "TaskRecord",
    "Transition",
    "UnsupportedError",
    "WorkflowBusyError",
    "WorkflowNotFoundError",
    "WorkflowSummary",
]


class Hold(Protocol):
    """The right to drive one instance; it dies with the process that has it."""

    @property
    def token(self) -> bytes:
        """Unique to this hold; the head of the ids of its transitions."""
        ...

    @property
    def died(self) -> bool:
        """Whether the last one who drove the instance died over it: it neither released it nor closed its store.

        A store that cannot know says False; then no crash is counted.
        """
        ...

    def driving(self) -> None:
        """The instance is being driven from now on: a death before `release` is one that the next hold tells of."""
        ...

    def listen(self, notify: Callable[[], None] | None, /) -> None:
        """Call `notify` on the loop's thread when an entry was appended to the inbox; None stops that."""
        ...

    async def release(self) -> None:
        """Give the instance free; a second call is harmless."""
        ...


class Duty(Protocol):
    """Something that only one process of a store does at a time; it is free again when that process dies."""

    async def release(self) -> None:
        """Leave it to others; a second call is harmless."""
        ...


class SqlTransaction(Protocol):
    """A database transaction that an author's statements and one transition share; made by `EngineStore.transact`."""

    async def execute(
        self, sql: str, parameters: Sequence[object] | Mapping[str, object] = (), /
    ) -> list[tuple[Any, ...]]:
        """Run one statement on the author's own tables, and give its rows.

        Raises:
            StatementError: it reaches a table of Ruvon's, steers the transaction, or failed.
        """
        ...

    async def commit(self, transition: Transition, /) -> None:
        """Write the transition and everything executed before, completely or not at all; on return it is durable.

        Raises:
            PersistenceError: as `EngineStore.commit`; nothing was written, the statements' rows neither.
        """
        ...


class EngineStore(TaskStore, Protocol):
    """The part of a store that the engine itself and its workers use."""

    async def commit(self, transition: Transition, /) -> None:
        """Write one transition completely, or not at all; on return it is durable.

        Raises:
            StaleWorkflowError: the row's revision is not `transition.expected`.
            DuplicateIdempotencyKeyError: an instance to insert has a key that is taken.
            PersistenceError: the store failed; whether it was written is told by the row's `transition_id`.
        """
        ...

    async def hold(self, workflow_id: UUID, /) -> Hold:
        """Take the right to drive the instance, at once or not at all.

        Raises:
            WorkflowBusyError: somebody else has it.
        """
        ...

    async def take_duty(self, name: str, /) -> Duty | None:
        """Take a duty that one process at a time has in this store, at once or not at all; None: somebody has it."""
        ...

    async def load_instance(self, workflow_id: UUID, /) -> InstanceRecord:
        """The row of an instance, a copy of its own; `WorkflowNotFoundError` where there is none."""
        ...

    async def find_by_idempotency_key(self, key: str, /) -> InstanceRecord | None:
        """The instance that was created with this key."""
        ...

    async def read_log(
        self, workflow_id: UUID, /, *, after: int = 0, saga: bool = False, limit: int | None = None
    ) -> Sequence[LogEntry]:
        """Log entries with `seq` above `after`, in order; with `saga` only those that hold or undo a saga entry."""
        ...

    async def append_inbox(self, entry: InboxEntry, /) -> bool:
        """Append a message and wake the holder, if any; False when its `dedup` key was there already."""
        ...

    async def read_inbox(self, workflow_id: UUID, /, *, after: int = 0) -> Sequence[InboxEntry]:
        """The messages not consumed yet, in order of `seq`."""
        ...

    async def put_definition(self, record: DefinitionRecord, /) -> None:
        """Store a definition; one whose digest is known is left alone."""
        ...

    async def get_definition(self, digest: bytes, /) -> DefinitionRecord:
        """The definition with this digest; `DefinitionNotFoundError` where there is none."""
        ...

    async def list_definitions(self, workflow_type: str | None = None, /) -> Sequence[DefinitionRecord]:
        """The definitions of a type, or all of them, in the order in which they were stored: newest last."""
        ...

    async def read_snapshot(self, workflow_id: UUID, /, *, at: int) -> tuple[int, bytes]:
        """The newest full state as of log entry `at` or earlier, and the `seq` that it is as of.

        Raises:
            WorkflowNotFoundError: there is no such workflow.
            HistoryForgottenError: no snapshot that old is kept.
        """
        ...

    async def find_instances(
        self, wanted: InstanceFilter, /, *, limit: int = 100, after: tuple[int, int] | None = None
    ) -> Sequence[WorkflowSummary]:
        """Instances, newest first by `(created_us, key)`.

        Args:
            wanted: which ones.
            limit: how many at most.
            after: the `(created_us, key)` of the last one seen; the list goes on behind it.
        """
        ...

    async def changed_instances(self, after: tuple[int, int], /, *, limit: int = 100) -> Sequence[WorkflowSummary]:
        """Instances as they stand, by the moment of their last change, oldest first: `(updated_us, key)`.

        One that changes again moves to the end, so whoever reads on sees every instance's last change, and not each
        change between. Moments are those of the processes that write: a change may appear behind later ones.

        Args:
            after: the `(updated_us, key)` of the last one seen; the list goes on behind it.
            limit: how many at most.
        """
        ...

    async def count_instances(self, wanted: InstanceFilter, /) -> int:
        """How many instances fit."""
        ...

    async def count_by_definition(
        self, workflow_type: str | None = None, /
    ) -> Sequence[tuple[bytes, str, str, int, int]]:
        """Digest, type, version, live and ended instances of every definition that has any, by type, version, digest."""
        ...

    async def due_instances(self, now_us: int, /, *, limit: int = 100) -> Sequence[UUID]:
        """Instances with a timer, retry or timeout that is due, earliest first."""
        ...

    async def unread_instances(self, /, *, after: int = 0, limit: int = 100) -> Sequence[tuple[UUID, int]]:
        """Instances with messages that nobody has consumed, each with the `seq` of its newest.

        Ended ones, too, where the messages are to be refused; not those that have failed and keep them for a retry.

        Args:
            after: only those with a message above this `seq`.
            limit: how many at most, those with the oldest newest message first.
        """
        ...

    async def purge_ended(self, before_us: int, /, *, workflow_type: str | None = None, limit: int = 100) -> int:
        """Delete ended instances that changed last before a moment, with all that belongs to them; how many it were.

        One that was started by an instance that has not ended, or further up by one, stays: it may have to be undone.
        """
        ...

    async def put_schedule(self, record: ScheduleRecord, /) -> None:
        """Write a schedule as it is given, new or known, whatever the stored revision; `revision` rises by one."""
        ...

    async def get_schedule(self, schedule_id: str, /) -> ScheduleRecord:
        """The schedule, a copy of its own; `ScheduleNotFoundError` where there is none."""
        ...

    async def list_schedules(self, /) -> Sequence[ScheduleRecord]:
        """Every schedule, by name."""
        ...

    async def delete_schedule(self, schedule_id: str, /) -> bool:
        """Delete a schedule; what it has started goes on. False where there is none."""
        ...

    async def due_schedules(self, now_us: int, /, *, limit: int = 100) -> Sequence[ScheduleRecord]:
        """Schedules that are not paused and whose next moment has come, or that have a run waiting; earliest first."""
        ...

    async def advance_schedule(
        self,
        record: ScheduleRecord,
        /,
        *,
        created: tuple[InstanceRecord, ...] = (),
        definitions: tuple[DefinitionRecord, ...] = (),
    ) -> None:
        """Write a schedule that was read before, and the instances that it starts, completely or not at all.

        The stored revision becomes `record.revision + 1`. An instance whose id exists is left alone.

        Raises:
            ScheduleNotFoundError: it was deleted.
            StaleScheduleError: its revision is not `record.revision`.
            DuplicateIdempotencyKeyError: an instance to insert has a key that is taken.
        """
        ...

    async def read_outbox(self, /, *, limit: int = 100, after: int = 0) -> Sequence[OutboxRecord]:
        """Events that were not deleted yet, with ids above `after`, in order of their ids."""
        ...

    async def delete_outbox(self, ids: Sequence[int], /) -> None:
        """Delete events that were delivered; an id that is gone already is ignored."""
        ...

    def transact(self) -> AbstractAsyncContextManager[SqlTransaction]:
        """A transaction that an author's own statements share with one transition.

        It holds the store's write turn: every other commit waits until it ends, so it should be short. Leaving it
        without `commit` rolls everything back.

        Raises:
            UnsupportedError: the store has no SQL.
        """
        ...


@runtime_checkable
class PersistenceProvider(EngineStore, Protocol):
    """Where workflows live: the engine's own part plus the documented methods.

    Ids are UUIDs or their text. Methods that only a device's store supports (`get_pending_sync_workflows`,
    `get_audit_logs_for_workflows`, `delete_synced_workflows`, `get_edge_sync_state`, `set_edge_sync_state`) raise
    `NotImplementedError` elsewhere, as documented.
    """

    async def initialize(self) -> None:
        """Open connections and bring the schema up to date; a second call is harmless."""
        ...

    async def close(self) -> None:
        """Release every connection; a second call is harmless."""
        ...

    async def save_workflow(self, workflow_id: UUID | str, data: Mapping[str, Any], /) -> None:
        """Store a complete state dictionary of the caller's own under an id; not for engine-driven workflows."""
        ...

    async def load_workflow(self, workflow_id: UUID | str, /) -> dict[str, Any]:
        """The stored dictionary, or the row of an engine-driven workflow as a dictionary.

        Raises:
            WorkflowNotFoundError: there is none (it is a `ValueError` too).
        """
        ...

    async def list_workflows(
        self,
        *,
        status: str | None = None,
        workflow_type: str | None = None,
        owner_id: str | None = None,
        limit: int = 20,
        offset: int = 0,
    ) -> list[dict[str, Any]]:
        """Summaries, newest first, without state."""
        ...

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
        """Append a line of text log (DEBUG, INFO, WARNING, ERROR); no part of a workflow's truth."""
        ...

    async def record_metric(
        self,
        workflow_id: UUID | str,
        step_name: str | None,
        name: str,
        value: float,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Record a number, such as `duration_ms`."""
        ...

    async def claim_next_task(
        self, worker_id: str, *, queues: Sequence[str] = (), lease_us: int = 60_000_000
    ) -> dict[str, Any] | None:
        """Claim the most urgent task that is due, or None; a task is given to one worker at a time."""
        ...

    async def release_task(self, task_id: str, /, *, available_us: int = 0) -> None:
        """Give a claimed task back."""
        ...

    async def set_task_status(self, task_id: str, status: str, /) -> None:
        """Record where a task stands; `TaskNotFoundError` where there is none."""
        ...

    def another(self) -> "PersistenceProvider":
        """A further provider on the same database, for another event loop; not open yet."""
        ...

    async def get_task(self, task_id: str, /) -> TaskRecord:
        """The task; `TaskNotFoundError` where there is none."""
        ...

    async def heartbeat_update(
        self,
        workflow_id: UUID | str,
        worker_id: str,
        current_step: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Tell that a worker is alive and where it is; one row per workflow."""
        ...

    async def remove_heartbeat(self, workflow_id: UUID | str, worker_id: str, /) -> None:
        """Forget the heartbeat of a workflow, unless it is another worker's by now."""
        ...

    async def scan_stale_heartbeats(self, threshold_seconds: float, /) -> list[dict[str, Any]]:
        """The heartbeats older than the threshold."""
        ...

    async def delete_workflow(self, workflow_id: UUID | str, /) -> bool:
        """Delete a workflow with its log and inbox; False where there is none."""
        ...

    async def get_pending_sync_workflows(self, limit: int = 100) -> list[dict[str, Any]]:
        """Finished workflows that the cloud has not seen yet, oldest first (devices only)."""
        ...

    async def get_audit_logs_for_workflows(
        self, workflow_ids: Sequence[UUID | str], limit_per_workflow: int = 50
    ) -> list[dict[str, Any]]:
        """The newest log rows of each of these workflows (devices only)."""
        ...

    async def delete_synced_workflows(self, workflow_ids: Sequence[UUID | str]) -> int:
        """Delete workflows that the cloud has; the number deleted (devices only)."""
        ...

    async def get_edge_sync_state(self, key: str) -> str | None:
        """A plain text kept by the device (devices only)."""
        ...

    async def set_edge_sync_state(self, key: str, value: str) -> None:
        """Keep a plain text (devices only)."""
        ...
