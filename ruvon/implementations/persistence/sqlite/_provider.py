"""`SQLitePersistenceProvider`: workflows in one file, durable at each step, with nothing to set up."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from typing import Any, Final
from uuid import UUID

import orjson

from ruvon.implementations.persistence import _rows as rows
from ruvon.implementations.persistence._documented import known_level
from ruvon.implementations.persistence.sqlite import _statements as sql
from ruvon.implementations.persistence.sqlite._apply import insert_inbox
from ruvon.implementations.persistence.sqlite._devices import Devices
from ruvon.implementations.persistence.sqlite._instances import delete_workflow, insert_definitions
from ruvon.implementations.persistence.sqlite._listing import Listing
from ruvon.implementations.persistence.sqlite._locks import DutyLock, InstanceHold
from ruvon.implementations.persistence.sqlite._operators import Operators
from ruvon.implementations.persistence.sqlite._planned import Planned
from ruvon.implementations.persistence.sqlite._queue import Queue
from ruvon.implementations.persistence.sqlite._resealing import Resealing
from ruvon.implementations.persistence.sqlite._session import Session, open_session
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
    UnsupportedError,
    WorkflowNotFoundError,
)

__all__ = ["SQLitePersistenceProvider"]

_ALL: Final = -1


class SQLitePersistenceProvider(Queue, Listing, Planned, Devices, Operators, Resealing):
    """Workflows in one SQLite file.

    Args:
        db_path: The file, or `:memory:`. Its folder must exist; the file is created.
        durability: `FULL` (default) flushes at every commit: what was committed survives a power cut. `NORMAL`
            survives a killed process, not always a power cut. `OFF` is for tests.
        clock: Where times of logs, metrics and heartbeats come from.
        schema: The tables to create; an application may add its own to `SQLITE_SCHEMA`.

    The provider belongs to one event loop at a time and may be shared by any number of workflows. Beside the file it
    keeps `<file>.lock`, through which processes exclude each other from driving one workflow.
    """

    # --- the engine's part --------------------------------------------------------------------------------------------

    async def commit(self, transition: Transition, /) -> None:
        """Write one transition completely, or not at all; on return it is durable."""
        await self._open_writer().commit(transition)
        if transition.sent or transition.tasks:
            self._wake(transition)

    def transact(self) -> AbstractAsyncContextManager[SqlTransaction]:
        """A transaction that an author's own statements share with one transition; it holds the write turn."""
        writer = self._open_writer()
        return open_session(writer, Session(self.db_path, here=self._memory, committed=self._wake))

    async def hold(self, workflow_id: UUID, /) -> InstanceHold:
        """Take the right to drive the instance, at once or not at all."""
        row = self._one(sql.KEY_OF, (str(workflow_id),))
        if row is None:
            raise WorkflowNotFoundError(workflow_id)
        return self._open_locks().hold(workflow_id, int(row[0]))

    async def take_duty(self, name: str, /) -> DutyLock | None:
        """Take a duty that one process at a time has; None: somebody has it."""
        return self._open_locks().take_duty(name)

    async def load_instance(self, workflow_id: UUID, /) -> InstanceRecord:
        """The row of an instance with its newest snapshot."""
        row = self._one(sql.LOAD_INSTANCE, (str(workflow_id),))
        if row is None:
            raise WorkflowNotFoundError(workflow_id)
        return rows.instance(row)

    async def find_by_idempotency_key(self, key: str, /) -> InstanceRecord | None:
        """The instance that was created with this key."""
        row = self._one(sql.KEY_AND_ID_BY_IDEMPOTENCY, (key,))
        return None if row is None else await self.load_instance(UUID(row["id"]))

    async def read_log(
        self, workflow_id: UUID, /, *, after: int = 0, saga: bool = False, limit: int | None = None
    ) -> Sequence[LogEntry]:
        """Log entries above `after`, in order; with `saga` only those that hold or undo a saga entry."""
        values = {"id": str(workflow_id), "after": after, "saga": saga, "limit": _ALL if limit is None else limit}
        return [rows.log_entry(row) for row in await self._scan(sql.READ_LOG, values)]

    async def read_snapshot(self, workflow_id: UUID, /, *, at: int) -> tuple[int, bytes]:
        """The newest full state as of log entry `at` or earlier."""
        found = await self._scan(sql.READ_SNAPSHOT, {"id": str(workflow_id), "at": at})
        if found:
            return found[0]["seq"], found[0]["data"]
        if self._one(sql.KEY_OF, (str(workflow_id),)) is None:
            raise WorkflowNotFoundError(workflow_id)
        raise HistoryForgottenError(workflow_id, at)

    async def append_inbox(self, entry: InboxEntry, /) -> bool:
        """Append a message and wake the holder; False when its `dedup` key was there already."""

        def work(connection: sqlite3.Connection) -> bool:
            if connection.execute(sql.KEY_OF, (str(entry.workflow_id),)).fetchone() is None:
                raise WorkflowNotFoundError(entry.workflow_id)
            return insert_inbox(connection, entry)

        added = bool(await self._write(work))
        if added:
            self._open_locks().wake(entry.workflow_id)
        return added

    async def read_inbox(self, workflow_id: UUID, /, *, after: int = 0) -> Sequence[InboxEntry]:
        """The messages not consumed yet, in order."""
        found = self._all(sql.READ_INBOX, (str(workflow_id), after))
        return [rows.inbox_entry(row) for row in found]

    async def put_definition(self, record: DefinitionRecord, /) -> None:
        """Store a definition; one whose digest is known is left alone."""
        now = self._clock.now_us()
        await self._write(lambda connection: insert_definitions(connection, [record], now))

    async def get_definition(self, digest: bytes, /) -> DefinitionRecord:
        """The definition with this digest."""
        row = self._one(sql.GET_DEFINITION, (digest,))
        if row is None:
            raise DefinitionNotFoundError(digest)
        return rows.definition(row)

    def another(self) -> "SQLitePersistenceProvider":
        """A further provider on the same file, for another event loop; not open yet.

        Raises:
            UnsupportedError: the database is in memory, where nobody else can open it.
        """
        if self._memory:
            raise UnsupportedError("a second connection", "use a file: a database in memory has one connection")
        return SQLitePersistenceProvider(
            self.db_path, durability=self.durability, clock=self._clock, schema=self._schema
        )

    # --- documented methods -------------------------------------------------------------------------------------------

    async def save_workflow(self, workflow_id: UUID | str, data: Mapping[str, Any], /) -> None:
        """Store a complete state dictionary of the caller's own; values JSON does not know become their text."""
        now = self._clock.now_us()
        text = rows.json_text(dict(data))
        status, kind, owner = data.get("status"), data.get("workflow_type"), data.get("owner_id")
        values = (str(workflow_id), text, status, kind, owner, now, now)
        await self._write(lambda connection: connection.execute(sql.SAVE_DOCUMENT, values))

    async def load_workflow(self, workflow_id: UUID | str, /) -> dict[str, Any]:
        """The stored dictionary, or the row of an engine-driven workflow."""
        row = self._one(sql.LOAD_DOCUMENT, (str(workflow_id),))
        if row is not None:
            loaded: dict[str, Any] = orjson.loads(row["data"])
            return loaded
        row = self._one(sql.LOAD_INSTANCE, (str(workflow_id),))
        if row is None:
            raise WorkflowNotFoundError(workflow_id)
        return rows.plain(row)

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
        values = (str(workflow_id), step_name, wanted, message, text, self._clock.now_us())
        await self._write(lambda connection: connection.execute(sql.LOG_LINE, values))

    async def read_execution_logs(
        self, workflow_id: UUID | str, *, level: str | None = None, limit: int = 100, before: int | None = None
    ) -> list[dict[str, Any]]:
        """The newest text log lines of a workflow, oldest of them first; those before one with `before`, its `key`."""
        wanted = level.upper() if level else None
        values = {"id": str(workflow_id), "level": wanted, "limit": limit, "before": before}
        return [rows.plain(row) for row in await self._scan(sql.READ_LOG_LINES, values)][::-1]

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
        values = (str(workflow_id), step_name, name, value, text, self._clock.now_us())
        await self._write(lambda connection: connection.execute(sql.METRIC, values))

    async def read_metrics(
        self, workflow_id: UUID | str | None = None, *, name: str | None = None, limit: int = 100
    ) -> list[dict[str, Any]]:
        """The newest numbers, of one workflow or of all, oldest of them first; with `name` only those."""
        values = {"id": str(workflow_id) if workflow_id is not None else None, "name": name, "limit": limit}
        return [rows.plain(row) for row in await self._scan(sql.READ_METRICS, values)][::-1]

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
        await self._change_task(task_id, sql.RELEASE_TASK, (available_us, task_id))
        self._tell_workers()

    async def set_task_status(self, task_id: str, status: str, /) -> None:
        """Record where a task stands."""
        await self._change_task(task_id, sql.TASK_STATUS, (status, task_id))

    async def get_task(self, task_id: str, /) -> TaskRecord:
        """The task."""
        row = self._one(sql.GET_TASK, (task_id,))
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
        values = {
            "id": str(workflow_id),
            "worker": worker_id,
            "step": current_step,
            "now": self._clock.now_us(),
            "metadata": rows.json_text(dict(metadata or {})),
        }
        await self._write(lambda connection: connection.execute(sql.HEARTBEAT, values))

    async def remove_heartbeat(self, workflow_id: UUID | str, worker_id: str, /) -> None:
        """Forget the heartbeat of a workflow, unless it is another worker's by now."""
        values = (str(workflow_id), worker_id)
        await self._write(lambda connection: connection.execute(sql.REMOVE_HEARTBEAT, values))

    async def scan_stale_heartbeats(self, threshold_seconds: float, /) -> list[dict[str, Any]]:
        """The heartbeats older than the threshold, oldest first."""
        before = self._clock.now_us() - round(threshold_seconds * 1_000_000)
        return [rows.plain(row) for row in await self._scan(sql.STALE_HEARTBEATS, (before,))]

    async def delete_workflow(self, workflow_id: UUID | str, /) -> bool:
        """Delete a workflow with all that belongs to it; False where there is none."""
        return bool(await self._write(lambda connection: delete_workflow(connection, str(workflow_id))))

    def _wake(self, transition: Transition) -> None:
        for entry in transition.sent:
            self._open_locks().wake(entry.workflow_id)
        if transition.tasks:
            self._tell_workers()

    async def _change_task(self, task_id: str, statement: str, values: tuple[object, ...]) -> None:
        changed = await self._write(lambda connection: connection.execute(statement, values).rowcount)
        if not changed:
            raise TaskNotFoundError(task_id)
