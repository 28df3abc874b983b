"""The brake on runs that take their process down, on a store whose holds are dropped as a death drops them."""

import asyncio
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel

from ruvon import compensate, gather, sleep, step, workflow
from ruvon.builder import WorkflowBuilder
from ruvon.engine import WorkerCrashError
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.implementations.persistence.memory._tables import MemoryHold
from ruvon.ir import Definition
from ruvon.models import WorkflowStatus
from tests.support.engine_world import JumpingClock

CALLS: list[str] = []
DEADLY: set[str] = set()


class Death(BaseException):
    """The process is gone in the middle of a step."""


class Cargo(BaseModel):
    loaded: list[str] = []


def _call(name: str) -> None:
    CALLS.append(name)
    if name in DEADLY:
        raise Death


@step
def load(state: Cargo, what: str) -> None:
    _call(what)
    state.loaded.append(what)


@step
def weigh(what: str) -> int:
    _call(what)
    return 1


@step
def unload(state: Cargo) -> None:
    _call("unload")


@step
def stow(state: Cargo) -> None:
    _call("stow")


@compensate(stow)
def unstow(state: Cargo) -> None:
    _call("unstow")


@step
def refuse(state: Cargo) -> None:
    raise ValueError("no room")


@workflow("Ship", version="1")
async def ship(state: Cargo) -> int:
    await load(state, what="crate")
    await load(state, what="barrel")
    return len(state.loaded)


@workflow("Careful", version="1")
async def careful(state: Cargo) -> None:
    try:
        await load(state, what="crate")
    finally:
        await unload(state)


@workflow("Twin", version="1")
async def twin(state: Cargo) -> None:
    await gather(weigh("crate"), weigh("crate"))


@workflow("Convoy", version="1")
async def convoy(state: Cargo) -> None:
    await load(state, what="barrel")
    await gather(weigh("crate"), weigh("crate"))


@workflow("Anchored", version="1")
async def anchored(state: Cargo) -> None:
    await load(state, what="barrel")
    await gather(load(state, what="crate"), sleep(timedelta(hours=1)))


@workflow("Queue", version="1")
async def queue(state: Cargo) -> None:
    async def first() -> None:
        await sleep(timedelta(hours=1))

    async def second() -> None:
        await sleep(timedelta(hours=1))

    await gather(first(), second(), limit=1)


@workflow("Sunk", version="1", saga=True)
async def sunk(state: Cargo) -> None:
    await stow(state)
    await refuse(state)


@workflow("Fleet", version="1")
async def fleet(state: Cargo) -> int:
    return await ship(Cargo())


@workflow("Moored", version="1")
async def moored(state: Cargo) -> None:
    await sleep(timedelta(hours=1))
    await load(state, what="crate")


@cache
def _definitions() -> tuple[Definition, ...]:
    """The workflows, compiled once."""
    builder = WorkflowBuilder(plugins=False)
    builder.register(ship, careful, twin, convoy, anchored, queue, sunk, fleet, moored)
    return tuple(builder.get_definition(name) for name in builder.registered_types())


