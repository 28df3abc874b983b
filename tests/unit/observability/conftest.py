"""A builder over `tracing_flows` with a clock that jumps, and a run of it in two processes' worth of builders."""

import asyncio
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.ir import Definition, ImportRoots
from ruvon_dsl import compile_function, require
from tests.support import tracing_flows as flows
from tests.support.engine_world import CountedIds, JumpingClock


@cache
def _definitions() -> tuple[Definition, ...]:
    roots = ImportRoots({"tests"})
    found = (compile_function(item, roots=roots) for item in (flows.below, flows.traced))
    return tuple(item.definition for result in found for item in require(result))


class World:
    """One store and one clock; each builder over them stands for a process."""

    def __init__(self) -> None:
        self.clock = JumpingClock()
        self.ids = CountedIds()
        self.store = MemoryPersistenceProvider(self.clock)

    def builder(self, *observers: object) -> WorkflowBuilder:
        """A process with these observers."""
        made = WorkflowBuilder(
            persistence_provider=self.store,
            clock=self.clock,
            ids=self.ids,
            plugins=False,
            import_roots=["tests"],
            observer=list(observers),
        )
        made.register(*_definitions())
        return made


async def play(first: WorkflowBuilder, second: WorkflowBuilder, *, fails: bool = False) -> Any:
    """Run to the person's wait in one process, an hour later to the end in another."""
    run = await first.create_workflow("Traced", flows.Order(fails=fails))
    await run.run()
    first.clock.advance(3_600_000_000)  # type: ignore[attr-defined]
    again = await second.load_workflow(run.id)
    await again.answer(flows.Said(yes=True))
    return again


@pytest.fixture
def world() -> World:
    """A fresh store and clock."""
    return World()


@pytest.fixture
def played(world: World) -> Callable[..., Any]:
    """Run `Traced` before these observers; they are told everything and closed."""

    def run(*observers: object, fails: bool = False) -> Any:
        async def work() -> Any:
            builder = world.builder(*observers)
            done = await play(builder, builder, fails=fails)
            await builder.close()
            return done

        return asyncio.run(work())

    return run
