"""Noticing what other processes send: SQLite's own change counter, read while somebody listens, then the new messages.

The counter moves with every commit of this process too, so one query asks who got a message since the last look; the
holders that got none are not disturbed. Numbers of messages only grow, and one writer at a time gives them, so
whatever is above the last one seen is new.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Final
from uuid import UUID

from ruvon.implementations.persistence.sqlite import _statements as sql

__all__ = ["Watch"]

_INTERVAL_S: Final = 0.02


class Watch:
    """Calls back for each workflow whose inbox has grown; runs only while there are listeners."""

    def __init__(self, connection: sqlite3.Connection, grown: Callable[[UUID], None]) -> None:
        self._connection = connection
        self._grown = grown
        self._timer: asyncio.TimerHandle | None = None
        self._version = 0
        self._newest = 0

    def run(self, *, listening: bool) -> None:
        """Begin or end watching; repeated calls are harmless."""
        if listening and self._timer is None:
            self._version = self._read_version()
            self._newest = self._connection.execute(sql.NEWEST_INBOX).fetchone()[0]
            self._arm()
        elif not listening:
            self.stop()

    def stop(self) -> None:
        """End watching."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_INTERVAL_S, self._look)

    def _look(self) -> None:
        self._arm()
        version = self._read_version()
        if version != self._version:
            self._version = version
            for workflow_id, newest in self._connection.execute(sql.GROWN_INBOXES, (self._newest,)).fetchall():
                self._newest = max(self._newest, newest)
                self._grown(UUID(workflow_id))

    def _read_version(self) -> int:
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])
