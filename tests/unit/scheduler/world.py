"""A scheduler over a memory store in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.providers import microseconds_of
from ruvon.scheduler import Scheduler
from ruvon.testing import SeededIds, VirtualClock, VirtualLoop, run_virtual
from tests.unit.scheduler import flows

__all__ = ["START", "World", "at", "in_world"]

START = datetime(2026, 1, 1, tzinfo=UTC)
DEFINITIONS: list[Any] = []


def at(*parts: int) -> int:
    """A moment in UTC, in microseconds."""
    year, month, day, *rest = parts
    return microseconds_of(datetime(year, month, day, *rest, tzinfo=UTC))


class World:
    """A builder with the flows, on a virtual clock."""

    def __init__(self, loop: VirtualLoop, start: datetime = START, store: Any = None, workflows: Any = None) -> None:
        self.clock = VirtualClock(loop, start)
        self.store = store or MemoryPersistenceProvider(self.clock)
        self.builder = WorkflowBuilder(
            persistence_provider=self.store, clock=self.clock, ids=SeededIds(), plugins=False, import_roots=["tests"]
        )
        self.builder.register(*(compiled() if workflows is None else workflows))

    def scheduler(self, **options: Any) -> Scheduler:
        """A scheduler that looks for what others wrote once an hour."""
        return Scheduler(self.builder, **{"poll": timedelta(hours=1), "sync": False, **options})

    @asynccontextmanager
    async def scheduling(self, **options: Any) -> Any:
        """A scheduler that runs beside the test, and is drained at its end."""
        made = self.scheduler(**options)
        async with asyncio.TaskGroup() as group:
            group.create_task(made.run())
            yield made
            made.stop()

    async def until(self, *parts: int) -> None:
        """Let time pass until a moment in UTC."""
        await self.clock.sleep_us(at(*parts) - self.clock.now_us() + 1)

    async def runs(self) -> list[Any]:
        """Every instance, by its planned moment."""
        listed = await self.store.list_workflows(limit=10_000)
        rows = [await self.store.load_instance(_uuid(item["workflow_id"])) for item in listed]
        return sorted(rows, key=lambda row: (row.scheduled_for_us or 0, str(row.workflow_id)))


def _uuid(text: Any) -> Any:
    from uuid import UUID

    return UUID(str(text))


def compiled() -> list[Any]:
    """The definitions of the flows, compiled once."""
    if not DEFINITIONS:
        made = WorkflowBuilder(plugins=False, import_roots=["tests"])
        made.register(*flows.WORKFLOWS)
        DEFINITIONS.extend(made.get_definition(item.name) for item in flows.WORKFLOWS)
    return DEFINITIONS


def in_world(work: Callable[[World], Awaitable[None]], **options: Any) -> None:
    """Run a test in a world of its own."""
    flows.DONE.clear()
    flows.FAILS.clear()

    async def scenario(loop: VirtualLoop) -> None:
        await work(World(loop, **options))

    run_virtual(scenario)
