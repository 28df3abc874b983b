"""`SQLitePersistenceProvider`: workflows in one file, durable at each step, with nothing to set up.

Point reads run on the calling thread (microseconds); lists and logs run on a worker thread with a connection of their
own, so that a large answer never holds up the loop. (aiosqlite is not used for them: its thread keeps a process alive
that ends without `close()`.) Writes go through `Writer` (group commit). A database in memory has one connection for
everything.
"""

import asyncio
import os
import sqlite3
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import orjson

from ruvon.implementations.persistence.sqlite import _rows as rows
from ruvon.implementations.persistence.sqlite import _statements as sql
from ruvon.implementations.persistence.sqlite._apply import insert_inbox
from ruvon.implementations.persistence.sqlite._connection import (
    DatabaseFileError,
    Durability,
    describe,
    is_memory,
    migrate,
    open_connection,
)
from ruvon.implementations.persistence.sqlite._locks import InstanceHold, Locks
from ruvon.implementations.persistence.sqlite._watch import Watch
from ruvon.implementations.persistence.sqlite._writer import Work, Writer
from ruvon.providers._clock import Clock, SystemClock
from ruvon.providers.persistence import (
    DefinitionNotFoundError,
    DefinitionRecord,
    InboxEntry,
    InstanceRecord,
    LogEntry,
    TaskNotFoundError,
    TaskRecord,
    Transition,
    WorkflowNotFoundError,
)

__all__ = ["SQLitePersistenceProvider"]

LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
_ALL: Final = -1


