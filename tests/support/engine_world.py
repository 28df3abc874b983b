"""A small deterministic world for the engine's tests: a clock that jumps, counted ids, a store that can fail."""

import asyncio
import heapq
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.ir import Definition, ImportRoots
from ruvon.providers import Transition, datetime_of
from tests.support import engine_flows as flows

__all__ = ["CountedIds", "Crash", "JumpingClock", "crashing_store", "definitions", "make_builder", "reset", "revive"]

START_US = 1_700_000_000_000_000


class JumpingClock:
    """A clock that stands still while anything runs, and jumps to the next sleeper when everything sleeps."""

    def __init__(self) -> None:
        self._now = START_US
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._count = 0
        self._jumper: asyncio.Task[None] | None = None

    def now_us(self) -> int:
        return self._now

    def now(self) -> Any:
        return datetime_of(self._now)

    def monotonic_us(self) -> int:
        return self._now

    def advance(self, us: int) -> None:
        self._now += us

    async def sleep_us(self, us: int, /) -> None:
        if us <= 0:
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self._now + us, self._count, future))
        if self._jumper is None or self._jumper.done():
            self._jumper = asyncio.ensure_future(self._jump())
        await future

    async def _jump(self) -> None:
        while self._sleepers:
            for _ in range(30):
                await asyncio.sleep(0)
            while self._sleepers and self._sleepers[0][2].done():
                heapq.heappop(self._sleepers)
            if not self._sleepers:
                return
            due, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                self._now = max(self._now, due)
                future.set_result(None)


class CountedIds:
    """Ids that count, and chance that is always a half."""

    def __init__(self) -> None:
        self._next = 0

    def new_id(self) -> UUID:
        self._next += 1
        return UUID(int=self._next)

    def random(self) -> float:
        return 0.5

    def token(self, size: int, /) -> bytes:
        return bytes(size)


class Crash(BaseException):
    """The process died here."""


def crashing_store(clock: JumpingClock, at: int, *, after: bool) -> "tuple[MemoryPersistenceProvider, list[int]]":
    """A memory store whose commits are counted in the list; the process dies at number `at` (once)."""
    store = MemoryPersistenceProvider(clock)
    inner: Callable[[Transition], Any] = store.commit
    counts = [0]

    async def commit(transition: Transition, /) -> None:
        counts[0] += 1
        if is_dead(store) or (counts[0] == at and not after):
            DEAD.add(id(store))
            raise Crash
        await inner(transition)
        if counts[0] == at and after:
            DEAD.add(id(store))
            raise Crash

    store.commit = commit  # type: ignore[method-assign]
    return store, counts


DEAD: set[int] = set()
"""Stores whose process has died: nothing of it commits any more."""


def is_dead(store: MemoryPersistenceProvider) -> bool:
    return id(store) in DEAD


def revive(store: MemoryPersistenceProvider) -> None:
    """The process that held anything is gone, and with it its holds."""
    store._holds.clear()
    DEAD.discard(id(store))


def make_builder(store: MemoryPersistenceProvider | None = None, **options: Any) -> WorkflowBuilder:
    """A builder with every test workflow, on a jumping clock."""
    clock = options.pop("clock", None) or JumpingClock()
    flows.CLOCK = clock
    made = WorkflowBuilder(
        persistence_provider=store or MemoryPersistenceProvider(clock),
        clock=clock,
        ids=CountedIds(),
        plugins=False,
        import_roots=["tests"],
        **options,
    )
    made.register(*definitions())
    return made


@cache
def definitions() -> "tuple[Definition, ...]":
    """The workflows of `engine_flows`, compiled once."""
    from ruvon_dsl import _compile, require
    from ruvon_dsl._draft import SourceText
    from ruvon_dsl._recording import RecordingRoots

    file = flows.__file__ or ""
    source = SourceText(file, Path(file).read_text(encoding="utf-8"))
    drafts = _compile._lower_python(source, flows, None)  # one reading of the file for all of them
    result = _compile._linked(source, drafts, RecordingRoots.of(ImportRoots({"tests"})), opaque=False, workflow=None)
    return tuple(item.definition for item in require(result))


def reset(**fails: int) -> None:
    """Empty the ledger, and say which steps fail how often."""
    flows.LEDGER.clear()
    flows.FAILS.clear()
    flows.FAILS.update({name.replace("_", " "): count for name, count in fails.items()})
