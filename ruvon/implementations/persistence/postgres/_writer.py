"""Group commit: whatever waits when the writer becomes free shares one transaction, one round trip where it can.

A caller is released only when its own transition is durable. A batch that fails for whatever reason is repeated one by
one, so that a bad row harms nobody else. When the connection is lost before the answer, nothing is repeated until the
database was asked what of it is there: the row's transition id, the log entries, the created instances.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from uuid import UUID

import asyncpg

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
from ruvon.providers.persistence import PersistenceError, StaleWorkflowError, Transition

__all__ = ["Writer"]

_LARGEST_BATCH: Final = 512
_TRIES: Final = 8
_ERRORS: Final = (*DRIVER_ERRORS, ValueError, TypeError)


class Writer:
    """The group commits of one provider, on a connection of their own."""

    def __init__(self, url: str, connect: Callable[[], Awaitable[Connection]], inbox_salt: int, channel: str) -> None:
        self.target = Target(inbox_salt, channel)
        self.ids = Ids()
        self._url = url
        self._connect = connect
        self._connection: Connection | None = None
        self._queue: list[Item] = []
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    async def commit(self, transition: Transition) -> None:
        """Write one transition; on return it is durable.

        Raises:
            PersistenceError: its guard failed, or the store did.
        """
        if self._closing:
            raise DatabaseServerError(self._url, "the provider is closed; open a new one")
        item = Item(transition, asyncio.get_running_loop().create_future())
        self._queue.append(item)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work(), name="ruvon-postgres-writer")
        await item.waiter

    async def close(self) -> None:
        """Write what waits, then stop."""
        self._closing = True
        if self._task is not None:
            await self._task
        if self._connection is not None:
            connection, self._connection = self._connection, None
            try:
                await connection.close(timeout=5)
            except DRIVER_ERRORS:
                connection.terminate()

    async def _work(self) -> None:
        while self._queue:
            batch = self._next_batch()
            try:
                await self._settle(batch)
            except Exception as exc:  # noqa: BLE001  # it is handed to every waiting caller; later batches live on
                self._answer(batch, DatabaseServerError(self._url, f"unexpectedly: {type(exc).__name__}: {exc}"))
            except asyncio.CancelledError:  # the loop ends
                self._answer([*batch, *self._queue], DatabaseServerError(self._url, "the event loop is being closed"))
                raise

    def _next_batch(self) -> list[Item]:
        """What waits; of each instance one, so that its transitions keep their order."""
        batch: list[Item] = []
        rest: list[Item] = []
        taken: set[UUID] = set()
        for item in self._queue:
            made = item.transition
            names = (
                [made.workflow_id, *(new.workflow_id for new in made.created)] if made.created else [made.workflow_id]
            )
            free = len(batch) < _LARGEST_BATCH and taken.isdisjoint(names)
            (batch if free else rest).append(item)
            taken.update(names)
        self._queue = rest
        return batch

    async def _settle(self, batch: Sequence[Item]) -> None:
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
                self._answer(waiting, exc)
                return
            else:
                continue
            if is_in_doubt(error):
                await self._after_loss(waiting)
            elif len(waiting) > 1:
                for item in waiting:
                    await self._settle([item])
            elif not is_transient(error):
                self._answer(waiting, self._refusal(error))
        self._answer(batch, DatabaseServerError(self._url, "the connection was lost again and again; check the server"))

    async def _try(self, batch: Sequence[Item]) -> None:
        connection = await self._open()
        later: list[Item] = []
        for part in parts(batch, self.ids):
            answers = await apply_batch(connection, part, self.ids, self.target)
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
            await self._settle([item])

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

    @staticmethod
    def _answer(batch: Sequence[Item], error: PersistenceError) -> None:
        for item in batch:
            _release(item, error)


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
