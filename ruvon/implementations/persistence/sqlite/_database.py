"""One open database: its connections, its writer, its locks.

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
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Final, TypeAlias
from uuid import UUID

from ruvon.implementations.persistence.sqlite._connection import (
    DatabaseFileError,
    Durability,
    describe,
    is_memory,
    migrate,
    open_connection,
    refuse_foreign,
)
from ruvon.implementations.persistence.sqlite._locks import Locks
from ruvon.implementations.persistence.sqlite._watch import Watch
from ruvon.implementations.persistence.sqlite._writer import Work, Writer
from ruvon.providers._clock import Clock, SystemClock

__all__ = ["Database"]

_Values: TypeAlias = "Sequence[object] | Mapping[str, object]"

_PATIENCE: Final = 100
"""So many thousand instructions of SQLite's machine are tried before another statement: a few milliseconds."""


class Database:
    """What the parts of the provider share."""

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
        self._scans_end = False
        self._writer: Writer | None = None
        self._locks: Locks | None = None
        self._watch: Watch | None = None
        self._task_listeners: list[Callable[[], None]] = []
        self._task_timer: asyncio.TimerHandle | None = None
        self._task_version = 0
        self._looked: dict[tuple[str, ...], tuple[int, int | None]] = {}
        """By queues, under limits: when the last claim found no more, and when a rate opens one of them again."""

    async def initialize(self) -> None:
        """Open the file and create what is missing; a second call is harmless.

        Raises:
            DatabaseFileError: the file cannot be used; the sentence says what to do.
        """
        if self._writer is not None:
            return
        schema = self._schema or _current_schema()
        refuse_foreign(self.db_path, schema)
        connection = open_connection(self.db_path, self.durability)
        with ExitStack() as undone:
            undone.callback(connection.close)
            locks = Locks(None if self._memory else f"{self.db_path}.lock", self._listeners)
            undone.callback(locks.close)
            with locks.write_turn():
                migrate(connection, self.db_path, schema)
            undone.pop_all()
        self._connection, self._locks, self._scans_end = connection, locks, False
        self._reader = connection if self._memory else open_connection(self.db_path, self.durability)
        self._watch = None if self._memory else Watch(self._reader, self._woken)
        short_flush = self._memory or self.durability != "FULL"
        self._writer = Writer(connection, self.db_path, locks, inline=short_flush)

    async def close(self) -> None:
        """Write what waits and release everything; a second call is harmless."""
        if self._writer is not None:
            await asyncio.to_thread(self._writer.close)
        await asyncio.to_thread(self._end_scans)
        if self._watch is not None:
            self._watch.stop()
        if self._task_timer is not None:
            self._task_timer.cancel()
            self._task_timer = None
        if self._locks is not None:
            with self._locks.write_turn():
                for connection in {self._reader, self._connection}:
                    if connection is not None:
                        connection.close()
            self._locks.close()
        self._connection = self._reader = self._writer = self._locks = self._watch = None

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

    async def _scan(self, statement: str, values: _Values, instead: str | None = None) -> list[sqlite3.Row]:
        """Read what may be long without holding up the loop; by `instead`, when `statement` has not answered soon."""
        self._open_writer()
        try:
            if self._memory:
                return self._reader.execute(statement, values).fetchall()  # type: ignore[union-attr]
            return await asyncio.to_thread(self._scan_here, statement, values, instead)
        except sqlite3.Error as exc:
            raise DatabaseFileError(self.db_path, describe(exc)) from exc

    def _end_scans(self) -> None:
        """Cut short what a thread reads, for whom nobody may wait any more, and close its connection behind it."""
        self._scans_end = True
        scanner = self._scanner
        if scanner is not None:
            scanner.interrupt()
        with self._scanning:
            if self._scanner is not None:
                self._scanner.close()
            self._scanner = None

    def _scan_here(self, statement: str, values: _Values, instead: str | None) -> list[sqlite3.Row]:
        with self._scanning:
            found = _soon(self._open_scanner(), statement, values) if instead is not None else None
            if found is None:
                found = self._open_scanner().execute(instead or statement, values).fetchall()
            return found

    def _open_scanner(self) -> sqlite3.Connection:
        if self._scans_end:
            raise DatabaseFileError(self.db_path, "the provider is closed; call `await provider.initialize()` first")
        if self._scanner is None:
            self._scanner = open_connection(self.db_path, self.durability)
        return self._scanner

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

    def _woken(self, workflow_id: UUID) -> None:
        if self._locks is not None:
            self._locks.wake(workflow_id)


def _soon(connection: sqlite3.Connection, statement: str, values: _Values) -> list[sqlite3.Row] | None:
    """What a statement answers; None when it takes more than a few thousand rows."""
    left = _PATIENCE

    def give_up() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    connection.set_progress_handler(give_up, 1000)
    try:
        found: list[sqlite3.Row] = connection.execute(statement, values).fetchall()
    except sqlite3.OperationalError:
        if left >= 0:  # something else has ended it
            raise
        return None
    finally:
        connection.set_progress_handler(None, 0)
    return found


def _current_schema() -> str:
    """The package's `SQLITE_SCHEMA` as it is now: an application may have added its own tables to it."""
    return str(sys.modules["ruvon.implementations.persistence.sqlite"].SQLITE_SCHEMA)
