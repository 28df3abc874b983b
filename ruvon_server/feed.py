"""The changes of workflows, read from the store by one task for all streams of this process.

The store is the source, so a stream shows what workers in other processes do, and goes on behind a restart. Changes are read
a few times a second while somebody listens, and those of the last seconds again each time: a process may write a moment
that lies a little before what was read already. Each listener has a buffer of bounded size in which a workflow that changes
again takes its older change's place; where even that is too small, the listener is told how many it has missed.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, final

from ruvon.providers import Clock, EngineStore, PersistenceError, WorkflowSummary
from ruvon_server.messages import Message, row_of
from ruvon_server.problems import TooManyStreamsError

__all__ = ["OVERLAP_US", "Change", "Feed", "Listener"]

_LOGGER: Final = logging.getLogger("ruvon.server")
OVERLAP_US: Final = 5_000_000
"""So much is read again each time: the clocks of processes may lie so far apart."""
_PAGE: Final = 2_000
_INTERVAL_US: Final = 200_000
_SHARE: Final = 10
"""Reading takes at most one part in so many of the time."""
_CAPACITY: Final = 256


@final
@dataclass(frozen=True)
class Change:
    """A workflow as it stood when its last change was read."""

    summary: WorkflowSummary

    @property
    def place(self) -> tuple[int, int]:
        """The moment of the change and the workflow's key: where it lies in the order of changes."""
        return self.summary.updated_us, self.summary.key

    @property
    def mark(self) -> tuple[object, ...]:
        """What differs between two changes of one workflow."""
        return self.summary.updated_us, self.summary.status, self.summary.current_step

    @cached_property
    def message(self) -> Message:
        """What every stream says of it; its id is the place."""
        return Message("workflow", row_of(self.summary), f"{self.summary.updated_us}-{self.summary.key}")


@final
@dataclass(eq=False, slots=True)
class Listener:
    """The buffer of one stream.

    Args:
        wanted: whether a change is meant for it.
        capacity: for so many workflows it keeps a change.
    """

    wanted: Callable[[WorkflowSummary], bool]
    capacity: int = _CAPACITY
    missed: int = 0
    """How many changes were dropped since the last look."""
    is_over: bool = False
    """The server ends, and so does the stream."""
    _waiting: dict[int, Change] = field(default_factory=dict[int, Change])
    _ready: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, change: Change) -> None:
        """Keep a change until it is taken."""
        key = change.summary.key
        if self._waiting.pop(key, None) is None and len(self._waiting) >= self.capacity:
            self.missed += len(self._waiting)
            self._waiting.clear()
        self._waiting[key] = change
        self._ready.set()

    def end(self) -> None:
        """Let the stream end."""
        self.is_over = True
        self._ready.set()

    async def take(self, patience_s: float) -> tuple[int, list[Change]]:
        """How many changes were missed, and those that are there, oldest first; nothing where none came in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await self._ready.wait()
        self._ready.clear()
        missed, found = self.missed, list(self._waiting.values())
        self.missed = 0
        self._waiting.clear()
        return missed, found


@final
class Feed:
    """Reads changes while somebody listens.

    Args:
        store: has the workflows.
        clock: says what time it is.
        most: so many listeners are there at most.
    """

    def __init__(self, store: EngineStore, clock: Clock, *, most: int) -> None:
        self._store = store
        self._clock = clock
        self._most = most
        self._all: set[Listener] = set()
        self._of_one: dict[str, set[Listener]] = {}
        self._seen: dict[int, Change] = {}
        self._read_us: int | None = None
        """When the last successful look began."""
        self._task: asyncio.Task[None] | None = None
        self._beginning = asyncio.Lock()
        self._is_over = False

    @property
    def listeners(self) -> int:
        """How many streams are open."""
        return len(self._all) + sum(map(len, self._of_one.values()))

    @asynccontextmanager
    async def listening(
        self, wanted: Callable[[WorkflowSummary], bool], workflow_id: str | None = None
    ) -> AsyncGenerator[Listener, None]:
        """A listener to every change from now on.

        Args:
            wanted: whether a change is meant for it.
            workflow_id: only this one's changes.

        Raises:
            TooManyStreamsError: there are as many as this process takes.
            PersistenceError: the store cannot be read.
        """
        if self.listeners >= self._most:
            raise TooManyStreamsError(self._most)
        listener = Listener(wanted)
        group = self._all if workflow_id is None else self._of_one.setdefault(workflow_id, set())
        group.add(listener)
        try:
            if self._is_over:
                listener.end()
            else:
                await self._begin()
            yield listener
        finally:
            group.discard(listener)
            if workflow_id is not None and not group:
                self._of_one.pop(workflow_id, None)
            if not self.listeners:
                self._rest()

    async def close(self) -> None:
        """End every stream; a second call is harmless."""
        self._is_over = True
        for listener in self._everybody():
            listener.end()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    def _everybody(self) -> list[Listener]:
        return [*self._all, *(item for group in self._of_one.values() for item in group)]

    async def _begin(self) -> None:
        """See to it that changes are read; what was there before is known and told to nobody."""
        async with self._beginning:
            if self._read_us is None:
                await self._look(tell=False)
        if self._task is None and not self._is_over:
            self._task = asyncio.create_task(self._follow(), name="ruvon-server-feed")
            self._task.add_done_callback(self._ended)

    def _rest(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._seen.clear()
        self._read_us = None

    def _ended(self, task: "asyncio.Task[None]") -> None:
        """A feed that has failed ends its streams; the next one begins it anew."""
        if task.cancelled() or (exc := task.exception()) is None:
            return
        _LOGGER.critical("changes of workflows can no longer be read: %s", exc, exc_info=exc)
        self._task, self._read_us = None, None
        for listener in self._everybody():
            listener.end()

    async def _follow(self) -> None:
        away = False
        while True:
            began_us = self._clock.monotonic_us()
            try:
                await self._look(tell=True)
                away = False
            except PersistenceError as exc:
                if not away:
                    _LOGGER.warning("changes cannot be read, streams wait until the store is back: %s", exc)
                away = True
            took_us = self._clock.monotonic_us() - began_us
            await self._clock.sleep_us(max(_INTERVAL_US, took_us * _SHARE))

    async def _look(self, *, tell: bool) -> None:
        """Read what has changed since the look before."""
        began_us = self._clock.now_us()
        since_us = (began_us if self._read_us is None else self._read_us) - OVERLAP_US
        after = (since_us, 0)
        while True:
            page = await self._store.changed_instances(after, limit=_PAGE)
            for summary in page:
                self._note(Change(summary), tell=tell)
            if len(page) < _PAGE:
                break
            after = (page[-1].updated_us, page[-1].key)
        self._seen = {key: item for key, item in self._seen.items() if item.summary.updated_us >= since_us}
        self._read_us = began_us

    def _note(self, change: Change, *, tell: bool) -> None:
        key = change.summary.key
        known = self._seen.get(key)
        if known is not None and known.mark == change.mark:
            return
        self._seen[key] = change
        if tell:
            for listener in (*self._all, *self._of_one.get(change.summary.workflow_id, ())):
                if listener.wanted(change.summary):
                    listener.put(change)
