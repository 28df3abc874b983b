"""Questions: one call of a script each, on a few connections, repeated while the server is away."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Final

from ruvon.implementations.persistence.redis._driver import (
    DRIVER_ERRORS,
    RedisServerError,
    Wire,
    describe,
    is_in_doubt,
    is_patient,
)
from ruvon.implementations.persistence.redis._pauses import pauses
from ruvon.implementations.persistence.redis._scripts import read_script

__all__ = ["Reader"]

_MOST: Final = 8


class Reader:
    """The questions of one provider.

    Args:
        url: the server, for messages.
        connect: makes a connection.
        base: the prefix of every key.
        patience_s: how long a server that is away is waited for.
    """

    def __init__(self, url: str, connect: Callable[[], Awaitable[Wire]], base: str, *, patience_s: float) -> None:
        self._url = url
        self._connect = connect
        self._base = base
        self._patience_s = patience_s
        self._idle: list[Wire] = []
        self._turns = asyncio.Semaphore(_MOST)
        self._closed = False

    async def ask(self, question: str, *arguments: bytes | str | int) -> Any:
        """The answer to a question; it may be asked again, so it must change nothing.

        Raises:
            RedisServerError: the server could not be reached in time, or refused.
        """
        return await self.use(lambda wire: read_script().run(wire, self._base, question, *arguments))

    async def use(self, work: Callable[[Wire], Awaitable[Any]]) -> Any:
        """Do something that may be done again on a connection."""
        last: BaseException | None = None
        async with self._turns:
            for pause_s in pauses(self._patience_s):
                if self._closed:
                    break
                try:
                    return await self._once(work)
                except DRIVER_ERRORS as exc:
                    last = exc
                    if not (is_in_doubt(exc) or is_patient(exc)):
                        raise RedisServerError(self._url, describe(exc)) from exc
                await asyncio.sleep(pause_s)
        raise RedisServerError(
            self._url, describe(last) if last is not None else "the provider is closed; open a new one"
        )

    async def _once(self, work: Callable[[Wire], Awaitable[Any]]) -> Any:
        wire = self._idle.pop() if self._idle else await self._connect()
        async with AsyncExitStack() as stack:
            stack.push_async_callback(wire.close)  # also when the caller is cancelled before the answer
            try:
                found = await work(wire)
            except DRIVER_ERRORS as exc:
                if not is_in_doubt(exc):
                    self._put_back(wire, stack)
                raise
            self._put_back(wire, stack)
            return found

    def _put_back(self, wire: Wire, stack: AsyncExitStack) -> None:
        if not self._closed:
            stack.pop_all()
            self._idle.append(wire)

    async def close(self) -> None:
        """Let every connection go."""
        self._closed = True
        idle, self._idle = self._idle, []
        for wire in idle:
            await wire.close()
