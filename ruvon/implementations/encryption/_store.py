"""`EncryptedPersistence`: any store, with everything that is the author's closed before it gets there.

There is one write path for all stores: records are closed here, and a store keeps the bytes as it keeps all bytes. What
this class does not define is the inner store's own.

What somebody else would have to wait for is never kept from them: a task, an event or a due schedule that cannot be opened
is given on as it is stored, with an error in the log, and whoever decodes it refuses it alone (`refuse_sealed`).
"""

import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict
from typing import Any, Final, TypeVar, cast, final
from uuid import UUID

from ruvon.implementations.encryption._box import Box
from ruvon.implementations.encryption._keys import encryption_required, keys_from_environment
from ruvon.implementations.encryption._records import Records
from ruvon.implementations.persistence._stored import BEATS, DEVICE_TEXTS, LINES
from ruvon.providers import (
    DamagedDataError,
    DefinitionRecord,
    EncryptionError,
    InboxEntry,
    InstanceFilter,
    InstanceRecord,
    KeyProvider,
    LogEntry,
    OutboxRecord,
    PersistenceError,
    PersistenceProvider,
    ScheduleRecord,
    SqlTransaction,
    TaskClaim,
    TaskFilter,
    TaskRecord,
    TaskReport,
    Transition,
)
from ruvon.providers.encryption import key_id_of

__all__ = ["EncryptedPersistence", "encrypting", "guarded", "inner_store"]

_LOG: Final = logging.getLogger(__name__)
_LOOKED_AT: Final = 3
R = TypeVar("R")
P = TypeVar("P")


def encrypting(store: P, keys: KeyProvider | None = None) -> P:
    """A store behind encryption; the store itself where there are no keys, or where it is so already.

    Args:
        store: a persistence provider.
        keys: where keys come from; the environment where none are given.

    Raises:
        EncryptionKeyFormatError: a key cannot be used.
        MissingExtraError: `cryptography` is not installed.
    """
    if isinstance(store, EncryptedPersistence):
        return store
    keys = keys if keys is not None else keys_from_environment()
    if keys is None:
        return store
    box = Box(keys, required=encryption_required())
    return cast("P", EncryptedPersistence(cast("PersistenceProvider", store), box))


def guarded(store: P) -> P:
    """A store whose encrypted data is refused with a sentence: for those who look on without keys."""
    return cast("P", EncryptedPersistence(cast("PersistenceProvider", store), Box(None)))


def inner_store(store: object) -> object:
    """The store behind encryption; the store itself where there is none."""
    return store.inner if isinstance(store, EncryptedPersistence) else store


