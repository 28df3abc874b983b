"""Two processes drive one instance at once: one of them wins, the other is told, and nothing happens twice (law 3)."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ruvon.engine import Engine, StepCall
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.models import WorkflowStatus
from ruvon.providers import Hold, PersistenceProvider, StaleWorkflowError, WorkflowBusyError
from ruvon.testing import SeededIds, VirtualClock, VirtualLoop, run_virtual
from ruvon.testing._outcome import InstanceOutcome, instance_outcome
from ruvon.testing._scenario import ROOT as INSTANCE
from ruvon.testing._shapes import differences, shape
from tests.simulation import flows
from tests.simulation.cases import CASES, builder, scenario
from tests.support.cases import CAMPAIGN

pytestmark = pytest.mark.campaign

SEEDS = range(max(CAMPAIGN // 100, 4))
NAMES = ("Sequence", "Loops", "Mapped", "Rolled", "Retried")


class NoHold:
    """A hold that excludes nobody: a lock that a process believes to have and has lost."""

    def __init__(self) -> None:
        self.token = next(TOKENS)
        self.died = False

    def driving(self) -> None:
        """Nobody is told of a death."""

    def listen(self, notify: Callable[[], None] | None, /) -> None:
        """Nobody is told."""

    async def release(self) -> None:
        """There is nothing to give back."""


TOKENS = (number.to_bytes(8) for number in itertools.count(1))


class LostLocks:
    """A store whose locks exclude nobody; only its revisions are left."""

    def __init__(self, inner: PersistenceProvider) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def hold(self, workflow_id: UUID, /) -> Hold:
        """Everybody may."""
        return NoHold()


@dataclass
class World:
    """Two processes over one place."""

    engines: list[Engine]
    bodies: list[tuple[str, str, int]] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)

    def slow(self, seed: int) -> Callable[[StepCall, Callable[[], Any]], Any]:
        """Bodies that take their time, so that the other process comes in between."""

        def intercept(call: StepCall, proceed: Callable[[], Any]) -> Any:
            async def body() -> Any:
                self.bodies.append((call.workflow_id, call.activation, call.attempt))
                drawn = random.Random(f"{seed}/{len(self.bodies)}").choice((0.0, 0.001, 0.01, 0.1))
                await asyncio.sleep(drawn)
                made = proceed()
                return await made if asyncio.iscoroutine(made) else made

            return body()

        return intercept


@asynccontextmanager
async def two_processes(kind: str, folder: Path, seed: int, loop: VirtualLoop, *, locks: bool) -> AsyncIterator[World]:
    """Two engines over one memory store, or over two providers on one file."""
    clock = VirtualClock(loop)
    world = World([])
    shared = MemoryPersistenceProvider(clock)
    stores: list[Any] = [
        shared if kind == "memory" else SQLitePersistenceProvider(folder / f"{seed}.db", durability="OFF", clock=clock)
        for _ in range(2)
    ]
    ids = SeededIds(seed)
    for store in stores:
        await store.initialize()
        seen: Any = store if locks else LostLocks(store)
        world.engines.append(builder().new_engine(seen, clock=clock, ids=ids, interceptors=[world.slow(seed)]))
    yield world
    for store in stores:
        await store.close()


async def race(world: World, name: str, seed: int) -> InstanceOutcome:
    """Both drive at moments that the seed draws, until the instance has ended; how it stands then."""
    flows.BANK.clear()
    first = world.engines[0]
    record, definition = first.new_record(first.program_for(name, None), INSTANCE, flows.Box())
    await first.create(record, definition)

    async def process(engine: Engine, number: int) -> None:
        chance = random.Random(f"{seed}/process/{number}")
        while not WorkflowStatus((await engine.store.load_instance(INSTANCE)).status).is_terminal:
            await asyncio.sleep(chance.choice((0.0, 0.001, 0.05, 1.0)))
            try:
                await engine.drive(INSTANCE)
            except (StaleWorkflowError, WorkflowBusyError) as exc:  # anything else ends the race
                world.errors.append(exc)

    await asyncio.gather(*(process(engine, number) for number, engine in enumerate(world.engines)))
    return await instance_outcome(first, INSTANCE)


def one_race(name: str, kind: str, folder: Path, seed: int, *, locks: bool) -> tuple[World, InstanceOutcome]:
    """One race on a virtual loop of its own."""

    async def work(loop: VirtualLoop) -> tuple[World, InstanceOutcome]:
        async with two_processes(kind, folder, seed, loop, locks=locks) as world:
            return world, await race(world, name, seed)

    return run_virtual(work)


def raced(name: str, kind: str, folder: Path, *, locks: bool) -> list[World]:
    """The race under every seed; each ends as one process alone ends it."""
    alone = scenario(next(case for case in CASES if case.name == name)).run()
    calm, bank = alone.instances[str(INSTANCE)], alone.outside["tests.simulation.flows.BANK"]
    worlds: list[World] = []
    for seed in SEEDS:
        world, found = one_race(name, kind, folder, seed, locks=locks)
        worlds.append(world)

        ends = [(item.status, item.state, item.result, item.steps) for item in (found, calm)]
        assert ends[0] == ends[1]
        assert [seq for seq, _, _ in found.entries] == list(range(1, len(found.entries) + 1))
        assert differences("the bank", bank, shape(flows.BANK), ordered=False) == []
    return worlds


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_one_of_two_processes_drives(name: str, kind: str, tmp_path: Path) -> None:
    """The other one gets WorkflowBusyError; every body ran once, and the end is that of one process alone."""
    worlds = raced(name, kind, tmp_path, locks=True)

    assert {type(error) for world in worlds for error in world.errors} == {WorkflowBusyError}
    assert all(len(world.bodies) == len(set(world.bodies)) for world in worlds)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_process_that_has_lost_its_lock_changes_nothing(name: str, kind: str, tmp_path: Path) -> None:
    """Without any lock the revision decides: the late one gets StaleWorkflowError, and nothing of its turn is kept."""
    worlds = raced(name, kind, tmp_path, locks=False)

    assert {type(error) for world in worlds for error in world.errors} == {StaleWorkflowError}
