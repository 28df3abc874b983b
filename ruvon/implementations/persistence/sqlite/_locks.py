"""Holding an instance: one byte of a lock file, which the operating system frees when its process dies.

The lock belongs to an open file description, so that two providers in one process exclude each other as two processes
do. Inside one provider a dictionary answers first. Where the platform has no such locks, and for databases in memory,
the dictionary alone decides, which covers one process.

The same byte says whether the instance is being driven. It is written without a flush, so it costs no disk access; a
process that is killed leaves it set, and the next holder sees that the one before it died.
"""

import errno
import os
import secrets
import struct
import zlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from ruvon.implementations.persistence.sqlite._connection import DatabaseFileError
from ruvon.providers.persistence import WorkflowBusyError

try:
    import fcntl
except ImportError:  # not a POSIX system: the in-process dictionary is all there is
    fcntl = None  # type: ignore[assignment]

__all__ = ["DutyLock", "InstanceHold", "Locks"]

_FLOCK: Final = "hhqqi4x"
_WRITER: Final = 2**62
"""The byte that a writer holds; instance keys never come near it."""
_DUTIES: Final = _WRITER + 1
"""The first of the bytes that stand for duties."""
_FREE: Final = b"\0"
_DRIVEN: Final = b"\1"


def _opened(path: str) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
    except OSError as exc:
        reason = f"its lock file {path} cannot be written; check the rights of both files and of their folder"
        raise DatabaseFileError(path.removesuffix(".lock"), f"{reason} ({exc.strerror})") from exc


class InstanceHold:
    """The right to drive one instance."""

    def __init__(self, locks: "Locks", workflow_id: UUID, key: int) -> None:
        self._locks = locks
        self._workflow_id = workflow_id
        self.key = key
        self._token = secrets.token_bytes(8)
        self._died = locks.is_marked(key)
        self.drives = False
        """The byte of the instance says that it is being driven."""
        self.notify: Callable[[], None] | None = None

    @property
    def token(self) -> bytes:
        """Unique to this hold."""
        return self._token

    @property
    def died(self) -> bool:
        """Whether the process that drove it last was killed."""
        return self._died

    def driving(self) -> None:
        """A death before `release` is one that the next hold tells of."""
        self._locks.mark(self.key, driven=True)
        self.drives = True

    def listen(self, notify: Callable[[], None] | None, /) -> None:
        """Call `notify` when an entry was appended to the inbox; None stops that."""
        self.notify = notify
        self._locks.listeners_changed()

    async def release(self) -> None:
        """Give the instance free; a second call is harmless."""
        self.notify = None
        self._locks.release(self._workflow_id, self.key, self)


class DutyLock:
    """A duty of this process."""

    def __init__(self, locks: "Locks", place: int) -> None:
        self._locks = locks
        self._place = place

    async def release(self) -> None:
        """Leave it to others; a second call is harmless."""
        self._locks.leave_duty(self._place, self)


class Locks:
    """All holds of one provider.

    Raises:
        DatabaseFileError: the lock file cannot be written.
    """

    def __init__(self, path: str | None, on_listeners: Callable[[bool], None]) -> None:
        self._holds: dict[UUID, InstanceHold] = {}
        self._duties: dict[int, DutyLock] = {}
        self._on_listeners = on_listeners
        self._file: int | None = None
        if path is not None and hasattr(fcntl, "F_OFD_SETLK"):
            self._file = _opened(path)

    def hold(self, workflow_id: UUID, key: int) -> InstanceHold:
        """Take the instance, at once or not at all.

        Raises:
            WorkflowBusyError: somebody else has it.
        """
        if workflow_id in self._holds or not self._set(key, lock=True):
            raise WorkflowBusyError(workflow_id)
        taken = InstanceHold(self, workflow_id, key)
        self._holds[workflow_id] = taken
        return taken

    def is_held(self, workflow_id: UUID, key: int) -> bool:
        """Whether anybody has the instance; only looks, so nobody who wants to take it is in its way."""
        if workflow_id in self._holds:
            return True
        if self._file is None or fcntl is None:
            return False
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, key, 1, 0)
        answer = fcntl.fcntl(self._file, fcntl.F_OFD_GETLK, asked)
        return bool(struct.unpack(_FLOCK, answer)[0] != fcntl.F_UNLCK)

    def release(self, workflow_id: UUID, key: int, taken: InstanceHold) -> None:
        """Give it free if `taken` still has it."""
        if self._holds.get(workflow_id) is taken:
            del self._holds[workflow_id]
            if taken.drives:
                self.mark(key, driven=False)
            self._set(key, lock=False)
            self.listeners_changed()

    def take_duty(self, name: str) -> DutyLock | None:
        """Take a duty, at once or not at all."""
        place = _DUTIES + zlib.crc32(name.encode())
        if place in self._duties or not self._set(place, lock=True):
            return None
        taken = self._duties[place] = DutyLock(self, place)
        return taken

    def leave_duty(self, place: int, taken: DutyLock) -> None:
        """Give a duty free if `taken` still is it."""
        if self._duties.get(place) is taken:
            del self._duties[place]
            self._set(place, lock=False)

    def wake(self, workflow_id: UUID) -> None:
        """Tell the holder of this process that its inbox has grown."""
        taken = self._holds.get(workflow_id)
        if taken is not None and taken.notify is not None:
            taken.notify()

    def listeners_changed(self) -> None:
        """Say whether anybody listens, so that the watch on other processes runs only then."""
        self._on_listeners(any(taken.notify is not None for taken in self._holds.values()))

    def close(self) -> None:
        """Free everything."""
        for taken in self._holds.values():
            if taken.drives:
                self.mark(taken.key, driven=False)
        self._holds.clear()
        self._duties.clear()
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def is_marked(self, key: int) -> bool:
        """Whether the byte of an instance says that it is being driven."""
        return self._file is not None and os.pread(self._file, 1, key) == _DRIVEN

    def mark(self, key: int, *, driven: bool) -> None:
        """Say whether an instance is being driven."""
        if self._file is not None:
            os.pwrite(self._file, _DRIVEN if driven else _FREE, key)

    @contextmanager
    def write_turn(self) -> Generator[None]:
        """Write alone: SQLite 3.7.0 to 3.51.2 can lose pages when one process checkpoints while another one writes.

        A commit checkpoints by itself now and then, so every write transaction takes this turn, on every version: it
        costs two system calls a batch.
        """
        if self._file is None or fcntl is None:
            yield
            return
        fcntl.fcntl(self._file, fcntl.F_OFD_SETLKW, struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, _WRITER, 1, 0))
        try:
            yield
        finally:
            fcntl.fcntl(self._file, fcntl.F_OFD_SETLK, struct.pack(_FLOCK, fcntl.F_UNLCK, os.SEEK_SET, _WRITER, 1, 0))

    def _set(self, key: int, *, lock: bool) -> bool:
        if self._file is None or fcntl is None:
            return True
        kind = fcntl.F_WRLCK if lock else fcntl.F_UNLCK
        try:
            fcntl.fcntl(self._file, fcntl.F_OFD_SETLK, struct.pack(_FLOCK, kind, os.SEEK_SET, key, 1, 0))
        except OSError as exc:
            if exc.errno in {errno.EAGAIN, errno.EACCES}:
                return False
            raise
        return True
