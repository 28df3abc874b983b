"""Questions about single instances that are asked at the same time, as one statement.

What is asked in one turn of the loop goes together; what is asked while that is under way goes with the next statement,
so nobody is answered with what was read before the question.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

import asyncpg

from ruvon.implementations.persistence.postgres import _statements as sql
from ruvon.implementations.persistence.postgres._instances import columns

__all__ = ["InstanceReads", "Reads"]

Q = TypeVar("Q")
A = TypeVar("A")

_LARGEST: Final = 256
_AT_ONCE: Final = 4


class Reads(Generic[Q, A]):
    """Answers to one kind of question.

    Args:
        ask: the answers to several questions, in their order; blocks nobody while it waits.
    """

    def __init__(self, ask: Callable[[Sequence[Q]], Awaitable[Sequence[A]]]) -> None:
        self._ask = ask
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._starting = False
        self._running = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def get(self, question: Q) -> A:
        """The answer to one question; it raises what the statement raised."""
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if not self._starting and self._running < _AT_ONCE:
            self._starting = True
            self._running += 1
            task = asyncio.create_task(self._work(), name="ruvon-postgres-reads")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await answer

    async def _work(self) -> None:
        self._starting = False
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_LARGEST], self._waiting[_LARGEST:]
                await self._answer(batch)
        finally:
            self._running -= 1

    async def _answer(self, batch: "list[tuple[Q, asyncio.Future[A]]]") -> None:
        try:
            answers = await self._ask([question for question, _ in batch])
        except asyncio.CancelledError:  # the loop ends
            for _, waiter in batch:
                waiter.cancel()
            raise
        except Exception as exc:  # noqa: BLE001  # it is handed to everybody who asked
            for _, waiter in batch:
                if not waiter.done():
                    waiter.set_exception(exc)
            return
        for (_, waiter), answer in zip(batch, answers, strict=True):
            if not waiter.done():
                waiter.set_result(answer)


class InstanceReads:
    """The questions that every drive asks.

    Args:
        all_rows: runs one statement on a connection of the pool.
    """

    def __init__(self, all_rows: "Callable[..., Awaitable[list[asyncpg.Record]]]") -> None:
        self._all = all_rows
        self.instances: Reads[str, asyncpg.Record | None] = Reads(self._instances)
        """The row of an instance with its newest snapshot, by its id; None where there is none."""
        self.inboxes: Reads[tuple[str, int], list[asyncpg.Record]] = Reads(self._inboxes)
        """The messages to an instance above a number, in order."""

    async def _instances(self, names: Sequence[str]) -> "list[asyncpg.Record | None]":
        found = {row["id"]: row for row in await self._all(sql.LOAD_INSTANCES, names)}
        return [found.get(name) for name in names]

    async def _inboxes(self, questions: Sequence[tuple[str, int]]) -> "list[list[asyncpg.Record]]":
        found = [list[asyncpg.Record]() for _ in questions]
        for row in await self._all(sql.READ_INBOXES, *columns(questions, 2)):
            place: int = row["place"]
            found[place - 1].append(row)
        return found
