"""One simulated process: a store and bodies that can fail or die at every point, and a record of what happened.

The store wraps a real one. A fault of the schedule is applied where it says; when the process dies, nothing of it reaches
the store any more, its holds are left as the death of a real process leaves them, and everything it had in memory is gone
with it. What the run as a whole must remember (what was committed, which bodies ran how often) is kept in a `Ledger` that
outlives the lives.
"""

import asyncio
import inspect
import random
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any, Final, NamedTuple, final
from uuid import UUID

from ruvon.engine import StepCall
from ruvon.providers import (
    Hold,
    InboxEntry,
    OutboxRecord,
    PersistenceError,
    PersistenceProvider,
    SqlTransaction,
    Transition,
)
from ruvon.testing._ids import SeededIds
from ruvon.testing._loop import VirtualLoop
from ruvon.testing._schedule import Fault, FaultKind, Point, PointKind, Schedule
from ruvon.testing._stores import SQLiteStores, Stores
from ruvon.testing._watchdog import Watchdog, watched_over

_OUTCOMES: Final = frozenset({"step", "error", "retry", "compensate", "cancelled"})
"""Kinds of log entries that say how an attempt ended."""

_SLOW_S: Final = 0.5
"""How long a body that is slow to answer takes; what runs beside it is done by then, unless it waits."""
_LATE_S: Final = 3.0
_TIMES_S: Final = (0.0, 0.0, 0.001, 0.002, 0.005)
_LATENESS_S: Final = (0.0, 0.0, 0.25, _LATE_S)

__all__ = ["Body", "BodyName", "InjectedFaultError", "Ledger", "Process", "ProcessDied", "ProcessStore"]


class ProcessDied(BaseException):
    """The simulated process has died; whatever ran in it is over."""


class InjectedFaultError(PersistenceError):
    """The store failed because the schedule says so."""


class BodyName(NamedTuple):
    """What a body is called: a step of a workflow, or its compensation."""

    workflow_type: str
    step: str
    compensates: bool = False

    def __str__(self) -> str:
        return f"{self.step} (compensation)" if self.compensates else self.step


@final
@dataclass(slots=True)
class Body:
    """One run of a body."""

    life: int
    workflow_id: str
    workflow_type: str
    step: str
    activation: str
    attempt: int
    compensates: bool
    point: int = 0
    """The number of its point in its life."""
    value: object = None
    """What it returned, where it did."""
    arguments: object = None
    """The values of the call, without state and context."""
    state: object = None
    """The step's own copy of the state, where it takes it."""
    error: BaseException | None = None
    used_key: bool = False
    """It read `context.idempotency_key`."""
    committed_before: bool = False
    """It ran although its outcome had been committed: a fault of the engine."""
    ran_ahead_of: str = ""
    """A body of the same sequence had ended before, and its outcome was not committed: a fault of the engine."""

    @property
    def key(self) -> tuple[str, str, int]:
        """What is recorded at most once."""
        return self.workflow_id, self.activation, self.attempt

    @property
    def broken_off(self) -> bool:
        """It was cancelled before it came to anything."""
        return isinstance(self.error, asyncio.CancelledError)

    @property
    def name(self) -> BodyName:
        """What people call it."""
        return BodyName(self.workflow_type, self.step, self.compensates)