@final
class EncryptedPersistence:
    """A store whose records are closed on their way in and opened on their way out.

    Args:
        inner: any persistence provider.
        keys: where keys come from, or a box of such keys.

    It has every method of `inner`, the operators' too, and is as safe to share as that is.
    """

    def __init__(self, inner: PersistenceProvider, keys: "KeyProvider | Box") -> None:
        self.inner = inner
        self.box = keys if isinstance(keys, Box) else Box(keys)
        self._inner: Any = inner
        self._records = Records(self.box)

    def __getattr__(self, name: str) -> Any:
        if name == "_inner":  # while it is being unpickled or copied
            raise AttributeError(name)
        return getattr(self._inner, name)

    def __repr__(self) -> str:
        return f"EncryptedPersistence({self.inner!r})"

    async def initialize(self) -> None:
        """Open the inner store, and see that the current key is the one that the store knows under its id.

        Raises:
            DamagedDataError: it is another one; nothing was written with it.
        """
        await self._inner.initialize()
        if self.box.key_id is None:
            return
        problem: DamagedDataError | None = None
        for found in await self._inner.find_instances(InstanceFilter(), limit=_LOOKED_AT):
            record: InstanceRecord = await self._inner.load_instance(UUID(found.workflow_id))
            if key_id_of(record.position) != self.box.key_id:
                continue
            try:
                self._records.opened_instance(record)
            except DamagedDataError as exc:  # one alone may really be damaged
                problem = exc
            else:
                return
        if problem is not None:
            await self._inner.close()
            raise problem

    def another(self) -> "EncryptedPersistence":
        """A further provider on the same store, for another event loop; not open yet."""
        return EncryptedPersistence(self._inner.another(), self.box)

    # --- the engine's part --------------------------------------------------------------------------------------------

    async def commit(self, transition: Transition, /) -> None:
        """Write one transition completely, or not at all."""
        closed = self._records.transition(transition)
        await self._inner.commit(closed)
        _give_numbers(transition, closed)

    @asynccontextmanager
    async def _transact(self, opened: AbstractAsyncContextManager[SqlTransaction]) -> AsyncGenerator[SqlTransaction]:
        async with opened as transaction:
            yield _Transaction(transaction, self._records)

    def transact(self) -> AbstractAsyncContextManager[SqlTransaction]:
        """A transaction that an author's own statements share with one transition; their rows are their own matter."""
        return self._transact(self._inner.transact())

    async def load_instance(self, workflow_id: UUID, /) -> InstanceRecord:
        """The row of an instance."""
        return self._records.opened_instance(await self._inner.load_instance(workflow_id))

    async def find_by_idempotency_key(self, key: str, /) -> InstanceRecord | None:
        """The instance that was created with this key."""
        found = await self._inner.find_by_idempotency_key(key)
        return self._records.opened_instance(found) if found is not None else None

    async def read_log(
        self, workflow_id: UUID, /, *, after: int = 0, saga: bool = False, limit: int | None = None
    ) -> Sequence[LogEntry]:
        """Log entries in order."""
        whose = str(workflow_id)
        found = await self._inner.read_log(workflow_id, after=after, saga=saga, limit=limit)
        return [self._records.opened_entry(entry, whose) for entry in found]

    async def read_snapshot(self, workflow_id: UUID, /, *, at: int) -> tuple[int, bytes]:
        """The newest full state as of a log entry or earlier."""
        seq, data = await self._inner.read_snapshot(workflow_id, at=at)
        return seq, self._records.opened_snapshot(data, str(workflow_id), seq)

    async def append_inbox(self, entry: InboxEntry, /) -> bool:
        """Append a message."""
        closed = self._records.message(entry)
        added: bool = await self._inner.append_inbox(closed)
        entry.seq = closed.seq
        return added

    async def read_inbox(self, workflow_id: UUID, /, *, after: int = 0) -> Sequence[InboxEntry]:
        """The messages not consumed yet."""
        found = await self._inner.read_inbox(workflow_id, after=after)
        return [self._records.opened_message(entry) for entry in found]

    # --- schedules and outbox -----------------------------------------------------------------------------------------

    async def put_schedule(self, record: ScheduleRecord, /) -> None:
        """Write a schedule."""
        await self._inner.put_schedule(self._records.schedule(record))

    async def get_schedule(self, schedule_id: str, /) -> ScheduleRecord:
        """The schedule."""
        return self._records.opened_schedule(await self._inner.get_schedule(schedule_id))

    async def list_schedules(self) -> Sequence[ScheduleRecord]:
        """Every schedule, by name."""
        return self._each(self._records.opened_schedule, await self._inner.list_schedules())

    async def due_schedules(self, now_us: int, /, *, limit: int = 100) -> Sequence[ScheduleRecord]:
        """Schedules with something to start."""
        return self._each(self._records.opened_schedule, await self._inner.due_schedules(now_us, limit=limit))

    async def advance_schedule(
        self,
        record: ScheduleRecord,
        /,
        *,
        created: tuple[InstanceRecord, ...] = (),
        definitions: tuple[DefinitionRecord, ...] = (),
    ) -> None:
        """Write a schedule that was read before, and what it starts."""
        closed = tuple(map(self._records.new_instance, created))
        await self._inner.advance_schedule(self._records.schedule(record), created=closed, definitions=definitions)
        _give_keys(created, closed)

    async def read_outbox(self, /, *, limit: int = 100, after: int = 0) -> Sequence[OutboxRecord]:
        """Events in order."""
        return self._each(self._records.opened_event, await self._inner.read_outbox(limit=limit, after=after))

    # --- tasks --------------------------------------------------------------------------------------------------------

    async def claim_tasks(
        self, worker_id: str, /, *, queues: Sequence[str] = (), limit: int = 1, lease_us: int, now_us: int
    ) -> Sequence[TaskRecord]:
        """Claim pending tasks that are due."""
        found = await self._inner.claim_tasks(worker_id, queues=queues, limit=limit, lease_us=lease_us, now_us=now_us)
        return self._each(self._records.opened_task, found)

    async def claim_task(self, task_id: str, worker_id: str, /, *, lease_us: int, now_us: int) -> TaskRecord | None:
        """Claim one task."""
        found = await self._inner.claim_task(task_id, worker_id, lease_us=lease_us, now_us=now_us)
        return None if found is None else self._each(self._records.opened_task, (found,))[0]

    async def extend_leases(self, claims: Sequence[TaskClaim], /, *, until_us: int) -> Sequence[str]:
        """Let claims hold until a moment."""
        closed = list(map(self._records.claim, claims))
        return cast("Sequence[str]", await self._inner.extend_leases(closed, until_us=until_us))

    async def report_tasks(self, reports: Sequence[TaskReport], /) -> Sequence[bool | PersistenceError]:
        """Write what came of tasks."""
        return cast(
            "Sequence[bool | PersistenceError]",
            await self._inner.report_tasks(list(map(self._records.report, reports))),
        )

    async def release_tasks(self, claims: Sequence[TaskClaim], /, *, available_us: int = 0) -> None:
        """Give claimed tasks back."""
        await self._inner.release_tasks(list(map(self._records.claim, claims)), available_us=available_us)

    async def withdraw_task(self, task_id: str, entry: InboxEntry, /) -> bool:
        """Take a task that nobody has claimed out of the queue."""
        return bool(await self._inner.withdraw_task(task_id, self._records.message(entry)))

    async def reap_tasks(
        self, now_us: int, /, *, crash_budget: int | None = None, limit: int = 100
    ) -> Sequence[TaskRecord]:
        """Take claims whose lease has run out from their workers."""
        found = await self._inner.reap_tasks(now_us, crash_budget=crash_budget, limit=limit)
        return self._each(self._records.opened_task, found)

    async def find_tasks(
        self, wanted: TaskFilter, /, *, limit: int = 100, after: tuple[int, int, str] | None = None
    ) -> Sequence[TaskRecord]:
        """Tasks that fit."""
        return self._each(self._records.opened_task, await self._inner.find_tasks(wanted, limit=limit, after=after))

    async def get_task(self, task_id: str, /) -> TaskRecord:
        """The task."""
        return self._records.opened_task(await self._inner.get_task(task_id))

    async def claim_next_task(
        self, worker_id: str, *, queues: Sequence[str] = (), lease_us: int = 60_000_000
    ) -> dict[str, Any] | None:
        """Claim the most urgent task that is due."""
        found = await self._inner.claim_next_task(worker_id, queues=queues, lease_us=lease_us)
        return None if found is None else asdict(self._each(self._records.opened_task, (TaskRecord(**found),))[0])

    # --- documented methods around the engine -------------------------------------------------------------------------

    async def save_workflow(self, workflow_id: UUID | str, data: Mapping[str, Any], /) -> None:
        """Store a complete state dictionary of the caller's own; status, type and owner stay in plain."""
        await self._inner.save_workflow(workflow_id, self._records.document(str(workflow_id), data))

    async def load_workflow(self, workflow_id: UUID | str, /) -> dict[str, Any]:
        """The stored dictionary, or the row of an engine-driven workflow as a dictionary."""
        found: dict[str, Any] = await self._inner.load_workflow(workflow_id)
        if {"workflow_id", "position", "revision", "transition_id"} <= found.keys():
            return self._records.opened_row(found)
        return self._records.opened_document(str(workflow_id), found)

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
        name = str(workflow_id)
        text, closed = self._records.message_of_line(name, message), self._records.metadata(LINES.name, name, metadata)
        await self._inner.log_execution(workflow_id, step_name, level, text, closed, log_level=log_level)

    async def read_execution_logs(
        self, workflow_id: UUID | str, *, level: str | None = None, limit: int = 100, before: int | None = None
    ) -> list[dict[str, Any]]:
        """The newest text log lines of a workflow, oldest of them first; those before one with `before`, its `key`."""
        found = await self._inner.read_execution_logs(workflow_id, level=level, limit=limit, before=before)
        return [self._records.opened_line(row) for row in found]

    async def heartbeat_update(
        self,
        workflow_id: UUID | str,
        worker_id: str,
        current_step: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Tell that a worker is alive and where it is."""
        closed = self._records.metadata(BEATS.name, str(workflow_id), metadata)
        await self._inner.heartbeat_update(workflow_id, worker_id, current_step, closed)

    async def scan_stale_heartbeats(self, threshold_seconds: float, /) -> list[dict[str, Any]]:
        """The heartbeats older than the threshold."""
        return self._each(self._records.opened_beat, await self._inner.scan_stale_heartbeats(threshold_seconds))

    # --- what only a device keeps -------------------------------------------------------------------------------------

    async def get_pending_sync_workflows(self, limit: int = 100) -> list[dict[str, Any]]:
        """Finished workflows that the cloud has not seen yet."""
        return [self._records.opened_row(row) for row in await self._inner.get_pending_sync_workflows(limit)]

    async def get_audit_logs_for_workflows(
        self, workflow_ids: Sequence[UUID | str], limit_per_workflow: int = 50
    ) -> list[dict[str, Any]]:
        """The newest log rows of each of these workflows."""
        found = await self._inner.get_audit_logs_for_workflows(workflow_ids, limit_per_workflow)
        return self._records.opened_log_rows(found)

    async def get_edge_sync_state(self, key: str) -> str | None:
        """A plain text kept by the device."""
        found = await self._inner.get_edge_sync_state(key)
        return None if found is None else self.box.open_text(found, (DEVICE_TEXTS.name, "value", key))

    async def set_edge_sync_state(self, key: str, value: str) -> None:
        """Keep a plain text."""
        await self._inner.set_edge_sync_state(key, self.box.seal_text(value, (DEVICE_TEXTS.name, "value", key)))

    @staticmethod
    def _each(opened: Callable[[R], R], items: Iterable[R]) -> list[R]:
        """Records that are opened one by one; one that cannot be is given on as it is stored."""
        found: list[R] = []
        for item in items:
            try:
                found.append(opened(item))
            except EncryptionError as exc:
                _LOG.error("%s", exc)  # the sentence says it all
                found.append(item)
        return found


@final
class _Transaction:
    """A database transaction whose transition is closed."""

    def __init__(self, inner: SqlTransaction, records: Records) -> None:
        self._inner = inner
        self._records = records

    async def execute(
        self, sql: str, parameters: Sequence[object] | Mapping[str, object] = (), /
    ) -> list[tuple[Any, ...]]:
        """Run one statement on the author's own tables."""
        return await self._inner.execute(sql, parameters)

    async def commit(self, transition: Transition, /) -> None:
        """Write the transition and everything executed before."""
        closed = self._records.transition(transition)
        await self._inner.commit(closed)
        _give_numbers(transition, closed)


def _give_numbers(transition: Transition, closed: Transition) -> None:
    """The numbers that a store gave to the copies."""
    if transition.created:
        _give_keys(transition.created, closed.created)
    for entry, copy in zip(transition.sent, closed.sent, strict=True):
        entry.seq = copy.seq


def _give_keys(created: Sequence[InstanceRecord], closed: Sequence[InstanceRecord]) -> None:
    for record, copy in zip(created, closed, strict=True):
        record.key = copy.key
