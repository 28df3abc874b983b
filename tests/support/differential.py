"""One workflow by two roads: under CPython (`run_local`) and by the engine (`differential_engine`), in one scripted outside
world, compared.

`Outside` is everything that comes from outside, a function of a seed: what steps give and how long they take, who answers,
which signals come when. Every call takes its own odd virtual time, so that concurrency is decided by the clock and both
roads must make the same choices. `engine_run` can lose the process at a commit: everything in memory is thrown away and the
instance is loaded again from the store; a call that was under way then ends when it would have ended.
"""

import asyncio
import random as chance
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID
from zlib import crc32

from ruvon.authoring import Reply, Signal, World, WorldInputMissing, run_local
from ruvon.authoring._work import CURRENT_DRIVER
from ruvon.providers import Transition
from ruvon.steps._attempt import Attempt
from tests.differential.clock import START, Clock
from tests.differential.outcome import Outcome, differences, error_shape, shape

__all__ = [
    "Lost",
    "Outcome",
    "Outside",
    "Sent",
    "Store",
    "differences",
    "local_outcome",
    "local_run",
    "shape",
    "sorted_calls",
    "watched",
]

OUTSIDE: ContextVar["Outside"] = ContextVar("outside")
"""The outside world of the run under way."""
_ACTIVE: ContextVar[tuple[str, str, str, int]] = ContextVar("active")
"""Engine only: instance, branch path, activation and attempt of the body that runs."""

Behave = Callable[["Outside", str, Mapping[str, Any]], Reply]
"""What a step does: its name and arguments (state and context among them) to a reply."""


# --- the outside world ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sent:
    """A signal and when it is sent, from the start."""

    event: Any
    after_us: int = 0
    key: str | None = None