class Dock:
    """One store, and processes that die over its instances."""

    def __init__(self, crash_budget: int | None = 3) -> None:
        CALLS.clear()
        DEADLY.clear()
        self.clock = JumpingClock()
        self.store = MemoryPersistenceProvider(self.clock)
        self.crash_budget = crash_budget

    def builder(self) -> WorkflowBuilder:
        """The next process."""
        made = WorkflowBuilder(
            persistence_provider=self.store,
            clock=self.clock,
            plugins=False,
            import_roots=["tests"],
            crash_budget=self.crash_budget,
        )
        made.register(*_definitions())
        return made

    async def made(self, name: str) -> str:
        """A new instance."""
        return (await self.builder().create_workflow(name, {})).id

    async def dies(self, workflow_id: str) -> None:
        """A process drives the instance and dies over it: what it held is free, and nobody released it."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(MemoryHold, "release", _unreleased)
            with pytest.raises(Death):
                await (await self.builder().load_workflow(workflow_id)).run()
        self.store.drop_holds()

    async def goes_on(self, workflow_id: str) -> Any:
        """The next process drives it."""
        found = await self.builder().load_workflow(workflow_id)
        await found.run()
        return found

    async def retried(self, workflow_id: str) -> Any:
        """An operator has mended what killed, and says so."""
        found = await self.builder().load_workflow(workflow_id)
        await found.retry()
        return found

    async def kinds(self, workflow_id: str) -> list[str]:
        """What its log says, in order."""
        return [entry.kind for entry in await self.store.read_log(UUID(workflow_id))]


async def _unreleased(hold: Any) -> None:
    """A dead process releases nothing."""


def test_a_run_is_not_taken_up_again_when_its_budget_is_used_up() -> None:
    """SEMANTICS 8.2: the third death at one place is the last one, and the body does not run a fourth time."""

    async def scenario() -> None:
        dock = Dock()
        made = await dock.made("Ship")
        DEADLY.add("barrel")
        for _ in range(3):
            await dock.dies(made)
        found = await dock.goes_on(made)
        assert found.status is WorkflowStatus.FAILED_WORKER_CRASH
        assert CALLS == ["crate", "barrel", "barrel", "barrel"]

    asyncio.run(scenario())


def test_the_error_names_step_attempt_and_place() -> None:
    """Issue 3: typed error, step, attempt, position, and the state as of the last commit."""

    async def scenario() -> None:
        dock = Dock()
        made = await dock.made("Ship")
        DEADLY.add("barrel")
        for _ in range(3):
            await dock.dies(made)
        found = await dock.goes_on(made)
        error = found.error
        assert isinstance(error, WorkerCrashError)
        assert (error.step, error.crashes) == ("load", 3)
        assert (found._run.record.current_step, found.state.loaded) == ("load_2", ["crate"])
        last = (await dock.store.read_log(UUID(made)))[-2]
        assert (last.kind, last.node, last.activation, last.attempt) == ("error", "load_2", "load_2", 1)

    asyncio.run(scenario())


def test_retry_goes_on_with_a_fresh_budget() -> None:
    """What killed the process is mended, so the step runs again and the run completes."""

    async def scenario() -> None:
        dock = Dock()
        made = await dock.made("Ship")
        DEADLY.add("barrel")
        for _ in range(3):
            await dock.dies(made)
        await dock.goes_on(made)
        DEADLY.clear()
        done = await dock.retried(made)
        assert (done.status, done.result) == (WorkflowStatus.COMPLETED, 2)

    asyncio.run(scenario())


def test_a_retry_that_dies_again_is_counted_from_one() -> None:
    """The repair is in the log, so the deaths before it are no longer in a row."""

    async def scenario() -> None:
        dock = Dock()
        made = await dock.made("Ship")
        DEADLY.add("crate")
        for _ in range(3):
            await dock.dies(made)
        await dock.goes_on(made)
        with pytest.raises(Death):
            await dock.retried(made)
        await dock.dies(made)
        DEADLY.clear()
        assert (await dock.goes_on(made)).status is WorkflowStatus.COMPLETED

    asyncio.run(scenario())


def test_a_commit_between_two_deaths_begins_the_count_anew() -> None:
    """A run that gets on is no poison, however often its host dies."""

    async def scenario() -> None:
        dock = Dock()
        made = await dock.made("Ship")
        for deadly in ("crate", "crate", "barrel", "barrel"):
            DEADLY.clear()
            DEADLY.add(deadly)
            await dock.dies(made)
        DEADLY.clear()
        assert (await dock.goes_on(made)).status is WorkflowStatus.COMPLETED
        assert await dock.kinds(made) == ["crash", "crash", "step", "crash", "crash", "step", "end"]

    asyncio.run(scenario())


def test_an_error_of_the_driving_process_is_no_death() -> None:
    """A drive that ends with an exception releases the instance, so nothing is counted."""

    async def scenario() -> None:
        dock = Dock()
        made = await dock.made("Ship")
        DEADLY.add("crate")
        for _ in range(5):
            with pytest.raises(Death):
                await dock.goes_on(made)
        assert await dock.kinds(made) == []

    asyncio.run(scenario())


def test_without_a_budget_it_is_taken_up_for_ever() -> None:
    """`crash_budget=None`."""

    async def scenario() -> None:
        dock = Dock(crash_budget=None)
        made = await dock.made("Ship")
        DEADLY.add("crate")
        for _ in range(12):
            await dock.dies(made)
        DEADLY.clear()
        assert (await dock.goes_on(made)).status is WorkflowStatus.COMPLETED

    asyncio.run(scenario())


def test_no_cleanup_runs_when_the_brake_stops_a_run() -> None:
    """The `finally` might be what kills; it runs after the operator's retry."""

    async def scenario() -> None:
        dock = Dock()
        made = await dock.made("Careful")
        DEADLY.add("crate")
        for _ in range(3):
            await dock.dies(made)
        assert (await dock.goes_on(made)).status is WorkflowStatus.FAILED_WORKER_CRASH
        assert "unload" not in CALLS
        DEADLY.clear()
        assert (await dock.retried(made)).status is WorkflowStatus.COMPLETED
        assert CALLS[-2:] == ["crate", "unload"]

    asyncio.run(scenario())