class SQLitePersistenceProvider:
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

    def __init__(
        self,
        db_path: str | os.PathLike[str] = ":memory:",
        *,
        durability: Durability = "FULL",
        clock: Clock | None = None,
        schema: str | None = None,
    ) -> None:
        self.db_path = os.fspath(db_path)
        self.durability: Durability = durability
        self._clock: Clock = clock or SystemClock()
        self._schema = schema
        self._memory = is_memory(self.db_path)
        self._connection: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._scanner: sqlite3.Connection | None = None
        self._scanning = threading.Lock()
        self._writer: Writer | None = None
        self._locks: Locks | None = None
        self._watch: Watch | None = None

    async def initialize(self) -> None:
        """Open the file and create what is missing; a second call is harmless.

        Raises:
            DatabaseFileError: the file cannot be used; the sentence says what to do.
        """
        if self._writer is not None:
            return
        connection = open_connection(self.db_path, self.durability)
        try:
            migrate(connection, self.db_path, self._schema or _current_schema())
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        self._reader = connection if self._memory else open_connection(self.db_path, self.durability)
        lock_path = None if self._memory else f"{self.db_path}.lock"
        self._watch = None if self._memory else Watch(self._reader, self._woken)
        self._locks = Locks(lock_path, self._listeners)
        short_flush = self._memory or self.durability != "FULL"
        self._writer = Writer(connection, self.db_path, self._locks, inline=short_flush)

    async def close(self) -> None:
        """Write what waits and release everything; a second call is harmless."""
        if self._writer is not None:
            await asyncio.to_thread(self._writer.close)
        if self._watch is not None:
            self._watch.stop()
        if self._locks is not None:
            with self._locks.write_turn():
                for connection in {self._scanner, self._reader, self._connection}:
                    if connection is not None:
                        connection.close()
            self._locks.close()
        self._connection = self._reader = self._scanner = self._writer = self._locks = self._watch = None

    # --- the engine's part --------------------------------------------------------------------------------------------

    async def commit(self, transition: Transition, /) -> None:
        """Write one transition completely, or not at all; on return it is durable."""
        await self._open_writer().commit(transition)
        for entry in transition.sent:
            self._open_locks().wake(entry.workflow_id)

    async def hold(self, workflow_id: UUID, /) -> InstanceHold:
        """Take the right to drive the instance, at once or not at all."""
        row = self._one(sql.KEY_OF, (str(workflow_id),))
        if row is None:
            raise WorkflowNotFoundError(workflow_id)
        return self._open_locks().hold(workflow_id, int(row[0]))

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
        values = (record.digest, record.workflow_type, record.workflow_version, record.text)
        await self._write(lambda connection: connection.execute(sql.INSERT_DEFINITION, values))

    async def get_definition(self, digest: bytes, /) -> DefinitionRecord:
        """The definition with this digest."""
        row = self._one(sql.GET_DEFINITION, (digest,))
        if row is None:
            raise DefinitionNotFoundError(digest)
        return rows.definition(row)

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
        values = {"status": status, "type": workflow_type, "owner": owner_id, "limit": limit, "offset": offset}
        return [rows.plain(row) for row in await self._scan(sql.LIST_WORKFLOWS, values)]

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
        wanted = (log_level or level).upper()
        if wanted not in LOG_LEVELS:
            raise ValueError(f"the level {wanted!r} is not one of {', '.join(LOG_LEVELS)}")
        text = rows.json_text(dict(metadata or {}))
        values = (str(workflow_id), step_name, wanted, message, text, self._clock.now_us())
        await self._write(lambda connection: connection.execute(sql.LOG_LINE, values))

    async def read_execution_logs(
        self, workflow_id: UUID | str, *, level: str | None = None, limit: int = 100
    ) -> list[dict[str, Any]]:
        """The newest text log lines of a workflow, oldest of them first."""
        values = {"id": str(workflow_id), "level": level.upper() if level else None, "limit": limit}
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
        names = orjson.dumps(list(queues)).decode() if queues else None
        values = {"worker": worker_id, "lease": now + lease_us, "now": now, "queues": names}
        row = await self._write(lambda connection: connection.execute(sql.CLAIM_TASK, values).fetchone())
        return rows.plain(row) if isinstance(row, sqlite3.Row) else None

    async def release_task(self, task_id: str, /, *, available_us: int = 0) -> None:
        """Give a claimed task back."""
        await self._change_task(task_id, sql.RELEASE_TASK, (available_us, task_id))

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

    async def scan_stale_heartbeats(self, threshold_seconds: float, /) -> list[dict[str, Any]]:
        """The heartbeats older than the threshold, oldest first."""
        before = self._clock.now_us() - round(threshold_seconds * 1_000_000)
        return [rows.plain(row) for row in await self._scan(sql.STALE_HEARTBEATS, (before,))]

    async def delete_workflow(self, workflow_id: UUID | str, /) -> bool:
        """Delete a workflow with all that belongs to it; False where there is none."""
        return bool(await self._write(lambda connection: _delete(connection, str(workflow_id))))

    # --- devices ------------------------------------------------------------------------------------------------------

    async def get_pending_sync_workflows(self, limit: int = 100) -> list[dict[str, Any]]:
        """Finished workflows that are still here because the cloud has not acknowledged them, oldest first."""
        return [rows.plain(row) for row in await self._scan(sql.PENDING_SYNC, (limit,))]

    async def get_audit_logs_for_workflows(
        self, workflow_ids: Sequence[UUID | str], limit_per_workflow: int = 50
    ) -> list[dict[str, Any]]:
        """The newest log rows of each of these workflows, each workflow's in order."""
        found: list[dict[str, Any]] = []
        for workflow_id in workflow_ids:
            values = {"id": str(workflow_id), "limit": limit_per_workflow}
            newest = await self._scan(sql.NEWEST_LOG, values)
            found.extend({**rows.columns(row), "workflow_id": str(workflow_id)} for row in newest)
        return found

    async def delete_synced_workflows(self, workflow_ids: Sequence[UUID | str]) -> int:
        """Delete finished workflows that the cloud has; running ones and ones not named stay, children included."""
        ids = orjson.dumps([str(item) for item in workflow_ids]).decode()

        def work(connection: sqlite3.Connection) -> int:
            names = [row["id"] for row in connection.execute(sql.DELETABLE, {"ids": ids})]
            return sum(_delete(connection, name) for name in names)

        deleted = await self._write(work)
        return deleted if isinstance(deleted, int) else 0

    async def get_edge_sync_state(self, key: str) -> str | None:
        """A plain text kept by the device."""
        row = self._one(sql.GET_SYNC_STATE, (key,))
        return None if row is None else str(row["value"])

    async def set_edge_sync_state(self, key: str, value: str) -> None:
        """Keep a plain text."""
        await self._write(lambda connection: connection.execute(sql.SET_SYNC_STATE, (key, value)))

    # --- operators ----------------------------------------------------------------------------------------------------

    async def stats(self) -> dict[str, Any]:
        """How many rows there are of each kind, workflows by status, and the size of the file in bytes."""
        counts = {str(row["name"]): int(row["rows"]) for row in await self._scan(sql.COUNTS, ())}
        by_status = {str(row["status"]): int(row["rows"]) for row in await self._scan(sql.BY_STATUS, ())}
        size = 0 if self._memory else Path(self.db_path).stat().st_size  # noqa: ASYNC240  # one system call
        return {"rows": counts, "by_status": by_status, "size_bytes": size}

    async def children_of(self, workflow_id: UUID | str) -> list[dict[str, Any]]:
        """The workflows that this one started, oldest first: id, type, status, step."""
        return [rows.plain(row) for row in await self._scan(sql.CHILDREN, (str(workflow_id),))]

    async def ids_like(self, prefix: str, *, limit: int = 2) -> list[str]:
        """Ids of workflows that begin like this, newest first."""
        escaped = "".join(letter for letter in prefix if letter not in "%_")
        return [str(row["id"]) for row in await self._scan(sql.IDS_LIKE, (escaped, limit))]

    async def list_definitions(self) -> list[DefinitionRecord]:
        """Every stored definition, by type and version."""
        return [rows.definition(row) for row in await self._scan(sql.DEFINITIONS, ())]

    async def summarize(self, workflow_type: str | None = None) -> list[dict[str, Any]]:
        """Workflows by type and status: how many, and their mean and longest age at the last change in microseconds."""
        return [rows.columns(row) for row in await self._scan(sql.BY_TYPE, {"type": workflow_type})]

    async def summarize_metrics(
        self, workflow_id: UUID | str | None = None, *, name: str | None = None
    ) -> list[dict[str, Any]]:
        """Recorded numbers by name and step: how many, least, mean, largest."""
        values = {"id": str(workflow_id) if workflow_id is not None else None, "name": name}
        return [rows.columns(row) for row in await self._scan(sql.METRIC_SUMMARY, values)]

    async def facts(self) -> dict[str, Any]:
        """How the database is kept: file, schema version, journal, flushes, SQLite's version."""
        names = ("user_version", "journal_mode", "synchronous", "page_size")
        found = {name: self._all(f"PRAGMA {name}", ())[0][0] for name in names}
        return {
            "path": self.db_path,
            "schema_version": found["user_version"],
            "journal_mode": found["journal_mode"],
            "durability": self.durability,
            "page_size": found["page_size"],
            "sqlite_version": sqlite3.sqlite_version,
        }

    async def check(self) -> list[dict[str, Any]]:
        """What is wrong with the stored data, as `problem`, `workflow_id` and `detail`; a sound database gives none."""
        pages = [str(row[0]) for row in await self._scan(sql.INTEGRITY, ())]
        found: list[dict[str, Any]] = [
            {"problem": "the file is damaged", "workflow_id": None, "detail": text} for text in pages if text != "ok"
        ]
        for problem, statement in sql.CHECKS.items():
            found += [{"problem": problem, **rows.columns(row)} for row in await self._scan(statement, ())]
        return found

    # --- plumbing -----------------------------------------------------------------------------------------------------

    async def _change_task(self, task_id: str, statement: str, values: tuple[object, ...]) -> None:
        changed = await self._write(lambda connection: connection.execute(statement, values).rowcount)
        if not changed:
            raise TaskNotFoundError(task_id)

    async def _write(self, work: Work) -> object:
        return await self._open_writer().run(work)

    def _one(self, statement: str, values: Sequence[object]) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._execute(statement, values).fetchone()
        return row

    def _all(self, statement: str, values: Sequence[object]) -> list[sqlite3.Row]:
        found: list[sqlite3.Row] = self._execute(statement, values).fetchall()
        return found

    def _execute(self, statement: str, values: Sequence[object]) -> sqlite3.Cursor:
        self._open_writer()
        try:
            return self._reader.execute(statement, values)  # type: ignore[union-attr]  # open when the writer is
        except sqlite3.Error as exc:
            raise DatabaseFileError(self.db_path, describe(exc)) from exc

    async def _scan(self, statement: str, values: Sequence[object] | Mapping[str, object]) -> list[sqlite3.Row]:
        """Read what may be long without holding up the loop."""
        self._open_writer()
        try:
            if self._memory:
                return self._reader.execute(statement, values).fetchall()  # type: ignore[union-attr]
            return await asyncio.to_thread(self._scan_here, statement, values)
        except sqlite3.Error as exc:
            raise DatabaseFileError(self.db_path, describe(exc)) from exc

    def _scan_here(self, statement: str, values: Sequence[object] | Mapping[str, object]) -> list[sqlite3.Row]:
        with self._scanning:
            if self._scanner is None:
                self._scanner = open_connection(self.db_path, self.durability)
            found: list[sqlite3.Row] = self._scanner.execute(statement, values).fetchall()
            return found

    def _open_writer(self) -> Writer:
        if self._writer is None:
            raise DatabaseFileError(self.db_path, "the provider is not open; call `await provider.initialize()` first")
        return self._writer

    def _open_locks(self) -> Locks:
        self._open_writer()
        assert self._locks is not None  # noqa: S101  # opened together with the writer
        return self._locks

    def _listeners(self, listening: bool) -> None:  # a callback
        if self._watch is not None:
            self._watch.run(listening=listening)

    def _woken(self) -> None:
        if self._locks is not None:
            self._locks.wake_all()


def _current_schema() -> str:
    """The package's `SQLITE_SCHEMA` as it is now: an application may have added its own tables to it."""
    return str(sys.modules["ruvon.implementations.persistence.sqlite"].SQLITE_SCHEMA)


def _delete(connection: sqlite3.Connection, workflow_id: str) -> bool:
    for statement in sql.DELETE_WORKFLOW:
        connection.execute(statement, {"id": workflow_id})
    return any(connection.execute(statement, {"id": workflow_id}).rowcount for statement in sql.DELETE_ROW)