@dataclass
class Outside:
    """Everything from outside, as a function of a seed."""

    behave: Behave
    seed: int = 0
    answers: Mapping[str, tuple[Any, int]] = field(default_factory=dict[str, tuple[Any, int]])
    """By task what people always answer, and after how many microseconds; a task that is not there is never answered."""
    signals: Sequence[Sent] = ()
    instant: frozenset[str] = frozenset()
    """Steps that take no time: their functions are not async."""
    fakes: Sequence[str] = ()
    calls: dict[Any, list[str]] = field(default_factory=dict[Any, list[str]])
    undone: list[str] = field(default_factory=list[str])
    clock: Clock | None = None
    due: dict[Any, int] = field(default_factory=dict[Any, int])
    """When a call that has begun will end, whatever happens to the process that waits for it."""
    begun: set[Any] = field(default_factory=set[Any])
    """Calls that have been noted: one that is repeated because its process was lost counts once."""
    committed: set[Any] = field(default_factory=set[Any])
    repeated: list[str] = field(default_factory=list[str])
    late: bool = False
    life: int = 0
    """How often the workflow has restarted."""
    script: Any = None
    """What steps do instead of `behave`, where a test has its own."""

    def noted(self, name: str, given: Mapping[str, Any], context: Any) -> None:
        """Record a call of a scripted step, once for each attempt."""
        active = _ACTIVE.get(None)
        if active is None:
            return  # a compensation
        run, branch, activation, attempt = active
        if (run, activation, attempt) in self.committed:
            self.repeated.append(f"{activation} attempt {attempt}")
        if attempt == 1 and (run, activation) not in self.begun:
            self.begun.add((run, activation))
            self.note((run, branch), name, given, 1)

    def ids(self) -> list[UUID]:
        return [UUID(int=item + 1000) for item in range(300)]

    def randoms(self) -> list[float]:
        source = chance.Random(self.seed)
        return [source.random() for _ in range(300)]

    def note(self, branch: object, name: str, given: Mapping[str, Any], attempt: int) -> None:
        """Record a call as it begins."""
        args = {key: shape(value) for key, value in sorted(given.items()) if key not in ("state", "context")}
        self.calls.setdefault(branch, []).append(f"{name}({args}) attempt {attempt}")

    def undo(self, name: str, **given: object) -> None:
        """Record a call of a compensation."""
        self.undone.append(f"{name}({ {key: shape(value) for key, value in sorted(given.items())} })")

    def reply(self, name: str, given: Mapping[str, Any]) -> Reply:
        """What a call gives, and when: each takes a time of its own."""
        made = self.behave(self, name, given)
        if name in self.instant:
            return Reply(made.value, made.error)
        plain = {key: value for key, value in given.items() if key not in ("state", "context")}
        self.late = self.late or made.takes > timedelta(0)
        own = 1000 + crc32(f"{self.seed}{name}{sorted(plain.items())}{given['context'].attempt}".encode()) % 900_000
        return Reply(made.value, made.error, made.takes + timedelta(microseconds=own))

    # CPython

    def fake(self, name: str) -> Callable[..., Reply]:
        """The fake of a step for `World(steps=)`."""

        def run(**given: Any) -> Reply:
            driver: Any = CURRENT_DRIVER.get()
            self.note((self.life, driver.branch), name, given, given["context"].attempt)
            return self.reply(name, given)

        return run

    def world(self) -> World:
        """The same for `run_local`."""
        return World(
            answers={
                task: [Reply(value, takes=timedelta(microseconds=takes))] * 300
                for task, (value, takes) in self.answers.items()
            },
            signals=[Signal(item.event, item.key, timedelta(microseconds=item.after_us)) for item in self.signals],
            start=START,
            ids=self.ids(),
            randoms=self.randoms(),
            steps={name: self.fake(name) for name in self.fakes},
            max_calls=3000,
        )

    # The engine

    async def perform(self, name: str, **given: Any) -> Any:
        """The body of an async step when the engine calls it."""
        reply = self._begun(name, given)
        run, _, activation, attempt = _ACTIVE.get()
        assert self.clock is not None
        now, call = self.clock.now_us(), (run, activation, attempt)
        is_repeated = call in self.due
        due = self.due.setdefault(call, now + reply.takes // timedelta(microseconds=1))
        if due > now:
            await self.clock.sleep_us(due - now)
        elif is_repeated and isinstance(self.clock, Clock):
            await self._in_turn(due)
        if reply.error is not None:
            raise reply.error
        return reply.value

    async def _in_turn(self, due: int) -> None:
        """Calls that ended while there was no process end in the order in which they did."""
        assert self.clock is not None
        before = [key for key, other in self.due.items() if isinstance(key, tuple) and len(key) == 3 and other < due]
        self.clock.busy += 1
        for _ in range(20 * sum(key not in self.committed for key in before)):
            await asyncio.sleep(0)
        self.clock.busy -= 1

    def at_once(self, name: str, **given: Any) -> Any:
        """The body of a plain step when the engine calls it."""
        reply = self._begun(name, given)
        if reply.error is not None:
            raise reply.error
        return reply.value

    def _begun(self, name: str, given: Mapping[str, Any]) -> Reply:
        run, branch, activation, attempt = _ACTIVE.get()
        if (run, activation, attempt) in self.committed:
            self.repeated.append(f"{activation} attempt {attempt}")
        if (run, activation, attempt) not in self.begun:
            self.begun.add((run, activation, attempt))
            self.note((run, branch), name, given, attempt)
        return self.reply(name, given)


@contextmanager
def watched() -> Iterator[None]:
    """While this is open, bodies know which activation they are."""
    original = Attempt.perform

    async def perform(self: Attempt, run: Any) -> None:
        path = self.strand.frames[0].path  # type: ignore[union-attr]
        token = _ACTIVE.set((run.id, path, self.work.activation, self.strand.attempt))
        try:
            await original(self, run)
        finally:
            _ACTIVE.reset(token)

    Attempt.perform = perform  # type: ignore[method-assign]
    try:
        yield
    finally:
        Attempt.perform = original  # type: ignore[method-assign]


# --- time, ids and a store that can be lost ---------------------------------------------------------------------------


class Ids:
    """The scripted identifiers; the instance's own id comes before them."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._ids, self._randoms = outside.ids(), outside.randoms()
        self.creating = True

    def new_id(self) -> UUID:
        if self.creating:
            self.creating = False
            return UUID(int=1)
        return self._ids[self._id_count()]

    def _id_count(self) -> int:
        self._outside.due["ids"] = self._outside.due.get("ids", -1) + 1
        return self._outside.due["ids"]

    def random(self) -> float:
        self._outside.due["randoms"] = self._outside.due.get("randoms", -1) + 1
        return self._randoms[self._outside.due["randoms"]]

    def token(self, size: int, /) -> bytes:
        return bytes(size)


class Lost(BaseException):
    """The process is gone."""


class Store:
    """A store whose process is lost at a commit: before it is written, or after."""

    def __init__(self, inner: Any, clock: Clock, outside: Outside, lose: tuple[int, bool] | None) -> None:
        self.inner = inner
        self._clock = clock
        self._outside = outside
        self._lose = lose
        self.commits = 0
        self.dead = False
        self.watch: Callable[[Transition], None] | None = None
        self._kept: dict[str, int] = {}

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if not asyncio.iscoroutinefunction(found):
            return found

        async def call(*args: Any, **options: Any) -> Any:
            if self.dead:
                raise Lost
            self._clock.busy += 1
            try:
                return await found(*args, **options)
            finally:
                self._clock.busy -= 1

        return call

    async def commit(self, transition: Transition, /) -> None:
        """Commit, or lose the process."""
        self.commits += 1
        number, after = self._lose or (0, False)
        if self.dead or (self.commits == number and not after):
            self._die()
        self._clock.busy += 1
        try:
            await self.inner.commit(transition)
        finally:
            self._clock.busy -= 1
        self._note(transition)
        if self.commits == number:
            self._die()
        if self.watch is not None:
            self.watch(transition)

    def _die(self) -> None:
        self.dead = True
        for name in ("ids", "randoms"):
            self._outside.due[name] = self._kept.get(name, -1)
        raise Lost

    def _forget(self, workflow_id: str) -> None:
        """A new life of an instance repeats nothing of the one before."""
        outside = self._outside
        outside.life += 1
        for key in [key for key in outside.calls if key[0] == workflow_id]:
            outside.calls[(outside.life, *key)] = outside.calls.pop(key)
        for known in (self._outside.begun, self._outside.committed):
            known.difference_update([item for item in known if item[0] == workflow_id])
        for item in [item for item in self._outside.due if item[0] == workflow_id]:
            del self._outside.due[item]

    def _note(self, transition: Transition) -> None:
        self._kept = {name: self._outside.due.get(name, -1) for name in ("ids", "randoms")}
        for entry in transition.entries:
            if entry.kind == "restart":
                self._forget(str(transition.workflow_id))
            if entry.kind in ("step", "error", "retry"):
                self._outside.committed.add((str(transition.workflow_id), entry.activation, entry.attempt))


# --- the road of CPython ----------------------------------------------------------------------------------------------


def local_outcome(workflow: Any, initial: Any, world: World) -> Outcome:
    """Run under CPython in a world of the test's own; steps are recorded once for each activation."""
    found = asyncio.run(run_local(workflow, initial.model_copy(deep=True), world))
    calls: dict[str, list[str]] = {}
    for item in world.calls:
        if world.steps.has(item.step):
            args = {key: shape(value) for key, value in sorted(item.args.items()) if key not in ("state", "context")}
            calls.setdefault(item.branch, []).append(f"{item.step}({args}) attempt 1")
    stuck = isinstance(found.error, WorldInputMissing)
    end = "stuck" if stuck else "failed" if found.error is not None else "done"
    error = None if stuck else error_shape(found.error)
    return Outcome(end, shape(found.state), shape(found.result), error, sorted_calls(calls), [])


def sorted_calls(calls: Mapping[Any, list[str]]) -> list[list[str]]:
    return sorted(calls.values())


def local_run(workflow: Any, initial: Any, outside: Outside) -> Outcome:
    """Run under CPython."""

    async def run() -> Any:
        token = OUTSIDE.set(outside)
        world = outside.world()
        try:
            found = await run_local(workflow, initial.model_copy(deep=True), world)
            while found.restarted is not None:
                outside.life += 1
                found = await run_local(workflow, found.restarted, world)
            return found
        finally:
            OUTSIDE.reset(token)

    found = asyncio.run(run())
    stuck = isinstance(found.error, WorldInputMissing)
    end = "stuck" if stuck else "failed" if found.error is not None else "done"
    return Outcome(
        end,
        shape(found.state),
        shape(found.result),
        None if stuck else error_shape(found.error),
        sorted_calls(outside.calls),
        outside.undone,
    )
