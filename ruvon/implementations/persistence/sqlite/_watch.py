"""Noticing what other processes write: SQLite's own change counter, read while somebody waits for it."""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Final

__all__ = ["Watch"]

_INTERVAL_S: Final = 0.02


class Watch:
    """Calls back when another connection has changed the database; runs only while there are listeners."""

    def __init__(self, connection: sqlite3.Connection, changed: Callable[[], None]) -> None:
        self._connection = connection
        self._changed = changed
        self._timer: asyncio.TimerHandle | None = None
        self._seen = 0

    def run(self, *, listening: bool) -> None:
        """Begin or end watching; repeated calls are harmless."""
        if listening and self._timer is None:
            self._seen = self._version()
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
        version = self._version()
        if version != self._seen:
            self._seen = version
            self._changed()

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])
