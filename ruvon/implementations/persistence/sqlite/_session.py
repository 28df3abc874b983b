"""A transaction in the hands of an author's code: their statements and one transition, together or not at all.

A session is one piece of work of the writer's queue. While its turn lasts the writer's thread does what the session's
task sends it, statement by statement, and everybody else's commits queue behind it. A database in memory has only one
connection, which the loop's own reads use too, so there the statements run on the loop's thread.
"""

import asyncio
import queue
import sqlite3
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol, TypeAlias, TypeVar, final

from ruvon.implementations.persistence.sqlite._apply import apply_batch
from ruvon.implementations.persistence.sqlite._connection import DatabaseFileError, describe
from ruvon.implementations.persistence.sqlite._schema import OWN_TABLES
from ruvon.providers.persistence import PersistenceError, StatementError, Transition

__all__ = ["Session", "open_session"]

T = TypeVar("T")
_Command: TypeAlias = Callable[[sqlite3.Connection], None]
_Parameters: TypeAlias = "Sequence[object] | Mapping[str, object]"

_ENDED: Final = "the transaction has ended; begin another one"
_STEERS: Final = frozenset(
    {
        sqlite3.SQLITE_TRANSACTION,
        sqlite3.SQLITE_SAVEPOINT,
        sqlite3.SQLITE_ATTACH,
        sqlite3.SQLITE_DETACH,
        sqlite3.SQLITE_PRAGMA,
    }
)


class Queue(Protocol):
    """What a session needs of the writer."""

    def enter(self, session: "Session") -> "asyncio.Future[object]":
        """Queue the session; the future ends with its transaction."""
        ...


class _LeftError(PersistenceError):
    """The session was left without a commit."""


@final
class Session:
    """One transaction; belongs to the task that opened it."""

    def __init__(self, path: str, *, here: bool, committed: Callable[[Transition], None]) -> None:
        self.task = asyncio.current_task()
        self.begun: asyncio.Future[sqlite3.Connection] = asyncio.get_running_loop().create_future()
        self._path = path
        self._here = here
        self._committed = committed
        self._loop = asyncio.get_running_loop()
        self._commands: queue.SimpleQueue[_Command | None] = queue.SimpleQueue()
        self._open = True
        self._commits = False
        self._done: asyncio.Future[object] | None = None

    # On the writer's thread

    def __call__(self, connection: sqlite3.Connection) -> None:
        """Do what the session's task sends until it ends; the writer commits when this returns."""
        self._loop.call_soon_threadsafe(self._begin, connection)
        while (command := self._commands.get()) is not None:
            command(connection)
        if not self._commits:
            raise _LeftError

    # On the loop's thread

    async def execute(self, sql: str, parameters: _Parameters = (), /) -> list[tuple[Any, ...]]:
        """Run one statement on the author's own tables, and give its rows."""
        if not self._open:
            raise StatementError(sql, _ENDED)
        return await self._do(lambda connection: _execute(connection, sql, parameters))

    async def commit(self, transition: Transition, /) -> None:
        """Write the transition and everything executed before; on return it is durable."""
        if not self._open:
            raise PersistenceError(_ENDED)
        self._open = False
        answer = (await self._do(lambda connection: apply_batch(connection, [transition])))[0]
        if answer is not None:
            raise answer
        self._commits = True
        self._commands.put(None)
        ended = await self._ended()
        if isinstance(ended, PersistenceError):
            raise ended
        self._committed(transition)

    async def enter(self, writer: Queue) -> None:
        """Wait for the write turn."""
        self._done = writer.enter(self)
        either: tuple[asyncio.Future[Any], ...] = (self.begun, self._done)
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not self.begun.done() and isinstance(error := self._done.result(), PersistenceError):
            raise error

    def end(self) -> None:
        """Let the turn go; what was not committed is rolled back. A second call is harmless."""
        self._open = False
        self._commands.put(None)

    async def leave(self) -> None:
        """Let the turn go, and wait until the writer has it."""
        self.end()
        if self._done is not None:
            await self._ended()

    async def _ended(self) -> object:
        assert self._done is not None  # noqa: S101  # entered before
        return await asyncio.shield(self._done)

    def _begin(self, connection: sqlite3.Connection) -> None:
        if not self.begun.done():
            self.begun.set_result(connection)

    async def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` where the transaction is."""
        if self._here:
            return self._checked(self.begun.result(), work)
        answer: asyncio.Future[T] = self._loop.create_future()

        def command(connection: sqlite3.Connection) -> None:
            try:
                value = self._checked(connection, work)
            except Exception as exc:  # noqa: BLE001  # it is handed to the waiting caller
                self._loop.call_soon_threadsafe(_fail, answer, exc)
            else:
                self._loop.call_soon_threadsafe(_settle, answer, value)

        self._commands.put(command)
        return await answer

    def _checked(self, connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
        if not connection.in_transaction:
            raise DatabaseFileError(
                self._path, "an earlier statement has rolled the transaction back; begin another one"
            )
        try:
            return work(connection)
        except sqlite3.Error as exc:
            raise DatabaseFileError(self._path, describe(exc)) from exc


@asynccontextmanager
async def open_session(writer: Queue, session: Session) -> AsyncGenerator[Session, None]:
    """The session's turn; leaving it without a commit rolls everything back."""
    try:
        await session.enter(writer)
        yield session
    finally:
        await session.leave()


def _execute(connection: sqlite3.Connection, sql: str, parameters: _Parameters) -> list[tuple[Any, ...]]:
    """Run a statement of the author's; SQLite itself says which tables it reaches, through views and triggers too."""
    refused: list[str] = []

    def authorize(action: int, first: str | None, second: str | None, _schema: str | None, _by: str | None) -> int:
        own = {name.lower() for name in (first, second if action not in _COLUMN_SECOND else None) if name} & OWN_TABLES
        if action in _STEERS:
            refused.append("`transact` itself begins and ends the transaction, and settings are the provider's")
        elif own:
            refused.append(f"it reaches {min(own)}, a table of Ruvon's own; use tables of yours")
        return sqlite3.SQLITE_DENY if refused else sqlite3.SQLITE_OK

    connection.set_authorizer(authorize)
    try:
        return [tuple(row) for row in connection.execute(sql, parameters).fetchall()]
    except (sqlite3.Error, sqlite3.Warning) as exc:
        raise StatementError(sql, refused[0] if refused else str(exc)) from exc
    finally:
        connection.set_authorizer(None)


_COLUMN_SECOND: Final = frozenset({sqlite3.SQLITE_READ, sqlite3.SQLITE_UPDATE})
"""Actions whose second name is a column, which may be called anything."""


def _settle(answer: "asyncio.Future[T]", value: T) -> None:
    if not answer.done():
        answer.set_result(value)


def _fail(answer: "asyncio.Future[Any]", error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
