"""Workflows over an encrypted file, driven for as long as `test_rotate_killed.py` lets them, in a process of its own."""

import asyncio
import os
import sys
from pathlib import Path

from pydantic import BaseModel

from ruvon import step, workflow
from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.postgres import PostgresPersistenceProvider
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.providers import PersistenceProvider


class Account(BaseModel):
    owner: str
    steps: int = 0


@step
async def count(state: Account) -> None:
    """One more."""
    state.steps += 1
    await asyncio.sleep(0)


@workflow("Encrypted", version="1")
async def encrypted(state: Account) -> int:
    for _ in range(30):
        await count(state)
    return state.steps


def new_store(database: str) -> PersistenceProvider:
    """The store that a name means."""
    if database.startswith("postgresql"):
        return PostgresPersistenceProvider(database)
    return SQLitePersistenceProvider(database)


async def main(database: str, stop: Path) -> None:
    """Run one workflow after the other, four at a time, until a file says that it is enough."""
    builder = WorkflowBuilder(persistence_provider=new_store(database))
    await builder.initialize()
    builder.register(encrypted)
    done = 0

    async def lane() -> None:
        nonlocal done
        while not stop.exists():  # noqa: ASYNC240 - one system call
            run = await builder.create_workflow("Encrypted", {"owner": "canary4711"})
            await run.run()
            assert run.result == 30, run.result
            done += 1
            print(done, flush=True)  # noqa: T201 - the test reads it

    await asyncio.gather(*(lane() for _ in range(4)))
    await builder.close()


if __name__ == "__main__":
    assert os.environ["RUVON_ENCRYPTION_KEY"]
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