@final
class Ledger:
    """What happened in all lives of a run."""

    def __init__(self) -> None:
        self.points: list[Point] = []
        self.bodies: list[Body] = []
        self.committed: dict[str, list[tuple[int, str, str]]] = {}
        """By instance, the log entries of every commit that was written: number, kind, activation."""
        self.kept_from: dict[str, int] = {}
        """By instance, the number of the log entry before which the history was given up."""
        self.done: set[tuple[str, str, int]] = set()
        """Attempts whose outcome is committed."""
        self.published: list[OutboxRecord] = []
        """Events of every commit that was written."""
        self.delivered: set[tuple[UUID, str]] = set()
        """Messages that are in the store, by instance and the sender's key."""
        self.echoes: list[InboxEntry] = []
        """Messages that will be delivered once more."""
        self.commits = 0
        self.deaths: list[tuple[int, str, int]] = []
        """Deaths of a fault that strikes more than once: the life, the instance, how much of it was committed by then."""
        self.struck: Counter[Fault] = Counter()
        """How often each fault of the schedule has struck."""

    def strikes(self, schedule: Schedule, point: Point) -> FaultKind | None:
        """A point is reached; what goes wrong there."""
        self.points.append(point)
        for fault in schedule.faults:
            if (fault.life, fault.point) == (point.life, point.number) or self._strikes_again(fault, point):
                self.struck[fault] += 1
                if fault.times > 1:
                    self.deaths.append((point.life, point.place[0], self._progress(point.place[0])))
                return fault.kind
        return None

    def _strikes_again(self, fault: Fault, point: Point) -> bool:
        if not 0 < self.struck[fault] < fault.times:
            return False
        first = next(item for item in self.points if (item.life, item.number) == (fault.life, fault.point))
        return first.kind is point.kind and first.place == point.place

    def _progress(self, workflow_id: str) -> int:
        """How many log entries of an instance are committed, those that count deaths left out."""
        return sum(kind != "crash" for _, kind, _ in self.committed.get(workflow_id, ()))

    def deaths_in_a_row(self) -> tuple[str, int]:
        """The instance over which a repeated fault has struck last, and how often with no progress in between."""
        if not self.deaths:
            return "", 0
        last = self.deaths[-1]
        return last[1], sum(1 for _ in takewhile(lambda item: item[1:] == last[1:], reversed(self.deaths)))

    def note(self, transition: Transition) -> None:
        """A transition is in the store."""
        self.commits += 1
        key = str(transition.workflow_id)
        if transition.drop_log:
            self.committed[key] = []
        if transition.forget_before:
            self.kept_from[key] = transition.forget_before
        known = self.committed.setdefault(key, [])
        for entry in transition.entries:
            known.append((entry.seq, entry.kind, entry.activation))
            if entry.kind in _OUTCOMES:
                self.done.add((key, entry.activation, entry.attempt))
        for event in transition.outbox:
            self.published.append(replace(event, workflow_id=event.workflow_id or transition.workflow_id))


