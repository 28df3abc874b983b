"""One workflow by two roads: under CPython (`run_local`) and by the engine, in one scripted outside world, compared.

`Outside` is everything that comes from outside, a function of a seed: what steps give and how long they take, who answers,
which signals come when. Every call takes its own odd virtual time, so that concurrency is decided by the clock and both
roads must make the same choices. `engine_run` can lose the process at a commit: everything in memory is thrown away and the
instance is loaded again from the store; a call that was under way then ends when it would have ended.
"""

import asyncio
import json
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
from ruvon.builder import WorkflowBuilder
from ruvon.engine import InvalidInputError, NotWaitingForInputError, ProgramCache
from ruvon.engine._answers import encode_signal, find_answered
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.ir import Definition
from ruvon.providers import InboxEntry, InboxKind, Transition
from ruvon.steps._attempt import Attempt
from tests.differential.clock import START, START_US, Clock
from tests.differential.outcome import Outcome, differences, error_shape, shape

__all__ = [
    "Lost",
    "Outcome",
    "Outside",
    "Sent",
    "Store",
    "differences",
    "engine_run",
    "local_outcome",
    "local_run",
    "shape",
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


# --- the people and senders of an engine run --------------------------------------------------------------------------


class People:
    """Answers what is asked and sends signals, each at its moment, whatever becomes of the process."""

    def __init__(self, outside: Outside, clock: Clock, store: Store, workflow: Any) -> None:
        self._outside = outside
        self._clock = clock
        self._store = store
        self._workflow = workflow
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked: set[tuple[str, str]] = set()
        self.news = asyncio.Event()
        store.watch = self._look

    async def begin(self) -> None:
        """Send what is due, and see what has been asked already."""
        for number, sent in enumerate(self._outside.signals):
            if START_US + sent.after_us <= self._clock.now_us():
                await self._send(number, sent)
            else:
                self._later(self._send_later(number, sent))
        for item in await self._store.list_workflows(limit=100):
            row = await self._store.load_instance(UUID(str(item["workflow_id"])))
            if row.waiting_for is not None:
                self._ask(row.workflow_id, row.waiting_for)

    async def wait(self) -> bool:
        """Wait until something was sent or is due; False when nothing more comes."""
        row = await self._store.load_instance(UUID(self._workflow.id))
        timer = None
        if row.due_us is not None:
            timer = asyncio.ensure_future(self._ring(row.due_us))
            self._tasks.add(timer)
        try:
            return await self._wait()
        finally:
            if timer is not None:
                timer.cancel()
                self._tasks.discard(timer)

    async def _ring(self, due_us: int) -> None:
        await self._clock.sleep_us(due_us - self._clock.now_us())
        self.news.set()

    async def _wait(self) -> bool:
        while not self.news.is_set():
            if not self._tasks:
                return False
            waiter = asyncio.ensure_future(self.news.wait())
            await asyncio.wait({waiter, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
            waiter.cancel()
        self.news.clear()
        return True

    async def stop(self) -> None:
        """They are no part of the process, but their tasks are of its loop."""
        self._store.watch = None
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _later(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, number: int, sent: Sent) -> None:
        try:
            name, data = encode_signal(self._workflow._run, sent.event, None)
        except InvalidInputError:  # the workflow receives nothing of this class
            return
        entry = InboxEntry(
            UUID(self._workflow.id), InboxKind.SIGNAL, name, data, sent.key, f"signal:{number}", self._clock.now_us()
        )
        await self._store.append_inbox(entry)
        self.news.set()

    async def _send_later(self, number: int, sent: Sent) -> None:
        await self._clock.sleep_us(START_US + sent.after_us - self._clock.now_us())
        await self._send(number, sent)

    def _look(self, transition: Transition) -> None:
        if transition.waiting_for is not None:
            self._ask(transition.workflow_id, transition.waiting_for)

    def _ask(self, workflow_id: UUID, waiting: bytes) -> None:
        for wait in json.loads(waiting):
            key = (str(workflow_id), wait["id"])
            if wait["kind"] != "human" or key in self._asked:
                continue
            self._asked.add(key)
            found = self._outside.answers.get(wait["name"])
            if found is not None:
                due = self._outside.due.setdefault(key, self._clock.now_us() + found[1])
                if wait.get("due_us") is None or due <= wait["due_us"]:
                    self._later(self._answer(workflow_id, wait["id"], found[0], due))

    async def _answer(self, workflow_id: UUID, wait_id: str, value: Any, due: int) -> None:
        await self._clock.sleep_us(due - self._clock.now_us())
        engine = self._workflow._engine
        run = await engine.load(await self._store.load_instance(workflow_id))
        try:
            wait, checked = find_answered(run, value, step=None, wait_id=wait_id)
        except NotWaitingForInputError:
            return
        data = run.program.types.dynamic.encode(checked, "the answer")
        entry = InboxEntry(
            workflow_id, InboxKind.ANSWER, wait.activation, data, None, f"answer:{wait_id}", self._clock.now_us()
        )
        await self._store.append_inbox(entry)
        self.news.set()


# --- the two roads ----------------------------------------------------------------------------------------------------


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
    return Outcome(end, shape(found.state), shape(found.result), error, _sorted_calls(calls), [])


def _sorted_calls(calls: Mapping[Any, list[str]]) -> list[list[str]]:
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
        _sorted_calls(outside.calls),
        outside.undone,
    )


MakeStore = Callable[[], Any]
"""Opens the store; called again after a loss, on the same data."""


def memory() -> MakeStore:
    """A memory store; what survives a loss is its bytes, not its holds."""
    inner = MemoryPersistenceProvider()

    def open_store() -> MemoryPersistenceProvider:
        inner._holds.clear()
        return inner

    return open_store


def engine_run(
    definitions: Sequence[Definition],
    initial: Any,
    outside: Outside,
    make_store: MakeStore | None = None,
    lose: tuple[int, bool] | None = None,
    *,
    share: bool = True,
) -> Outcome:
    """Run by the engine; with `lose` the process is lost at commit number `lose[0]`, before or after it is written.

    With `share` compiled programs are kept for the next run of the same definition.
    """
    if not share:
        _forget_programs()
    return asyncio.run(_engine_run(definitions, initial, outside, make_store or memory(), lose))


async def _engine_run(
    definitions: Sequence[Definition],
    initial: Any,
    outside: Outside,
    make_store: MakeStore,
    lose: tuple[int, bool] | None,
) -> Outcome:
    token = OUTSIDE.set(outside)
    clock = outside.clock = Clock()
    try:
        with watched():
            store = Store(make_store(), clock, outside, lose)
            try:
                workflow = await _life(definitions, initial, outside, store, created=None)
            except Lost:
                await store.inner.close()
                store = Store(make_store(), clock, outside, None)
                workflow = await _life(definitions, initial, outside, store, created=UUID(int=1))
            outcome = _outcome(workflow, outside, store)
            await store.inner.close()
            return outcome
    finally:
        await clock.stop()
        OUTSIDE.reset(token)


async def _life(
    definitions: Sequence[Definition], initial: Any, outside: Outside, store: Store, created: UUID | None
) -> Any:
    """One process: create or load, and drive to the end."""
    clock = outside.clock
    ids = Ids(outside)
    builder = WorkflowBuilder(persistence_provider=store, clock=clock, ids=ids, plugins=False, import_roots=["tests"])
    builder.register(*definitions)
    _share_programs(builder)
    await store.initialize()
    known: list[str] = []
    if created is not None:
        ids.creating = False
        listed = [str(item["workflow_id"]) for item in await store.list_workflows(limit=100)]
        known = [workflow_id for workflow_id in listed if workflow_id == str(created)]
    if known:
        workflow = await builder.load_workflow(known[0])
    else:
        ids.creating = True
        workflow = await builder.create_workflow(definitions[0].workflow_type, initial.model_copy(deep=True))
        outside.due.setdefault("ids", -1)
    people = People(outside, clock, store, workflow)  # type: ignore[arg-type]
    try:
        await people.begin()
        for _ in range(2000):
            if workflow.status.is_terminal:
                break
            people.news.clear()
            await workflow.run()
            if not workflow.status.is_terminal and not await people.wait():
                break
    finally:
        await people.stop()
    return workflow


_SHARED = ProgramCache()


def _forget_programs() -> None:
    for known in (_SHARED.by_digest, _SHARED.by_definition, _SHARED.texts):
        known.clear()


def _share_programs(builder: WorkflowBuilder) -> None:
    """Compiled programs hold nothing of an instance; to build them anew for each of thousands of runs takes too long."""
    if len(_SHARED.by_digest) > 200:
        _forget_programs()
    builder.engine()._programs = _SHARED


def _outcome(workflow: Any, outside: Outside, store: Store) -> Outcome:
    ended = workflow.status.is_terminal
    error = workflow.error
    end = "stuck" if not ended else "failed" if error is not None else "done"
    return Outcome(
        end,
        shape(workflow.state),
        shape(workflow.result),
        error_shape(error),
        _sorted_calls(outside.calls),
        outside.undone,
        store.commits,
        outside.repeated,
        outside.late,
    )
