"""Group commit: whatever waits when the writer becomes free shares one transaction and one flush.

A caller is released only when its own transition is durable. There is no lingering: a lone transition is written at
once. Where flushes are short (memory, `synchronous=NORMAL` or `OFF`) and nobody else writes, a lone transition is
committed on the calling thread, which saves two thread hops; otherwise one writer thread takes the whole queue as one
call, so that statements never fight over the interpreter one by one.
"""

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from typing import Final, TypeAlias

from ruvon.implementations.persistence.sqlite._apply import Answer, apply_batch
from ruvon.implementations.persistence.sqlite._connection import UNKEPT, DatabaseFileError, describe, unkept
from ruvon.implementations.persistence.sqlite._heads import Heads
from ruvon.implementations.persistence.sqlite._locks import Locks
from ruvon.implementations.persistence.sqlite._session import Session
from ruvon.providers.persistence import PersistenceError, Transition

__all__ = ["Writer"]

_LARGEST_BATCH: Final = 512
Work: TypeAlias = Callable[[sqlite3.Connection], object]
_Waiter: TypeAlias = "tuple[Transition | Work, asyncio.AbstractEventLoop, asyncio.Future[object]]"


class Writer:
    """The only writer of one database in this provider."""

    def __init__(self, connection: sqlite3.Connection, path: str, locks: Locks, *, inline: bool) -> None:
        self._connection = connection
        self._heads = Heads(connection)
        self._path = path
        self._locks = locks
        self._inline = inline
        self._turn = threading.Lock()
        self._queue: deque[_Waiter] = deque()
        self._mutex = threading.Lock()
        self._wake = threading.Condition(self._mutex)
        self._sleeps = False
        """The thread waits to be woken."""
        self._closing = False
        self._session: Session | None = None
        self._thread: threading.Thread | None = None

    async def commit(self, transition: Transition) -> None:
        """Write one transition; on return it is durable.

        Raises:
            PersistenceError: its guard failed, or the store did; nothing of it was written.
        """
        if self._inline and self._turn.acquire(blocking=False):
            try:
                answer: object = self._write([transition])[0]
            finally:
                self._turn.release()
        else:
            answer = await self._enqueue(transition)
        if isinstance(answer, PersistenceError):
            raise answer

    async def run(self, work: Work) -> object:
        """Run `work` in a transaction of its own, in turn with the commits; its value is returned, its errors raised."""
        if self._inline and self._turn.acquire(blocking=False):
            try:
                answer = self._alone(work)
            finally:
                self._turn.release()
        else:
            answer = await self._enqueue(work)
        if isinstance(answer, PersistenceError):
            raise answer
        return answer

    def enter(self, session: Session) -> "asyncio.Future[object]":
        """Give an author's session its turn behind what waits already; the future ends with its transaction."""
        return self._enqueue(session)

    def close(self) -> None:
        """Write what waits, then stop; a session that is open is rolled back."""
        with self._wake:
            self._closing = True
            for session in (self._session, *(item for item, _, _ in self._queue)):
                if isinstance(session, Session):
                    session.end()
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()

    def _enqueue(self, item: Transition | Work) -> "asyncio.Future[object]":
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[object] = loop.create_future()
        with self._mutex:
            if self._closing:
                raise DatabaseFileError(self._path, "the provider is closed; open a new one")
            if self._session is not None and self._session.task is asyncio.current_task(loop):
                raise PersistenceError(
                    "a task inside `transact()` writes through that transaction only, or waits forever"
                )
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="ruvon-sqlite-writer", daemon=True)
                self._thread.start()
            self._queue.append((item, loop, waiter))
            if self._sleeps:
                self._sleeps = False
                self._wake.notify()
        return waiter

    def _work(self) -> None:
        while True:
            with self._wake:
                while not self._queue and not self._closing:
                    self._sleeps = True
                    self._wake.wait()
                if not self._queue:
                    return
                batch = self._next_batch()
            with self._turn:
                answers = self._guarded([item for item, _, _ in batch])
            self._session = None
            self._release(batch, answers)

    def _next_batch(self) -> list[_Waiter]:
        """What waits, up to the next session: those in front of it must not wait for its end."""
        batch: list[_Waiter] = []
        while self._queue and len(batch) < _LARGEST_BATCH:
            item = self._queue[0][0]
            if isinstance(item, Session):
                if batch:
                    break
                self._session = item
                return [self._queue.popleft()]
            batch.append(self._queue.popleft())
        return batch

    def _guarded(self, items: list[Transition | Work]) -> list[object]:
        """An unforeseen error is the answer of everybody in the batch; the thread and later batches live on."""
        try:
            return self._answers(items)
        except Exception as exc:  # noqa: BLE001  # it is handed to every waiting caller
            error = DatabaseFileError(self._path, f"an unexpected error: {type(exc).__name__}: {exc}")
            return [error] * len(items)

    def _answers(self, items: list[Transition | Work]) -> list[object]:
        """Transitions that stand together share a transaction; other work has its own, in order."""
        answers: list[object] = []
        run: list[Transition] = []
        for item in items:
            if isinstance(item, Transition):
                run.append(item)
                continue
            answers.extend(self._write(run) if run else [])
            run = []
            answers.append(self._alone(item))
        answers.extend(self._write(run) if run else [])
        return answers

    @staticmethod
    def _release(batch: list[_Waiter], answers: list[object]) -> None:
        """One call into each loop per batch."""
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[object], object]]] = {}
        for (_, loop, waiter), answer in zip(batch, answers, strict=True):
            by_loop.setdefault(loop, []).append((waiter, answer))
        for loop, pairs in by_loop.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_settle, pairs)

    def _write(self, batch: list[Transition]) -> list[Answer]:
        """Write a batch; when the batch itself fails, each transition is tried alone."""
        try:
            with self._locks.write_turn():
                return self._transaction(batch)
        except sqlite3.Error as exc:
            if len(batch) == 1:
                return [DatabaseFileError(self._path, describe(exc))]
        except UNKEPT as exc:
            if len(batch) == 1:
                return [unkept(exc)]
        return [self._write([transition])[0] for transition in batch]

    def _transaction(self, batch: list[Transition]) -> list[Answer]:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            answers = apply_batch(connection, batch, self._heads)
            connection.execute("COMMIT")
        except BaseException:
            self._heads.forget()
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return answers

    def _alone(self, work: Work) -> object:
        connection = self._connection
        self._heads.forget()
        try:
            with self._locks.write_turn():
                connection.execute("BEGIN IMMEDIATE")
                try:
                    value = work(connection)
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
                return value
        except sqlite3.Error as exc:
            return DatabaseFileError(self._path, describe(exc))
        except UNKEPT as exc:
            return unkept(exc)
        except PersistenceError as exc:
            return exc


def _settle(pairs: "list[tuple[asyncio.Future[object], object]]") -> None:
    for waiter, answer in pairs:
        if not waiter.done():
            waiter.set_result(answer)
