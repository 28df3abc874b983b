"""Faults: what is killed, and how; each loop goes through all of its kinds before it repeats one."""

import asyncio
import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from examples.distributed.lab.machines import Postgres, Program, Redis
from tests.chaos.fleets import LEASE_S, Fleet

__all__ = ["Faults"]

ALONE = 3.0
"""A loop with one kind only, the application's death, is so much slower: it must come to do something, too."""
Kind = tuple[str, Callable[[], Awaitable[str]]]
"""The name of a fault, and what does it and says in words what it did."""


class Faults:
    """The faults of one fleet.

    Args:
        fleet: who suffers.
        chance: decides what comes when.
        pause: the shortest and the longest pause between two faults of a loop, in seconds.
        say: is told of each.
    """

    def __init__(
        self, fleet: Fleet, chance: random.Random, pause: tuple[float, float], say: Callable[[str], None]
    ) -> None:
        self._fleet = fleet
        self._chance = chance
        self._pause = pause
        self._say = say
        self._under_way: set[asyncio.Future[str]] = set()
        self.done: Counter[str] = Counter()

    @property
    def fleet_name(self) -> str:
        """Whose faults they are."""
        return self._fleet.name

    @property
    def loops(self) -> Sequence[Sequence[Kind]]:
        """The kinds of each loop."""
        fleet = self._fleet
        store: list[Kind] = [("store killed", self._kill_store)]
        if isinstance(fleet.store, Postgres):
            store.append(("backend killed", self._kill_backend))
        workers: list[Kind] = [("worker killed", self._kill_worker), ("worker frozen", self._freeze_worker)]
        others: list[Kind] = [("application killed", self._kill_application)]
        if fleet.broker is not None:
            workers.append(("pool process killed", self._kill_pool_process))
            others += [("broker flushed", self._flush), ("scheduler killed", self._kill_scheduler)]
        if isinstance(fleet.broker, Redis):  # a RabbitMQ is others' as well
            others.append(("broker killed", self._kill_broker))
        return store, workers, others

    @property
    def missing(self) -> list[str]:
        """What has not happened yet."""
        return [name for loop in self.loops for name, _ in loop if not self.done[name]]

    async def run(self) -> None:
        """All loops, until the task is cancelled."""
        async with asyncio.TaskGroup() as group:
            for kinds in self.loops:
                group.create_task(self._loop(kinds, 1 if len(kinds) > 1 else ALONE))

    async def _loop(self, kinds: Sequence[Kind], slower: float) -> None:
        bag: list[Kind] = []
        while True:
            await asyncio.sleep(slower * self._chance.uniform(*self._pause))
            if not bag:
                bag = self._chance.sample(kinds, len(kinds))
            name, work = bag.pop()
            begun = asyncio.ensure_future(work())
            self._under_way.add(begun)
            begun.add_done_callback(self._under_way.discard)
            text = await asyncio.shield(begun)
            self.done[name] += bool(text)
            if text:
                self._say(f"{self._fleet.name}: {name}{text}")

    async def finish(self) -> None:
        """Wait for what is under way: what was killed is started again, what is frozen is thawed."""
        await asyncio.gather(*self._under_way)

    # --- what each does -----------------------------------------------------------------------------------------------

    async def _kill_store(self) -> str:
        return await self._kill_server(self._fleet.store)

    async def _kill_broker(self) -> str:
        assert isinstance(self._fleet.broker, Redis)
        return await self._kill_server(self._fleet.broker)

    async def _kill_server(self, server: Postgres | Redis) -> str:
        self._fleet.fault()
        began = time.monotonic()
        await asyncio.to_thread(server.kill)
        await asyncio.sleep(self._chance.uniform(0.1, 2.0))
        await asyncio.to_thread(server.start)
        self._fleet.fault()
        return f", back after {time.monotonic() - began:.1f} s"

    async def _kill_backend(self) -> str:
        """One process of the server: PostgreSQL ends all others, and recovers."""
        children = await asyncio.to_thread(self._fleet.store.children)
        self._fleet.fault()
        victim = self._chance.choice(children)
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
        return f", one of {len(children)}"

    async def _kill_worker(self) -> str:
        return await self._kill_program(self._chance.choice(self._fleet.workers))

    async def _kill_scheduler(self) -> str:
        return await self._kill_program(self._chance.choice(self._fleet.schedulers))

    async def _kill_program(self, program: Program) -> str:
        self._fleet.fault()
        await asyncio.to_thread(program.kill)
        await asyncio.sleep(self._chance.uniform(0.0, 1.0))
        program.begin()
        return f", {program.name}"

    async def _kill_pool_process(self) -> str:
        """A process of Celery's pool alone: the others of the worker live on."""
        worker = self._chance.choice(self._fleet.workers)
        children = await asyncio.to_thread(worker.children)
        if not children:
            return ""
        self._fleet.fault()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._chance.choice(children), signal.SIGKILL)
        return f", of {worker.name}"

    async def _freeze_worker(self) -> str:
        """It stands still until its leases have run out, and goes on as if nothing had been."""
        worker = self._chance.choice(self._fleet.workers)
        self._fleet.fault()
        worker.freeze()
        try:
            await asyncio.sleep(LEASE_S + self._chance.uniform(0.5, 2.0))
        finally:
            worker.thaw()
        self._fleet.fault()
        return f", {worker.name}, for longer than its lease"

    async def _kill_application(self) -> str:
        application = self._fleet.application
        if application.status is not None:  # it has said everything
            if self.done["application killed"]:
                return ""
            application.begin()
        return await self._kill_program(application)

    async def _flush(self) -> str:
        assert self._fleet.broker is not None
        self._fleet.fault()
        await asyncio.to_thread(self._fleet.broker.flush)
        return ", every message is lost"
