"""What the rows of instances are, so that a batch need not read what the batch before it has written.

A row is read when its first transition comes. What is known stays true as long as nobody else commits, which SQLite's own
counter tells inside the transaction, and as long as everything on this connection goes through `apply_batch`; whoever
writes otherwise, or rolls back, calls `forget`.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, final

import orjson

from ruvon.implementations.persistence.sqlite import _statements as sql

__all__ = ["Head", "Heads", "Ids"]

_MOST: Final = 10_000
"""So many rows are kept in mind; with more of them everything is read anew."""


class Ids:
    """The ids of log entries and snapshots: both are chained, so ids are known before they are written.

    Few transactions write a snapshot, so the first one to do so asks for its id.
    """

    __slots__ = ("_connection", "_snapshot", "log")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.log: int = connection.execute(sql.LAST_LOG_ID).fetchone()[0]
        self._connection = connection
        self._snapshot: int | None = None

    def next_snapshot(self) -> int:
        """The id of the next snapshot."""
        if self._snapshot is None:
            self._snapshot = int(self._connection.execute(sql.LAST_SNAPSHOT_ID).fetchone()[0])
        self._snapshot += 1
        return self._snapshot


@final
@dataclass(slots=True)
class Head:
    """What a row is, as the transitions so far leave it."""

    revision: int
    log_head: int | None
    snapshot_head: int | None
    status: str
    due_us: int | None
    saga_enabled: bool
    is_plain: bool
    """It waits for nothing, and has neither result nor error."""


@final
class Heads:
    """The heads of one connection's rows, by key."""

    __slots__ = ("_connection", "_ids", "_version", "known")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._version = -1
        self._ids: Ids | None = None
        self.known: dict[int, Head] = {}

    def read(self, keys: Iterable[int]) -> Ids:
        """Make these rows known, those that exist; inside the transaction. The ids to go on with."""
        version: int = self._connection.execute(sql.DATA_VERSION).fetchone()[0]
        if version != self._version or len(self.known) > _MOST:
            self.forget()
            self._version = version
        missing = [key for key in keys if key not in self.known]
        if missing:
            for row in self._connection.execute(sql.HEADS, (orjson.dumps(missing).decode(),)):
                key, revision, log_head, snapshot_head, status, due_us, saga_enabled, is_plain = row
                head = Head(revision, log_head, snapshot_head, status, due_us, bool(saga_enabled), bool(is_plain))
                self.known[key] = head
        if self._ids is None:
            self._ids = Ids(self._connection)
        return self._ids

    def forget(self) -> None:
        """Read everything anew: somebody else has written, or what was written is not there."""
        self.known.clear()
        self._ids = None
