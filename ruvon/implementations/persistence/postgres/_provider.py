"""`PostgresPersistenceProvider`: workflows in one PostgreSQL database, shared by any number of processes."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, replace
from functools import partial
from typing import Any, final
from uuid import UUID

import orjson

from ruvon.implementations.persistence import _rows as rows
from ruvon.implementations.persistence._documented import WithoutDevice, known_level
from ruvon.implementations.persistence.postgres import _statements as sql
from ruvon.implementations.persistence.postgres._driver import Connection
from ruvon.implementations.persistence.postgres._duty import PostgresDuty, taken_duty
from ruvon.implementations.persistence.postgres._holds import PostgresHold
from ruvon.implementations.persistence.postgres._instances import Ids, delete_workflows, insert_definitions
from ruvon.implementations.persistence.postgres._listing import Listing
from ruvon.implementations.persistence.postgres._operators import Operators
from ruvon.implementations.persistence.postgres._planned import Planned
from ruvon.implementations.persistence.postgres._queue import Queue
from ruvon.implementations.persistence.postgres._resealing import Resealing
from ruvon.implementations.persistence.postgres._sending import append
from ruvon.implementations.persistence.postgres._session import Session
from ruvon.providers.persistence import (
    DefinitionNotFoundError,
    DefinitionRecord,
    HistoryForgottenError,
    InboxEntry,
    InstanceRecord,
    LogEntry,
    SqlTransaction,
    TaskNotFoundError,
    TaskRecord,
    Transition,
    WorkflowNotFoundError,
)

__all__ = ["PostgresPersistenceProvider"]


@final
class PostgresPersistenceProvider(Queue, Listing, Planned, Operators, Resealing, WithoutDevice):
    """Workflows in one PostgreSQL database.

    Args:
        db_url: `postgresql://user:password@host:port/database`; without it `RUVON_DB_URL`, then `DATABASE_URL`.
        schema: The schema to live in; it is created. Default: the first of the user's search path.
        pool: The connections; default: the variables `POSTGRES_POOL_*`.
        clock: Where times of logs, metrics and heartbeats come from.
        migrate: Bring the tables up to date in `initialize()`; False only checks that they are.
        reconnect_timeout_s: How long a server that is away is waited for.

    The provider belongs to one event loop at a time and may be shared by any number of workflows. Holds are session
    locks, so the address must be the server's own or that of a pooler in session mode.
    """

    # --- the engine's part --------------------------------------------------------------------------------------------

    async def commit(self, transition: Transition, /) -> None:
        """Write one transition completely, or not at all; on return it is durable."""
        writer = self._open_writer()
        self._check_hold(transition)
        await writer.commit(transition)
        self._wake(transition)

    def transact(self) -> AbstractAsyncContextManager[SqlTransaction]:
        """A transaction that an author's own statements share with one transition; other commits do not wait for it."""
        self._open_writer()
        return self._session()

    @asynccontextmanager
    async def _session(self) -> AsyncGenerator[SqlTransaction, None]:
        since = self._open_holds().generation
        async with self._connection() as connection:
            session = Session(
                connection,
                self.db_url,
                self._open_writer().target,
                Ids(),
                check=self._check_hold,
                was_committed=partial(self._was_committed, since=since),
                committed=self._wake,
            )
            self._sessions.add(session)
            try:
                await session.begin()
                yield session
            finally:
                self._sessions.discard(session)
                await session.end()

    async def hold(self, workflow_id: UUID, /) -> PostgresHold:
        """Take the right to drive the instance, at once or not at all."""
        return await self._open_holds().hold(workflow_id)

    async def take_duty(self, name: str, /) -> PostgresDuty | None:
        """Take a duty that one process at a time has in this database, with a connection of its own."""
        self._open_writer()
        duty = await taken_duty(await self._connect_again(), name, self._inbox_salt)
        if duty is not None:
            self._duties.add(duty)
        return duty

    async def load_instance(self, workflow_id: UUID, /) -> InstanceRecord:
        """The row of an instance with its newest snapshot."""
        row = await self._open_reads().instances.get(str(workflow_id))
        if row is None:
            raise WorkflowNotFoundError(workflow_id)
        return rows.instance(row)

    async def find_by_idempotency_key(self, key: str, /) -> InstanceRecord | None:
        """The instance that was created with this key."""
        row = await self._one(sql.ID_BY_IDEMPOTENCY, key)
        return None if row is None else await self.load_instance(UUID(row["id"]))

    async def read_log(
        self, workflow_id: UUID, /, *, after: int = 0, saga: bool = False, limit: int | None = None
    ) -> Sequence[LogEntry]:
        """Log entries above `after`, in order; with `saga` only those that hold or undo a saga entry."""
        return [rows.log_entry(row) for row in await self._all(sql.READ_LOG, str(workflow_id), after, saga, limit)]

    async def read_snapshot(self, workflow_id: UUID, /, *, at: int) -> tuple[int, bytes]:
        """The newest full state as of log entry `at` or earlier."""
        found = await self._one(sql.READ_SNAPSHOT, str(workflow_id), at)
        if found is not None:
            return found["seq"], found["data"]
        if await self._one(sql.KEYS_OF, [str(workflow_id)]) is None:
            raise WorkflowNotFoundError(workflow_id)
        raise HistoryForgottenError(workflow_id, at)

    async def append_inbox(self, entry: InboxEntry, /) -> bool:
        """Append a message and wake the holder; False when its `dedup` key was there already."""
        doubts: list[None] = []

        async def work(connection: Connection) -> bool:
            if not await connection.fetch(sql.KEYS_OF, [str(entry.workflow_id)]):
                raise WorkflowNotFoundError(entry.workflow_id)
            return await append(connection, [entry], self._inbox_salt, self._channel) > 0

        doubted = partial(doubts.append, None) if entry.dedup is not None else None
        added = await self._transaction(work, doubted=doubted) or bool(doubts)  # what is there may be an earlier try's
        if added:
            self._open_holds().wake(entry.workflow_id)
        return added

    async def read_inbox(self, workflow_id: UUID, /, *, after: int = 0) -> Sequence[InboxEntry]:
        """The messages not consumed yet, in order."""
        found = await self._open_reads().inboxes.get((str(workflow_id), after))
        return [rows.inbox_entry(row) for row in found]

    async def put_definition(self, record: DefinitionRecord, /) -> None:
        """Store a definition; one whose digest is known is left alone."""
        now = self._clock.now_us()
        await self._transaction(lambda connection: insert_definitions(connection, [(record, now)]))

    async def get_definition(self, digest: bytes, /) -> DefinitionRecord:
        """The definition with this digest."""
        row = await self._one(sql.GET_DEFINITION, digest)
        if row is None:
            raise DefinitionNotFoundError(digest)
        return rows.definition(row)

    def another(self) -> "PostgresPersistenceProvider":
        """A further provider on the same database, with few connections, for another event loop; not open yet."""
        return PostgresPersistenceProvider(
            self.db_url,
            schema=self.schema,
            pool=replace(self.pool_settings, min_size=1, max_size=1),
            clock=self._clock,
            migrate=False,
            reconnect_timeout_s=self._patience_s,
        )

    # --- documented methods -------------------------------------------------------------------------------------------

    async def save_workflow(self, workflow_id: UUID | str, data: Mapping[str, Any], /) -> None:
        """Store a complete state dictionary of the caller's own; values JSON does not know become their text."""
        labels = [
            None if data.get(name) is None else str(data[name]) for name in ("status", "workflow_type", "owner_id")
        ]
        await self._all(sql.SAVE_DOCUMENT, str(workflow_id), rows.json_text(dict(data)), *labels, self._clock.now_us())

    async def load_workflow(self, workflow_id: UUID | str, /) -> dict[str, Any]:
        """The stored dictionary, or the row of an engine-driven workflow."""
        row = await self._one(sql.LOAD_DOCUMENT, str(workflow_id))
        if row is not None:
            loaded: dict[str, Any] = orjson.loads(row["data"])
            return loaded
        row = await self._one(sql.LOAD_INSTANCES, [str(workflow_id)])
        if row is None:
            raise WorkflowNotFoundError(workflow_id)
        found = rows.plain(row)
        found["state"] = orjson.loads(found["state"]) if found["state"] is not None else None
        return found

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
        """Append a line of text log; an unknown level is refused with a `ValueError`."""
        wanted = known_level(log_level or level)
        text = rows.json_text(dict(metadata or {}))
        await self._all(sql.LOG_LINE, str(workflow_id), step_name, wanted, message, text, self._clock.now_us())

    async def read_execution_logs(
        self, workflow_id: UUID | str, *, level: str | None = None, limit: int = 100, before: int | None = None
    ) -> list[dict[str, Any]]:
        """The newest text log lines of a workflow, oldest of them first; those before one with `before`, its `key`."""
        wanted = level.upper() if level else None
        found = await self._all(sql.READ_LOG_LINES, str(workflow_id), wanted, limit, before)
        return [rows.plain(row) for row in found][::-1]

    async def record_metric(
        self,
        workflow_id: UUID | str,
        step_name: str | None,
        name: str,
        value: float,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Record a number, such as `duration_ms`."""
        text = rows.json_text(dict(metadata or {}))
        await self._all(sql.METRIC, str(workflow_id), step_name, name, value, text, self._clock.now_us())

    async def read_metrics(
        self, workflow_id: UUID | str | None = None, *, name: str | None = None, limit: int = 100
    ) -> list[dict[str, Any]]:
        """The newest numbers, of one workflow or of all, oldest of them first; with `name` only those."""
        whose = str(workflow_id) if workflow_id is not None else None
        return [rows.plain(row) for row in await self._all(sql.READ_METRICS, whose, name, limit)][::-1]

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
        if await self._one(sql.RELEASE_TASK, task_id, available_us) is None:
            raise TaskNotFoundError(task_id)
        await self._announce()

    async def set_task_status(self, task_id: str, status: str, /) -> None:
        """Record where a task stands."""
        if await self._one(sql.TASK_STATUS, task_id, status) is None:
            raise TaskNotFoundError(task_id)

    async def get_task(self, task_id: str, /) -> TaskRecord:
        """The task."""
        row = await self._one(sql.GET_TASK, task_id)
        if row is None:
            raise TaskNotFoundError(task_id)
        return rows.task(row)

    async def heartbeat_update(
        self,
        workflow_id: UUID | str,
        worker_id: str,
        current_step: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Tell that a worker is alive and where it is; one row per workflow."""
        text = rows.json_text(dict(metadata or {}))
        await self._all(sql.HEARTBEAT, str(workflow_id), worker_id, current_step, self._clock.now_us(), text)

    async def remove_heartbeat(self, workflow_id: UUID | str, worker_id: str, /) -> None:
        """Forget the heartbeat of a workflow, unless it is another worker's by now."""
        await self._all(sql.REMOVE_HEARTBEAT, str(workflow_id), worker_id)

    async def scan_stale_heartbeats(self, threshold_seconds: float, /) -> list[dict[str, Any]]:
        """The heartbeats older than the threshold, oldest first."""
        before = self._clock.now_us() - round(threshold_seconds * 1_000_000)
        return [rows.plain(row) for row in await self._all(sql.STALE_HEARTBEATS, before)]

    async def delete_workflow(self, workflow_id: UUID | str, /) -> bool:
        """Delete a workflow with all that belongs to it; False where there is none."""
        return bool(await self._transaction(lambda connection: delete_workflows(connection, [str(workflow_id)])))

    def _wake(self, transition: Transition) -> None:
        holds = self._holds
        if holds is not None:
            for entry in transition.sent:
                holds.wake(entry.workflow_id)
            if transition.tasks:
                holds.tell_workers()

    def _check_hold(self, transition: Transition) -> None:
        if transition.expected >= 0:
            self._open_holds().check(transition.workflow_id)
