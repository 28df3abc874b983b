"""Group commit: whatever waits when the writer becomes free is one call of a script, so one round trip and one flush.

A caller is released only when its own operation is as durable as the server makes it. Each batch has a number, and the
server keeps the answers to the newest one under the writer's name: when the connection is lost before the answer, the
same batch is sent again, and what was written before is answered and not written twice.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ruvon.implementations.persistence.redis._driver import (
    DRIVER_ERRORS,
    RedisServerError,
    Wire,
    describe,
    is_in_doubt,
    is_patient,
)
from ruvon.implementations.persistence.redis._pauses import pauses
from ruvon.implementations.persistence.redis._scripts import FAILED, Answer, write_script
from ruvon.providers.persistence import PersistenceError

__all__ = ["Writer"]

_LOG: Final = logging.getLogger(__name__)
_LARGEST_BATCH: Final = 512
_LARGEST_BATCH_BYTES: Final = 4 * 2**20
"""More than one operation only up to this size: the server does nothing else while a script runs."""
_FLUSH_TIMEOUT_MS: Final = 3000


@dataclass(slots=True, eq=False)
class _Item:
    operation: bytes
    answer: "asyncio.Future[Answer | PersistenceError]"


class Writer:
    """The batches of one provider, on a connection of their own.

    Args:
        url: the server, for messages.
        connect: makes a connection.
        base: the prefix of every key.
        patience_s: how long a server that is away is waited for.
        flush: wait for the server's disk after each batch (`WAITAOF`).
    """

    def __init__(
        self, url: str, connect: Callable[[], Awaitable[Wire]], base: str, *, patience_s: float, flush: bool = False
    ) -> None:
        self.batches = 0
        """How many batches were sent."""
        self._url = url
        self._connect = connect
        self._base = base
        self._patience_s = patience_s
        self._flush = flush
        self._name = secrets.token_hex(8)
        self._wire: Wire | None = None
        self._queue: list[_Item] = []
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    async def submit(self, operation: bytes) -> Answer:
        """Do one operation with the next batch; on return it is durable. The first value of the answer says how it went.

        Raises:
            RedisServerError: the server could not be reached in time, or refused the whole batch.
        """
        if self._closing:
            raise RedisServerError(self._url, "the provider is closed; open a new one")
        item = _Item(operation, asyncio.get_running_loop().create_future())
        self._queue.append(item)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work(), name="ruvon-redis-writer")
        answer = await asyncio.shield(item.answer)
        if isinstance(answer, PersistenceError):
            raise answer
        return answer

    async def close(self) -> None:
        """Write what waits, then stop."""
        self._closing = True
        if self._task is not None:
            await self._task
        await self._drop()

    async def _work(self) -> None:
        while self._queue:
            batch = self._next_batch()
            try:
                answers = await self._send([item.operation for item in batch])
            except PersistenceError as exc:
                _release(batch, [exc] * len(batch))
            except Exception as exc:  # noqa: BLE001  # it is handed to every waiting caller; later batches live on
                error = RedisServerError(self._url, f"unexpectedly: {type(exc).__name__}: {exc}")
                _release(batch, [error] * len(batch))
            except asyncio.CancelledError:  # the loop ends
                waiting = [*batch, *self._queue]
                error = RedisServerError(self._url, "the event loop is being closed")
                _release(waiting, [error] * len(waiting))
                raise
            else:
                _release(batch, answers)

    def _next_batch(self) -> list[_Item]:
        """What waits, in its order, up to a size."""
        size, count = 0, 0
        for item in self._queue[:_LARGEST_BATCH]:
            size += len(item.operation)
            if count and size > _LARGEST_BATCH_BYTES:
                break
            count += 1
        batch, self._queue = self._queue[:count], self._queue[count:]
        return batch

    async def _send(self, operations: Sequence[bytes]) -> list[Answer]:
        """The answers to a batch, sent again with the same number until one came or patience ends."""
        self.batches += 1
        last: BaseException | None = None
        for pause_s in pauses(self._patience_s):
            try:
                return await self._try(operations)
            except DRIVER_ERRORS as exc:
                last = exc
                if is_in_doubt(exc):
                    await self._drop()
                elif not is_patient(exc):
                    raise RedisServerError(self._url, describe(exc)) from exc
            await asyncio.sleep(pause_s)
        why = describe(last) if last is not None else "it was not tried"
        raise RedisServerError(self._url, f"it was away for too long, and what was to be written may be there: {why}")

    async def _try(self, operations: Sequence[bytes]) -> list[Answer]:
        if self._wire is None:
            self._wire = await self._connect()
        wire = self._wire
        answers: list[Answer] = await write_script().run(wire, self._base, self._name, self.batches, *operations)
        if self._flush:
            await self._until_flushed(wire)
        if any(answer[0] == FAILED and answer[1].startswith(b"READONLY") for answer in answers):
            await self._drop()  # after a fail-over the same name leads to another server
        return answers

    async def _until_flushed(self, wire: Wire) -> None:
        for pause_s in pauses(self._patience_s):
            local, _ = await wire.call("WAITAOF", 1, 0, _FLUSH_TIMEOUT_MS)
            if local:
                return
            _LOG.warning("the Redis server has not flushed a commit to its disk within %s ms", _FLUSH_TIMEOUT_MS)
            await asyncio.sleep(pause_s)
        raise RedisServerError(
            self._url, "it has taken the change, but does not flush it to its disk; look into its log"
        )

    async def _drop(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.close()


def _release(batch: Sequence[_Item], answers: "Sequence[Answer | PersistenceError]") -> None:
    for item, answer in zip(batch, answers, strict=True):
        if not item.answer.done():
            item.answer.set_result(answer)
