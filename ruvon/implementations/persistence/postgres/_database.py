"""One open database: its pool, its two lasting connections, and what is done when one of them is lost.

Statements of one call run on connections of the pool. The writer has a connection of its own for the group commits, and
the holds have one whose session locks they are. A read that loses its connection is repeated, with growing pauses, for
`reconnect_timeout_s`. A transaction is repeated only when it is certain that the first one was not committed.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar, cast
from weakref import WeakSet

import asyncpg

from ruvon.implementations.persistence.postgres import _statements as sql
from ruvon.implementations.persistence.postgres._driver import (
    CLAIM_SETTINGS,
    DRIVER_ERRORS,
    OLDEST_SERVER,
    WRITER_SETTINGS,
    Connection,
    DatabaseServerError,
    PoolSettings,
    connect,
    database_url,
    describe,
    is_in_doubt,
    is_transient,
    options,
)
from ruvon.implementations.persistence.postgres._duty import PostgresDuty
from ruvon.implementations.persistence.postgres._holds import Holds
from ruvon.implementations.persistence.postgres._reads import InstanceReads
from ruvon.implementations.persistence.postgres._schema import prepare
from ruvon.implementations.persistence.postgres._session import Session
from ruvon.implementations.persistence.postgres._writer import Writer
from ruvon.providers._clock import Clock, SystemClock
from ruvon.providers.persistence import PersistenceError

__all__ = ["Database"]

T = TypeVar("T")

_RECONNECT_TIMEOUT_S: Final = 30.0


class Database:
    """What the parts of the provider share."""

    def __init__(
        self,
        db_url: str | None = None,
        *,
        schema: str | None = None,
        pool: PoolSettings | None = None,
        clock: Clock | None = None,
        migrate: bool = True,
        reconnect_timeout_s: float = _RECONNECT_TIMEOUT_S,
    ) -> None:
        self.db_url = database_url(db_url)
        self.schema = schema
        self.pool_settings = pool or PoolSettings.from_environment()
        self._clock: Clock = clock or SystemClock()
        self._migrate = migrate
        self._patience_s = reconnect_timeout_s
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._writer: Writer | None = None
        self._holds: Holds | None = None
        self._reads: InstanceReads | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._claimer: Connection | None = None
        self._claiming = asyncio.Lock()
        self._sessions: set[Session] = set()
        self._duties: WeakSet[PostgresDuty] = WeakSet()
        self._inbox_salt = 0
        self._channel = ""
        self._limited: frozenset[str] = frozenset()
        """The queues that have limits, as they were read last."""
        self._limited_until_s = 0.0
        self._limit_changes = 0
        self._looked: dict[tuple[str, ...], tuple[int, int | None]] = {}
        """By queues, under limits: when the last claim found no more, and when a rate opens one of them again."""

    async def initialize(self) -> None:
        """Open the connections and bring the schema up to date; a second call is harmless.

        Raises:
            DatabaseServerError: the database cannot be used; the sentence says what to do.
        """
        loop = asyncio.get_running_loop()
        if self._pool is not None and self._loop is loop:
            return
        await prepare(self.db_url, self.schema, migrate=self._migrate)
        found = await self._identity()
        self._inbox_salt, self._channel = int(found["inboxes"]), f"ruvon_inbox_{found['inboxes']:x}"
        holds = Holds(self._connect_again, int(found["holds"]), self._channel)
        holds.limits_changed = self._limits_changed
        writer = Writer(self.db_url, self._connect_writer, self._inbox_salt, self._channel)
        settings = self.pool_settings
        try:
            await holds.open()
            self._pool = await asyncpg.create_pool(
                self.db_url,
                min_size=settings.min_size,
                max_size=settings.max_size,
                max_queries=settings.max_queries,
                max_inactive_connection_lifetime=settings.max_inactive_lifetime_s,
                reset=_leave_as_it_is,
                **options(self.schema, settings.command_timeout_s),
            )
        except DRIVER_ERRORS as exc:
            await holds.close()
            raise DatabaseServerError(self.db_url, describe(exc)) from exc
        self._holds, self._writer, self._loop = holds, writer, loop
        self._reads = InstanceReads(self._all)

    async def close(self) -> None:
        """Write what waits and release every connection; a second call is harmless."""
        pool, writer, holds, claimer = self._pool, self._writer, self._holds, self._claimer
        elsewhere = self._is_elsewhere()
        self._pool = self._writer = self._holds = self._reads = self._loop = self._claimer = None
        if elsewhere:  # the loop that could close them properly is over; the server notices that they are gone
            return
        if writer is not None:
            await writer.close()
        if holds is not None:
            await holds.close()
        if claimer is not None:
            claimer.terminate()
        for session in list(self._sessions):
            session.abort()
        for duty in list(self._duties):
            await duty.release()
        if pool is not None:
            await pool.close()

    def _limits_changed(self) -> None:
        """What is known of the limits of queues is to be read again."""
        self._limit_changes += 1
        self._limited_until_s = 0.0

    async def _identity(self) -> asyncpg.Record:
        connection = await self._connect_again()
        try:
            found = await connection.fetchrow(sql.IDENTITY)
        finally:
            await connection.close()
        assert found is not None  # noqa: S101  # it selects from nothing
        if found["schema"] is None:
            raise DatabaseServerError(self.db_url, f"there is no schema {self.schema or 'public'}; create it")
        if found["version"] < OLDEST_SERVER:
            raise DatabaseServerError(
                self.db_url, f"the server has version {found['version']}; {OLDEST_SERVER} or later is needed"
            )
        return found

    async def _connect_writer(self) -> Connection:
        return await self._connect_again(WRITER_SETTINGS)

    async def _connect_again(self, beside: Mapping[str, str] | None = None) -> Connection:
        """A new connection; a server that is not there is waited for, up to `reconnect_timeout_s`."""
        schema, timeout_s = self.schema, self.pool_settings.command_timeout_s
        for pause_s in self._pauses():
            try:
                return await connect(self.db_url, schema=schema, timeout_s=timeout_s, beside=beside)
            except DatabaseServerError as exc:
                if exc.__cause__ is None or not is_in_doubt(exc.__cause__):
                    raise
            await asyncio.sleep(pause_s)
        return await connect(self.db_url, schema=schema, timeout_s=timeout_s, beside=beside)

    def _pauses(self) -> Iterator[float]:
        """Growing pauses in seconds, until patience ends."""
        loop = asyncio.get_running_loop()
        end, pause_s = loop.time() + self._patience_s, 0.02
        while loop.time() < end:
            yield min(pause_s, max(0.0, end - loop.time()))
            pause_s = min(pause_s * 2, 2.0)

    # --- statements ---------------------------------------------------------------------------------------------------

    async def _all(self, statement: str, *values: object) -> list[asyncpg.Record]:
        """Run one statement that may be repeated."""
        for pause_s in self._pauses():
            try:
                return await self._open_pool().fetch(statement, *values)
            except DRIVER_ERRORS as exc:
                if not (is_transient(exc) or (is_in_doubt(exc) and not isinstance(exc, TimeoutError))):
                    raise DatabaseServerError(self.db_url, describe(exc)) from exc
            await asyncio.sleep(pause_s)
        raise DatabaseServerError(self.db_url, "the connection was lost again and again; check the server")

    async def _claim(self, statement: str, *values: object) -> list[asyncpg.Record]:
        """Run a claim, on a connection that is there for claims; one whose answer is lost may be made again."""
        self._open_holds()  # or it is not open
        for pause_s in self._pauses():
            try:
                async with self._claiming:
                    if self._claimer is None or self._claimer.is_closed():
                        self._claimer = await self._connect_again(CLAIM_SETTINGS)
                    return await self._claimer.fetch(statement, *values)
            except DRIVER_ERRORS as exc:
                if not (is_transient(exc) or (is_in_doubt(exc) and not isinstance(exc, TimeoutError))):
                    raise DatabaseServerError(self.db_url, describe(exc)) from exc
            await asyncio.sleep(pause_s)
        raise DatabaseServerError(self.db_url, "the connection was lost again and again; check the server")

    async def _one(self, statement: str, *values: object) -> asyncpg.Record | None:
        found = await self._all(statement, *values)
        return found[0] if found else None

    async def _transaction(
        self, work: Callable[[Connection], Awaitable[T]], *, doubted: Callable[[], None] | None = None
    ) -> T:
        """Run `work` in a transaction, again while it is certain that it was not committed and the moment was bad.

        Args:
            work: what is done in it.
            doubted: `work` may be done twice, so it is done again also where nobody knows whether it was committed; this
                is called then. Without it, that is an error.
        """
        for pause_s in self._pauses():
            since = self._open_holds().generation
            async with self._connection() as connection:
                attempt = Attempt(connection)
                try:
                    return await attempt.run(work)
                except DRIVER_ERRORS as exc:
                    error = exc
            if attempt.may_be_done and is_in_doubt(error):
                fate = await self._fate(attempt.number, since)
                if fate:
                    return attempt.value  # type: ignore[no-any-return]
                if fate is None and doubted is None:
                    raise self._fate_unknown()
                if fate is None and doubted is not None:
                    doubted()
            if not (is_in_doubt(error) or is_transient(error)):
                raise DatabaseServerError(self.db_url, describe(error)) from error
            await asyncio.sleep(pause_s)
        raise DatabaseServerError(self.db_url, "the connection was lost again and again; check the server")

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[Connection, None]:
        """A connection of the pool; waited for while the server is away."""
        pool, connection = self._open_pool(), None
        for pause_s in self._pauses():
            try:
                connection = await pool.acquire()
                break
            except DRIVER_ERRORS as exc:
                if not is_in_doubt(exc):
                    raise DatabaseServerError(self.db_url, describe(exc)) from exc
            await asyncio.sleep(pause_s)
        if connection is None:
            raise DatabaseServerError(self.db_url, "the server could not be reached in time; check it")
        try:
            yield cast("Connection", connection)
        finally:
            await pool.release(connection)

    async def _was_committed(self, number: str, *, since: int) -> bool:
        """The fate of a transaction whose commit got no answer.

        Raises:
            DatabaseServerError: nobody knows it.
        """
        fate = await self._fate(number, since)
        if fate is None:
            raise self._fate_unknown()
        return fate

    async def _fate(self, number: str, since: int) -> bool | None:
        """Whether a transaction was committed; None where nobody knows.

        A server that crashes before anything of a transaction is on its disk gives the number of that transaction to a
        later one. So "committed" is said of ours only where the server has not crashed since; every other answer means
        that ours was not, because a number that was committed is never used again.

        Args:
            number: the server's number of the transaction.
            since: the generation of the connection of the holds when it had not begun.
        """
        for pause_s in self._pauses():
            try:
                row = await self._one(sql.TRANSACTION_STATUS, number)
            except DatabaseServerError as exc:
                if isinstance(exc.__cause__, asyncpg.InvalidParameterValueError):  # nobody has had that number since
                    return False
                raise
            if row is not None and row[0] is None:  # so long ago that the server has forgotten it
                return None
            if row is not None and row[0] != "in progress":
                committed = row[0] == "committed"
                return None if committed and not await self._open_holds().has_lasted(since) else committed
            await asyncio.sleep(pause_s)
        return None

    def _fate_unknown(self) -> DatabaseServerError:
        return DatabaseServerError(self.db_url, "a commit got no answer, and it is not known whether it was written")

    # --- what must be open --------------------------------------------------------------------------------------------

    def _open_pool(self) -> "asyncpg.Pool[asyncpg.Record]":
        if self._pool is None or self._is_elsewhere():
            raise self._not_open()
        return self._pool

    def _open_writer(self) -> Writer:
        if self._writer is None or self._is_elsewhere():
            raise self._not_open()
        return self._writer

    def _open_holds(self) -> Holds:
        if self._holds is None or self._is_elsewhere():
            raise self._not_open()
        return self._holds

    def _open_reads(self) -> InstanceReads:
        if self._reads is None or self._is_elsewhere():
            raise self._not_open()
        return self._reads

    def _is_elsewhere(self) -> bool:
        """Its connections belong to another event loop, which may be over."""
        return self._loop is not asyncio.get_running_loop()

    def _not_open(self) -> PersistenceError:
        if self._pool is not None:
            return DatabaseServerError(
                self.db_url,
                "the provider was opened in another event loop; close it there, and call `await provider.initialize()` here",
            )
        return DatabaseServerError(self.db_url, "the provider is not open; call `await provider.initialize()` first")


class Attempt:
    """One try of a transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.number = ""
        self.value: Any = None
        self.may_be_done = False
        """Everything was said but the answer to COMMIT."""

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Begin, do the work, commit."""
        async with self._connection.transaction():
            self.number = str(await self._connection.fetchval(sql.TRANSACTION_ID))
            value = self.value = await work(self._connection)
            self.may_be_done = True
        return value


async def _leave_as_it_is(_connection: object) -> None:
    """Between two uses nothing of a connection is reset: only statements of ours, which change no setting, ran on it."""
