"""Stores that outlive a simulated process, and what a death does to what they had under way."""

import random
import shutil
from pathlib import Path
from typing import Final, Literal, Protocol, final

from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.providers import Clock, PersistenceProvider

__all__ = ["MemoryStores", "SQLiteStores", "Stores"]


class Stores(Protocol):
    """Where the store of a simulated world is kept between two lives of the process."""

    async def open(self, clock: Clock, /) -> PersistenceProvider:
        """The store as the next life of the process finds it."""
        ...

    async def lose(self, store: PersistenceProvider, chance: random.Random | None, /) -> None:
        """The process that had the store is dead; with `chance` it died in the middle of its last commit.

        What it held is free, and whoever takes next what it drove finds `Hold.died`.
        """
        ...

    async def discard(self) -> None:
        """Remove everything; the run is over."""
        ...


@final
class MemoryStores:
    """One memory store; what survives is its rows."""

    def __init__(self) -> None:
        self._store: MemoryPersistenceProvider | None = None

    async def open(self, clock: Clock, /) -> PersistenceProvider:
        """The same store again."""
        if self._store is None:
            self._store = MemoryPersistenceProvider(clock)
        return self._store

    async def lose(self, store: PersistenceProvider, chance: random.Random | None, /) -> None:
        """Commits in memory are never half done; holds are dropped."""
        if self._store is not None:
            self._store.drop_holds()

    async def discard(self) -> None:
        """Forget it."""
        self._store = None


@final
class SQLiteStores:
    """A SQLite file; a death leaves what the file and its log hold at that moment, cut off inside a commit where asked.

    Args:
        folder: where the files of the run are made; it should lie in memory or on a fast disk.
        durability: how commits are flushed; a simulated death needs no flush.
    """

    def __init__(self, folder: Path, *, durability: Literal["FULL", "NORMAL", "OFF"] = "OFF") -> None:
        self._folder = folder
        self._durability: Literal["FULL", "NORMAL", "OFF"] = durability
        self._lives = 0
        self._kept_bytes = 0

    @property
    def path(self) -> Path:
        """The file of the present life."""
        return self._folder / f"life-{self._lives}.db"

    async def open(self, clock: Clock, /) -> PersistenceProvider:
        """Open the file."""
        from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider  # noqa: PLC0415 - on demand

        if not self._lives:
            self.path.write_bytes(await _empty_database(self._folder))
        return SQLitePersistenceProvider(self.path, durability=self._durability, clock=clock)

    def note_commit(self) -> None:
        """A commit is about to be written: what the log holds now is safe."""
        log = _log_of(self.path)
        self._kept_bytes = log.stat().st_size if log.exists() else 0

    async def lose(self, store: PersistenceProvider, chance: random.Random | None, /) -> None:
        """Go on with a copy of the files as they are on disk now; the dead process's own are thrown away."""
        before = self.path
        self._lives += 1
        for suffix in ("", ".lock"):  # what the process was driving is marked in the file of the locks
            if (file := _beside(before, suffix)).exists():
                shutil.copyfile(file, _beside(self.path, suffix))
        if _log_of(before).exists():
            shutil.copyfile(_log_of(before), _log_of(self.path))
            if chance is not None:
                self._tear(_log_of(self.path), chance)
        await store.close()
        _remove(before)

    def _tear(self, log: Path, chance: random.Random) -> None:
        size = log.stat().st_size
        if size > self._kept_bytes:
            with log.open("r+b") as file:
                file.truncate(chance.randrange(self._kept_bytes, size))

    async def discard(self) -> None:
        """Remove the files."""
        _remove(self.path)


_EMPTY: Final[dict[str, bytes]] = {}
"""An empty database by its schema: copying one costs a tenth of making one, and the explorer makes thousands."""


async def _empty_database(folder: Path) -> bytes:
    from ruvon.implementations.persistence import sqlite  # noqa: PLC0415 - on demand

    schema = sqlite.SQLITE_SCHEMA
    if schema not in _EMPTY:
        path = folder / "empty.db"
        store = sqlite.SQLitePersistenceProvider(path, durability="OFF", schema=schema)
        await store.initialize()
        await store.close()
        _EMPTY[schema] = path.read_bytes()
        _remove(path)
    return _EMPTY[schema]


def _log_of(path: Path) -> Path:
    return _beside(path, "-wal")


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", ".lock"):
        _beside(path, suffix).unlink(missing_ok=True)