@dataclass(slots=True)
class Process:
    """One life of the process: its number, what goes wrong in it, and whether it still lives."""

    life: int
    loop: VirtualLoop
    schedule: Schedule
    ledger: Ledger
    ids: SeededIds
    stores: Stores
    dead: bool = False
    torn: bool = False
    mark: tuple[int, int] = (0, 0)
    """How far the ids were at the last commit."""
    _reached: int = 0
    dog: Watchdog = field(default_factory=lambda: Watchdog(0))
    """Watches over bodies that never await."""
    lenient: frozenset[str] = frozenset()
    """Workflow types that commit once per loop turn."""
    _ended: dict[tuple[str, str], Body] = field(default_factory=dict[tuple[str, str], Body])
    """By instance and sequence, the body that ended last in this life."""

    def reach(self, kind: PointKind, what: str, place: tuple[str, str]) -> FaultKind | None:
        """A point is reached; what goes wrong there."""
        if self.dead:
            raise ProcessDied
        point = Point(self.life, self._reached, kind, what, place)
        self._reached += 1
        return self.ledger.strikes(self.schedule, point)

    def die(self, *, torn: bool = False) -> None:
        """The process is gone."""
        self.dead = True
        self.torn = torn
        self.ids.reset(self.mark)
        raise ProcessDied

    def delay_s(self, what: str, among: Sequence[float] = _TIMES_S) -> float:
        """How long something takes in this run, the same in every life."""
        if self.schedule.seed is None:
            return 0.0
        return random.Random(f"{self.schedule.seed}/{what}").choice(among)  # noqa: S311 - repeatable on purpose

    # Bodies

    def intercept(self, call: StepCall, proceed: Callable[[], Any]) -> Any:
        """Run a body of the engine under the schedule."""
        body = Body(
            self.life, call.workflow_id, call.workflow_type, call.step, call.activation, call.attempt, call.compensates
        )
        body.committed_before = body.key in self.ledger.done
        before = self._ended.pop((call.workflow_id, call.activation.rpartition("/")[0]), None)
        if before is not None and before.key != body.key and before.key not in self.ledger.done:
            body.ran_ahead_of = before.activation if call.workflow_type not in self.lenient else ""
        body.point, body.arguments, body.state = self._reached, call.arguments, call.state
        fault = self.reach(PointKind.BODY, f"`{body.name}`", (call.workflow_id, f"{call.activation}@{call.attempt}"))
        if fault is FaultKind.DIE_BEFORE:
            self.die()
        self.ledger.bodies.append(body)
        try:
            with self.dog.over(str(body.name)):
                made = proceed()
        except BaseException as exc:
            self._end(call, body, exc, fault)
            raise
        if inspect.isawaitable(made):
            return self._awaited(call, body, made, fault)
        body.value = made
        if fault is FaultKind.DIE_LATE:
            return self._die_late()
        self._end(call, body, None, fault)
        return made

    async def _awaited(self, call: StepCall, body: Body, made: Any, fault: FaultKind | None) -> Any:
        try:
            if delay := self.delay_s(call.activation):
                await asyncio.sleep(delay)
            body.value = await watched_over(self.dog, str(body.name), made)
        except BaseException as exc:
            if inspect.iscoroutine(made):
                made.close()  # it may not have begun
            self._end(call, body, exc, fault)
            raise
        if fault is FaultKind.DIE_LATE:
            await self._die_late()
        self._end(call, body, None, fault)
        return body.value

    async def _die_late(self) -> None:
        await asyncio.sleep(_SLOW_S)
        self.die()

    def _end(self, call: StepCall, body: Body, error: BaseException | None, fault: FaultKind | None) -> None:
        body.error = error
        self._ended[call.workflow_id, call.activation.rpartition("/")[0]] = body
        body.used_key = call.context is not None and call.context.has_used_key
        if fault is FaultKind.DIE_AFTER and not self.dead:
            self.die()


