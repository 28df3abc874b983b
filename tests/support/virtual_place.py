"""A memory store on virtual time, and processes over it that fail and die."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.ir import Definition
from ruvon.providers import PersistenceError, Transition
from ruvon.testing._loop import VirtualClock, VirtualLoop

__all__ = ["DEADLINE", "Place"]

DEADLINE = timedelta(seconds=30)


class Place:
    """A store on virtual time, and processes over it."""

    def __init__(self, loop: VirtualLoop, flows: Any, definitions: Sequence[Definition]) -> None:
        self.definitions = definitions
        self.clock = VirtualClock(loop)
        self.store = MemoryPersistenceProvider(self.clock)
        self.gates = flows.fresh()

    def builder(self, deadline: timedelta | None = DEADLINE) -> WorkflowBuilder:
        """A process."""
        made = WorkflowBuilder(
            persistence_provider=self.store,
            clock=self.clock,
            plugins=False,
            import_roots=["tests"],
            cleanup_deadline=deadline,
        )
        made.register(*self.definitions)
        return made

    async def running(self, name: str, builder: WorkflowBuilder | None = None) -> "tuple[Any, asyncio.Task[Any]]":
        """An instance whose step `work` runs, and the drive."""
        made = await (builder or self.builder()).create_workflow(name, {})
        task = asyncio.ensure_future(made.run())
        await self.gates.running.wait()
        return made, task

    async def cancelled(self, name: str, builder: WorkflowBuilder | None = None) -> Any:
        """An instance that was cancelled in `work`, driven as far as it goes."""
        builder = builder or self.builder()
        run, task = await self.running(name, builder)
        other = await builder.load_workflow(run.id)
        await other.cancel("enough")
        await task
        return other

    async def status(self, workflow_id: str) -> str:
        """Where an instance stands."""
        return (await self.store.load_instance(UUID(workflow_id))).status

    async def cuts(self, workflow_id: str) -> list[str]:
        """The nodes at which a cleanup was cut short."""
        log = await self.store.read_log(UUID(workflow_id))
        return [entry.node for entry in log if entry.error is not None and b"CleanupDeadlineError" in entry.error]

    def fail_from(self, number: int) -> None:
        """Let the commit of this number and all after it fail."""
        count = 0

        async def commit(transition: Transition, /) -> None:
            nonlocal count
            count += 1
            if count >= number:
                raise PersistenceError("the disk is full")
            await MemoryPersistenceProvider.commit(self.store, transition)

        self.store.commit = commit  # type: ignore[method-assign]

    def mend(self) -> None:
        """The store works again."""
        del self.store.commit

    def die(self) -> None:
        """Whoever held anything is gone without a word."""
        self.store._holds.clear()
