"""Limits of time that a lost process does not stop: a child's `timeout` and a step's `deadline`."""

import asyncio
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import UUID

import orjson
import pytest
from pydantic import BaseModel

from ruvon import Retry, compensate, sleep, step, workflow
from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.implementations.persistence.memory._tables import MemoryHold
from ruvon.ir import Definition
from ruvon.models import TimedOut, WorkflowStatus
from ruvon.providers import InstanceFilter
from tests.support.engine_world import Crash, JumpingClock, crashing_store, revive

DONE: list[str] = []
HOUR = timedelta(hours=1)


class Note(BaseModel):
    text: str = ""


@step
def book(state: Note) -> None:
    DONE.append("book")


@compensate(book)
def unbook(state: Note) -> None:
    DONE.append("unbook")


@step
def tidy(state: Note, who: str) -> None:
    DONE.append(f"tidy {who}")


@step(retry=Retry(max_attempts=100, delay=timedelta(minutes=10), backoff=1.0))
def flaky(state: Note) -> None:
    DONE.append("flaky")
    raise ConnectionError("no line")


@workflow("SlowChild", version="1")
async def slow_child(state: Note) -> None:
    try:
        await sleep(timedelta(days=9))
    finally:
        await tidy(state, who="child")


@workflow("Limited", version="1", saga=True)
async def limited(state: Note) -> None:
    await book(state)
    try:
        await slow_child.with_(timeout=HOUR)(Note())
    finally:
        await tidy(state, who="parent")


@workflow("Stubborn", version="1")
async def stubborn(state: Note) -> None:
    await flaky.with_(deadline=HOUR)(state)


@cache
def _definitions() -> tuple[Definition, ...]:
    builder = WorkflowBuilder(plugins=False)
    builder.register(slow_child, limited, stubborn)
    return tuple(builder.get_definition(name) for name in builder.registered_types())


def _process(store: MemoryPersistenceProvider, clock: JumpingClock) -> WorkflowBuilder:
    """The next process over the store."""
    DONE.clear()
    made = WorkflowBuilder(persistence_provider=store, clock=clock, plugins=False, import_roots=["tests"])
    made.register(*_definitions())
    return made


async def _unreleased(hold: Any) -> None:
    """A dead process releases nothing."""


@pytest.mark.parametrize("dies_at", [3, 4, 5, 6])
def test_a_childs_timeout_survives_the_process(dies_at: int) -> None:
    """It ends the child with its `finally`, then the parent's runs, and the saga is rolled back; the error is typed."""

    async def scenario() -> None:
        clock = JumpingClock()
        store, commits = crashing_store(clock, dies_at, after=True)
        begun = clock.now_us()
        first = await _process(store, clock).create_workflow("Limited", {})
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(MemoryHold, "release", _unreleased)
            with pytest.raises(Crash):
                await first.run()
        assert commits[0] == dies_at
        revive(store)
        before = list(DONE)
        run: Any = await _process(store, clock).load_workflow(first.id)
        if not run.status.is_terminal:
            await run.run()
        DONE[:0] = before

        await run.refresh()
        assert clock.now_us() - begun < 2 * 3_600_000_000
        assert run.status is WorkflowStatus.FAILED_ROLLED_BACK
        assert isinstance(run.error, TimedOut)
        assert set(DONE) == {"book", "tidy parent", "unbook", "tidy child"}
        rows = await store.find_instances(InstanceFilter(workflow_type="SlowChild"))
        assert [row.status for row in rows] == ["CANCELLED"]

    asyncio.run(scenario())


def test_a_steps_deadline_survives_the_process() -> None:
    """No attempt begins behind it, counted from the first one, in whatever process that was."""

    async def scenario() -> None:
        clock = JumpingClock()
        store = MemoryPersistenceProvider(clock)
        first = await _process(store, clock).create_workflow("Stubborn", {})
        await first.next_step()
        clock.advance(45 * 60_000_000)

        run = await _process(store, clock).load_workflow(first.id)
        await run.run()

        record = await store.load_instance(UUID(run.id))
        error = orjson.loads(record.error or b"{}")
        assert (record.status, error["path"], error["step"]) == ("FAILED", "builtins:ConnectionError", "flaky")
        assert (DONE, error["attempt"]) == (["flaky", "flaky"], 3)

    asyncio.run(scenario())