@final
class ProcessStore:
    """The store as a simulated process sees it.

    Everything that is not named here goes to the real store, as long as the process lives.
    """

    def __init__(self, inner: PersistenceProvider, process: Process) -> None:
        self.inner = inner
        self.process = process

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if not inspect.iscoroutinefunction(found):
            return found

        async def call(*args: Any, **options: Any) -> Any:
            if self.process.dead:
                raise ProcessDied
            with self.process.loop.outside():
                return await found(*args, **options)

        return call

    async def commit(self, transition: Transition, /) -> None:
        """Commit under the schedule."""
        await self.write(transition, self.inner.commit)

    def transact(self) -> AbstractAsyncContextManager[SqlTransaction]:
        """A transaction of a step's own statements; its commit is one under the schedule, too."""
        return self._transacting(self.inner.transact())

    @asynccontextmanager
    async def _transacting(
        self, manager: AbstractAsyncContextManager[SqlTransaction]
    ) -> AsyncGenerator[SqlTransaction]:
        if self.process.dead:
            raise ProcessDied
        outside = self.process.loop.outside
        with outside():
            inner = await manager.__aenter__()
        try:
            yield _ProcessTransaction(inner, self)
        except BaseException as exc:
            with outside():
                await manager.__aexit__(type(exc), exc, exc.__traceback__)
            raise
        with outside():
            await manager.__aexit__(None, None, None)

    async def write(self, transition: Transition, commit: Callable[[Transition], Awaitable[None]]) -> None:
        """Write a transition with `commit`, and let go wrong what the schedule says."""
        process = self.process
        fault = process.reach(PointKind.COMMIT, _words(transition), _place(transition))
        if fault is FaultKind.DIE_BEFORE:
            process.die()
        if fault is FaultKind.ERROR_BEFORE:
            raise InjectedFaultError("the disk failed, and nothing was written")
        if isinstance(process.stores, SQLiteStores):
            process.stores.note_commit()
        if delay := process.delay_s(f"commit/{process.ledger.commits}"):
            await asyncio.sleep(delay)
        with process.loop.outside():
            await commit(transition)
        if fault is FaultKind.TORN:
            process.die(torn=True)
        process.ledger.note(transition)
        process.mark = process.ids.mark()
        if fault is FaultKind.DIE_AFTER:
            process.die()
        if fault is FaultKind.ERROR_AFTER:
            raise InjectedFaultError("the connection broke after everything was written")

    async def append_inbox(self, entry: InboxEntry, /) -> bool:
        """Deliver a message under the schedule."""
        process = self.process
        place = (str(entry.workflow_id), entry.dedup or "")
        fault = process.reach(PointKind.MESSAGE, f"the {entry.kind.value} for `{entry.name}`", place)
        if fault is FaultKind.DIE_BEFORE:
            process.die()
        key = (entry.workflow_id, entry.dedup or "")
        late = 0.0 if key in process.ledger.delivered else process.delay_s(f"message/{key[1]}", _LATENESS_S)
        if late or fault is FaultKind.LATE:
            await asyncio.sleep(late or _LATE_S)
        with process.loop.outside() if not process.dead else nullcontext():
            if process.dead:
                raise ProcessDied
            made = await self.inner.append_inbox(entry)
            if fault is FaultKind.TWICE:
                await self.inner.append_inbox(entry)
        process.ledger.delivered.add(key)
        if fault is FaultKind.ECHO:
            process.ledger.echoes.append(entry)
        if fault is FaultKind.DIE_AFTER:
            process.die()
        return made

    async def hold(self, workflow_id: UUID, /) -> Hold:
        """Take the right to drive an instance; it dies with the process."""
        if self.process.dead:
            raise ProcessDied
        with self.process.loop.outside():
            made = await self.inner.hold(workflow_id)
        return _ProcessHold(made, self.process)


@final
class _ProcessTransaction:
    """A transaction that the simulated process has."""

    def __init__(self, inner: SqlTransaction, store: ProcessStore) -> None:
        self._inner = inner
        self._store = store

    async def execute(
        self, sql: str, parameters: Sequence[object] | Mapping[str, object] = (), /
    ) -> list[tuple[Any, ...]]:
        """Run one statement, as long as the process lives."""
        if self._store.process.dead:
            raise ProcessDied
        with self._store.process.loop.outside():
            return await self._inner.execute(sql, parameters)

    async def commit(self, transition: Transition, /) -> None:
        """Commit under the schedule."""
        await self._store.write(transition, self._inner.commit)


@final
class _ProcessHold:
    """A hold that the simulated process has."""

    def __init__(self, inner: Hold, process: Process) -> None:
        self._inner = inner
        self._process = process

    @property
    def token(self) -> bytes:
        """Unique to the hold."""
        return self._inner.token

    @property
    def died(self) -> bool:
        """Whether the last one who drove it died over it."""
        return self._inner.died

    def driving(self) -> None:
        """It is being driven from now on."""
        self._inner.driving()

    def listen(self, notify: Callable[[], None] | None, /) -> None:
        """Be told of messages."""
        self._inner.listen(notify)

    async def release(self) -> None:
        """Give the instance free; the dead give nothing."""
        if not self._process.dead:
            await self._inner.release()


def _words(transition: Transition) -> str:
    steps = [f"`{entry.node}`" for entry in transition.entries if entry.node]
    if steps:
        return ", ".join(dict.fromkeys(steps))
    return "the new instance" if transition.expected < 0 else f"the status {transition.status}"


def _place(transition: Transition) -> tuple[str, str]:
    """Where a commit stands: the same for one that comes again after a death."""
    entries = " ".join(f"{entry.kind}:{entry.activation}@{entry.attempt}" for entry in transition.entries)
    return str(transition.workflow_id), entries or transition.status
