"""The application: it creates the runs of a range of cases and sends what the world has to say to each of them.

Everything it does is named by a key (of the creation, of the signal), so it may be killed at any moment and started again
with the same range: what was done is found, not done twice. The file `--done` keeps it from beginning at the beginning.
"""

import argparse
import asyncio
import random
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from examples.distributed.lab.cases import Case, case
from ruvon.builder import WorkflowBuilder
from ruvon.engine import WorkflowFinishedError
from ruvon.implementations.execution.celery import CeleryExecutionProvider
from ruvon.implementations.execution.queued import QueuedExecutionProvider
from ruvon.implementations.persistence.postgres import PoolSettings, PostgresPersistenceProvider
from ruvon.implementations.persistence.redis import RedisPersistenceProvider
from ruvon.providers import ExecutionProvider, PersistenceError, PersistenceProvider, WorkflowBusyError
from ruvon.workflow import Workflow

T = TypeVar("T")

WORKFLOW_FILE = Path(__file__).parents[1] / "workflow.py"
AT_ONCE = 24
PAUSE_S = 0.2


def open_store(url: str) -> PersistenceProvider:
    """The store at a URL."""
    if url.startswith("redis"):
        return RedisPersistenceProvider(url)
    return PostgresPersistenceProvider(url, pool=PoolSettings(min_size=1, max_size=6))


def open_builder(url: str, execution: ExecutionProvider) -> WorkflowBuilder:
    """A builder that knows the shop."""
    builder = WorkflowBuilder(
        persistence_provider=open_store(url), execution_provider=execution, plugins=False, import_roots=["examples"]
    )
    builder.register(WORKFLOW_FILE)
    return builder


async def insist(work: Callable[[], Awaitable[T]]) -> T:
    """Do it, again and again while the store is away; whoever reports that gives up at some time."""
    while True:
        try:
            return await work()
        except (PersistenceError, OSError):
            await asyncio.sleep(PAUSE_S)


class Application:
    """One process of it.

    Args:
        builder: the shop.
        done: the file with the numbers of the cases that need nothing more of it.
        chance: when messages come.
    """

    def __init__(self, builder: WorkflowBuilder, done: Path, chance: random.Random) -> None:
        self._builder = builder
        self._done = done
        self._chance = chance
        self._room = asyncio.Semaphore(AT_ONCE)

    async def serve(self, first: int, last: int) -> None:
        """Do what the cases from `first` to before `last` need."""
        known = set(self._done.read_text().split()) if self._done.exists() else set[str]()
        async with asyncio.TaskGroup() as group:
            for number in range(first, last):
                if str(number) in known:
                    continue
                await self._room.acquire()
                group.create_task(self._serve_one(case(number)))

    async def _serve_one(self, wanted: Case) -> None:
        try:
            run = await insist(lambda: self._create(wanted))
            async with asyncio.TaskGroup() as group:  # the world does not wait for the application
                group.create_task(self._tell(wanted))
                if not wanted.background:
                    group.create_task(insist(lambda: self._drive(run)))
        finally:
            self._room.release()
        with self._done.open("a") as done:
            done.write(f"{wanted.number}\n")

    async def _tell(self, wanted: Case) -> None:
        run = await insist(lambda: self._create(wanted))
        for message in wanted.messages:
            await asyncio.sleep(self._chance.uniform(0, 1))
            await insist(partial(run.signal, message.event, key=message.key, dedup=message.key))

    async def _create(self, wanted: Case) -> Workflow:
        return await self._builder.create_workflow(
            wanted.type, wanted.data, idempotency_key=wanted.key, if_exists="load", background=wanted.background
        )

    async def _drive(self, run: Workflow) -> None:
        try:
            await run.run()
        except (WorkflowBusyError, WorkflowFinishedError):
            return


async def main(url: str, broker: str, namespace: str, first: int, last: int, done: Path) -> None:
    execution = CeleryExecutionProvider(broker, namespace=namespace) if broker else QueuedExecutionProvider()
    builder = open_builder(url, execution)
    await insist(builder.initialize)
    print("the application is open", flush=True)
    await Application(builder, done, random.Random(first)).serve(first, last)
    await builder.close()
    print("the application has said everything", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--db", required=True)
    parser.add_argument("--broker", default="")
    parser.add_argument("--namespace", default="ruvon", help="the Celery queue, where others use the broker, too")
    parser.add_argument("--first", type=int, required=True)
    parser.add_argument("--last", type=int, required=True)
    parser.add_argument("--done", type=Path, required=True)
    given = parser.parse_args()
    asyncio.run(main(given.db, given.broker, given.namespace, given.first, given.last, given.done))
