"""The road of the engine in the comparison of `differential`: its store may be lost, and people and senders are outside."""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from ruvon.builder import WorkflowBuilder
from ruvon.engine import InvalidInputError, NotWaitingForInputError, ProgramCache
from ruvon.engine._answers import encode_signal, find_answered
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.ir import Definition
from ruvon.providers import InboxEntry, InboxKind, Transition
from tests.differential.clock import START_US, Clock
from tests.differential.outcome import Outcome, error_shape, shape
from tests.support.differential import OUTSIDE, Ids, Lost, Outside, Sent, Store, sorted_calls, watched

__all__ = ["engine_run", "memory"]


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
        sorted_calls(outside.calls),
        outside.undone,
        store.commits,
        outside.repeated,
        outside.late,
    )
