"""A connection that writes batches of transitions, and finds out what became of a batch whose answer was lost.

A caller is released only when its own transition is durable. A batch that fails for whatever reason is repeated one by
one, so that a bad row harms nobody else. When the connection is lost before the answer, nothing is repeated until the
database was asked what of it is there: the row's transition id, the log entries, the created instances.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final

from ruvon.implementations.persistence.postgres import _statements as sql
from ruvon.implementations.persistence.postgres._apply import Item, Later, Target, apply_batch, parts
from ruvon.implementations.persistence.postgres._driver import (
    DRIVER_ERRORS,
    Connection,
    DatabaseServerError,
    describe,
    is_in_doubt,
    is_transient,
)
from ruvon.implementations.persistence.postgres._instances import Ids
from ruvon.providers.persistence import PersistenceError, StaleWorkflowError

if TYPE_CHECKING:
    import asyncpg

__all__ = ["Lane", "refuse"]

_TRIES: Final = 8
_ERRORS: Final = (*DRIVER_ERRORS, ValueError, TypeError)


class Lane:
    """One connection of a writer; it is opened when it is needed."""

    def __init__(
        self, url: str, connect: Callable[[], Awaitable[Connection]], target: Target, stored: set[bytes]
    ) -> None:
        self._url = url
        self._connect = connect
        self._target = target
        self._ids = Ids(stored)
        self._connection: Connection | None = None

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            try:
                await connection.close(timeout=5)
            except DRIVER_ERRORS:
                connection.terminate()

    async def settle(self, batch: Sequence[Item]) -> None:
        """Give every transition of the batch its answer."""
        for _ in range(_TRIES):
            waiting = [item for item in batch if not item.settled]
            if not waiting:
                return
            try:
                await self._try(waiting)
            except _ERRORS as exc:
                error: BaseException = exc
            except PersistenceError as exc:
                refuse(waiting, exc)
                return
            else:
                continue
            if is_in_doubt(error):
                await self._after_loss(waiting)
            elif len(waiting) > 1:
                for item in waiting:
                    await self.settle([item])
            elif not is_transient(error):
                refuse(waiting, self._refusal(error))
        refuse(batch, DatabaseServerError(self._url, "the connection was lost again and again; check the server"))

    async def _try(self, batch: Sequence[Item]) -> None:
        connection = await self._open()
        later: list[Item] = []
        for part in parts(batch, self._ids):
            answers = await apply_batch(connection, part, self._ids, self._target)
            for item, answer in zip(part, answers, strict=True):
                if isinstance(answer, Later):
                    later.append(item)
                elif (
                    isinstance(answer, StaleWorkflowError) and item.in_doubt and await self._is_there(connection, item)
                ):
                    _release(item, None)
                else:
                    _release(item, answer)
        for item in later:
            await self.settle([item])

    async def _after_loss(self, batch: Sequence[Item]) -> None:
        """Ask a new connection what of the batch was written before the old one was lost."""
        for item in batch:
            item.in_doubt = True
        self._drop()
        for _ in range(_TRIES):
            connection = await self._open()
            try:
                for item in batch:
                    if await self._is_there(connection, item):
                        _release(item, None)
            except _ERRORS as exc:
                if not is_in_doubt(exc):
                    raise
                self._drop()
            else:
                return

    @staticmethod
    async def _is_there(connection: Connection, item: Item) -> bool:
        """Whether the database has what the transition writes."""
        made = item.transition
        if item.creates and not made.created:
            return False  # it only changes the queue, and may be written twice
        if item.creates:
            rows = await connection.fetch(sql.SETTLED_NEW, [str(new.workflow_id) for new in made.created])
            found = {row["id"]: row for row in rows}
            for new in made.created:
                row = found.get(str(new.workflow_id))
                if row is None or _origin(row) != (new.digest, new.created_us, new.idempotency_key):
                    return False
                new.key = row["key"]
            return True
        if item.log_ids and await connection.fetch(sql.SETTLED_LOGS, item.log_ids[-1:]):
            return True
        return any(
            row["transition_id"] == made.transition_id for row in await connection.fetch(sql.SETTLED_ROWS, [made.key])
        )

    async def _open(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._drop()
            self._connection = await self._connect()
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    def _refusal(self, error: BaseException) -> PersistenceError:
        made = DatabaseServerError(self._url, describe(error))
        made.__cause__ = error
        return made


def _origin(row: "asyncpg.Record") -> tuple[object, ...]:
    return row["digest"], row["created_us"], row["idempotency_key"]


def _release(item: Item, answer: PersistenceError | None) -> None:
    if item.settled:
        return
    item.settled = True
    if item.waiter.done():  # its caller was cancelled
        return
    if answer is None:
        item.waiter.set_result(None)
    else:
        item.waiter.set_exception(answer)


def refuse(batch: Sequence[Item], error: PersistenceError) -> None:
    """Tell everybody of the batch who has no answer yet what went wrong."""
    for item in batch:
        _release(item, error)
