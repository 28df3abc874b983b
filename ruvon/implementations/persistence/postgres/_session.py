"""A transaction in the hands of an author's code: their statements and one transition, together or not at all.

Each session has a connection of its own, so other commits do not wait for it. Every statement has a savepoint: one that
fails, or that reaches a table of Ruvon's, changes nothing and leaves the transaction usable. Which tables a statement has
reached is told by the locks that the server keeps for the transaction, through views, functions and triggers alike.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, TypeAlias, final

import asyncpg

from ruvon.implementations.persistence.postgres import _statements as sql
from ruvon.implementations.persistence.postgres._apply import Item, Later, Target, apply_batch
from ruvon.implementations.persistence.postgres._driver import (
    DRIVER_ERRORS,
    Connection,
    DatabaseServerError,
    describe,
    is_in_doubt,
)
from ruvon.implementations.persistence.postgres._instances import Ids
from ruvon.implementations.persistence.postgres._placeholders import first_word, numbered
from ruvon.providers.persistence import PersistenceError, StatementError, Transition

__all__ = ["OWN_TABLES", "Session"]

OWN_TABLES: Final = (
    "queue_limits",
    "tasks",
    "workflow_audit_log",
    "workflow_definitions",
    "workflow_documents",
    "workflow_drives",
    "workflow_execution_logs",
    "workflow_executions",
    "workflow_heartbeats",
    "workflow_inbox",
    "workflow_inbox_seen",
    "workflow_metrics",
    "workflow_outbox",
    "workflow_schedules",
    "workflow_snapshots",
    "workers",
)
"""The tables that only Ruvon reads and writes."""

_log = logging.getLogger(__name__)
_Parameters: TypeAlias = "Sequence[object] | Mapping[str, object]"
_ENDED: Final = "the transaction has ended; begin another one"
_STEERS: Final = frozenset(
    [
        "ABORT",
        "BEGIN",
        "CLUSTER",
        "COMMIT",
        "COPY",
        "DEALLOCATE",
        "DISCARD",
        "END",
        "EXECUTE",
        "LISTEN",
        "LOAD",
        "LOCK",
        "PREPARE",
        "REASSIGN",
        "RELEASE",
        "RESET",
        "ROLLBACK",
        "SAVEPOINT",
        "SET",
        "START",
        "UNLISTEN",
        "VACUUM",
    ]
)


@final
class Session:
    """One transaction; belongs to the task that opened it."""

    def __init__(
        self,
        connection: Connection,
        url: str,
        target: Target,
        ids: Ids,
        *,
        check: Callable[[Transition], None],
        was_committed: Callable[[str], Awaitable[bool]],
        committed: Callable[[Transition], None],
    ) -> None:
        self._connection = connection
        self._url = url
        self._target = target
        self._ids = ids
        self._number = ""
        self._check = check
        self._was_committed = was_committed
        self._committed = committed
        self._own: dict[int, str] = {}
        self._transaction = connection.transaction()
        self._open = False

    async def begin(self) -> None:
        """Open the transaction."""
        try:
            await self._transaction.start()
            self._number = str(await self._connection.fetchval(sql.TRANSACTION_ID))
            found = await self._connection.fetch(sql.OWN_OIDS, list(OWN_TABLES))
            self._own = {row["oid"]: row["relname"] for row in found}
        except DRIVER_ERRORS as exc:
            raise DatabaseServerError(self._url, describe(exc)) from exc
        self._open = True

    async def execute(self, sql: str, parameters: _Parameters = (), /) -> list[tuple[Any, ...]]:
        """Run one statement on the author's own tables, and give its rows."""
        if not self._open:
            raise StatementError(sql, _ENDED)
        if first_word(sql) in _STEERS:
            raise StatementError(
                sql, "`transact` itself begins and ends the transaction, and settings are the provider's"
            )
        try:
            text, values = numbered(sql, parameters)
        except LookupError as exc:
            raise StatementError(sql, str(exc)) from None
        try:
            async with self._connection.transaction():
                found = await self._connection.fetch(text, *values)
                await self._refuse_own(sql)
        except DRIVER_ERRORS as exc:
            if is_in_doubt(exc):
                self._open = False
                raise DatabaseServerError(self._url, describe(exc)) from exc
            raise StatementError(sql, str(exc)) from exc
        return [tuple(row) for row in found]

    async def commit(self, transition: Transition, /) -> None:
        """Write the transition and everything executed before; on return it is durable."""
        if not self._open:
            raise PersistenceError(_ENDED)
        self._open = False
        self._check(transition)
        item = Item(transition, asyncio.get_running_loop().create_future())
        said = False
        try:
            (answer,) = await apply_batch(self._connection, [item], self._ids, self._target)
            if answer is not None and not isinstance(answer, Later):
                raise answer
            said = True
            await self._transaction.commit()
        except DRIVER_ERRORS as exc:
            if not (said and is_in_doubt(exc) and await self._was_committed(self._number)):
                raise DatabaseServerError(self._url, f"nothing was written: {describe(exc)}") from exc
        self._committed(transition)

    async def end(self) -> None:
        """Let the transaction go; what was not committed is rolled back. A second call is harmless."""
        self._open = False
        try:
            if self._connection.is_in_transaction():
                await self._transaction.rollback()
            await self._connection.reset()  # a statement may have changed a setting
        except DRIVER_ERRORS as exc:
            _log.debug("the connection of a transaction was lost: %s", exc)
            self._terminate()

    def abort(self) -> None:
        """End the transaction now, in the middle of whatever it does: the provider is closed."""
        self._open = False
        self._terminate()

    def _terminate(self) -> None:
        with suppress(asyncpg.InterfaceError):  # the pool has noticed already that it is lost
            self._connection.terminate()

    async def _refuse_own(self, statement: str) -> None:
        reached = await self._connection.fetchval(sql.REACHED, list(self._own))
        if reached is not None:
            name = self._own[reached]
            raise StatementError(statement, f"it reaches {name}, a table of Ruvon's own; use tables of yours")