def test_branches_are_counted_as_one_place() -> None:
    """The first step under way is named; a retry lets both branches go on."""

    async def scenario() -> None:
        dock = Dock()
        made = await dock.made("Twin")
        DEADLY.add("crate")
        for _ in range(3):
            await dock.dies(made)
        found = await dock.goes_on(made)
        assert found.status is WorkflowStatus.FAILED_WORKER_CRASH
        DEADLY.clear()
        assert (await dock.retried(made)).status is WorkflowStatus.COMPLETED

    asyncio.run(scenario())


def test_branches_that_begin_behind_a_step_are_counted() -> None:
    """The commit of that step has entered the PARALLEL, and branches at their beginning are in no commit."""

    async def scenario() -> None:
        dock = Dock()
        made = await dock.made("Convoy")
        DEADLY.add("crate")
        for _ in range(3):
            await dock.dies(made)
        found = await dock.goes_on(made)
        assert found.status is WorkflowStatus.FAILED_WORKER_CRASH
        assert isinstance(found.error, WorkerCrashError)
        assert (found.error.step, found.error.crashes) == ("weigh", 3)
        assert CALLS.count("crate") == 6  # two branches, three times
        DEADLY.clear()
        assert (await dock.retried(made)).status is WorkflowStatus.COMPLETED

    asyncio.run(scenario())


def test_a_counted_death_lets_nobody_believe_that_the_run_waits() -> None:
    """One branch sleeps, the deadly one is at its beginning: whoever looks for runs to take up still finds it."""

    async def scenario() -> None:
        dock = Dock()
        made = await dock.made("Anchored")
        DEADLY.add("crate")
        for _ in range(2):
            await dock.dies(made)
        row = await dock.store.load_instance(UUID(made))
        assert (row.status, await dock.kinds(made)) == ("ACTIVE", ["step", "crash"])

    asyncio.run(scenario())


def test_branches_that_wait_for_their_turn_are_not_under_way() -> None:
    """One sleeps, and the limit holds the other one back, so nothing of the run can have killed the process."""

    async def scenario() -> None:
        dock = Dock()
        made = await dock.made("Queue")
        await (await dock.builder().load_workflow(made)).next_step()
        for _ in range(5):
            hold = await dock.store.hold(UUID(made))
            hold.driving()
            dock.store.drop_holds()
        assert (await dock.goes_on(made)).status is WorkflowStatus.COMPLETED
        assert "crash" not in await dock.kinds(made)

    asyncio.run(scenario())


def test_a_compensation_that_kills_is_stopped_and_goes_on_after_retry() -> None:
    """A rollback under way is no exception, and a retry goes on with the rollback."""

    async def scenario() -> None:
        dock = Dock()
        made = await dock.made("Sunk")
        DEADLY.add("unstow")
        for _ in range(3):
            await dock.dies(made)
        found = await dock.goes_on(made)
        assert found.status is WorkflowStatus.FAILED_WORKER_CRASH
        assert isinstance(found.error, WorkerCrashError)
        assert found.error.step == "stow"
        DEADLY.clear()
        assert (await dock.retried(made)).status is WorkflowStatus.FAILED_ROLLED_BACK
        assert CALLS[-1] == "unstow"

    asyncio.run(scenario())


def test_a_parent_is_not_stopped_by_its_child() -> None:
    """It only waits; what stops the child fails it as any error of a child does."""

    async def scenario() -> None:
        dock = Dock()
        made = await dock.made("Fleet")
        DEADLY.add("barrel")
        for _ in range(3):
            await dock.dies(made)
        found = await dock.goes_on(made)
        assert found.status is WorkflowStatus.FAILED_CHILD_WORKFLOW
        assert "crash" not in await dock.kinds(made)
        assert CALLS.count("barrel") == 3

    asyncio.run(scenario())


def test_a_process_that_dies_while_a_run_sleeps_is_not_counted() -> None:
    """Nothing of the run was under way."""

    async def scenario() -> None:
        dock = Dock()
        made = await dock.made("Moored")
        await (await dock.builder().load_workflow(made)).next_step()
        for _ in range(5):
            hold = await dock.store.hold(UUID(made))
            hold.driving()
            dock.store.drop_holds()
        assert (await dock.goes_on(made)).status is WorkflowStatus.COMPLETED
        assert "crash" not in await dock.kinds(made)

    asyncio.run(scenario())


def test_a_run_that_was_asked_to_end_may_end() -> None:
    """A cancel that lies in the mailbox leads out of the deadly step, so the brake lets it."""

    async def scenario() -> None:
        dock = Dock()
        made = await dock.made("Ship")
        DEADLY.add("crate")
        for _ in range(3):
            await dock.dies(made)
        found = await dock.builder().load_workflow(made)
        await found.cancel("poison")
        assert (await dock.builder().load_workflow(made)).status is WorkflowStatus.CANCELLED
        assert CALLS.count("crate") == 3

    asyncio.run(scenario())
