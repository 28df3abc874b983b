"""A workflow whose second step takes its process down until a file is there; run by `test_poison.py`."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from pydantic import BaseModel

from ruvon import step, workflow
from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.postgres import PoolSettings, PostgresPersistenceProvider
from ruvon.implementations.persistence.redis import RedisPersistenceProvider
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.providers import PersistenceProvider, WorkflowBusyError


class Cargo(BaseModel):
    folder: str
    loaded: list[str] = []


@step
def load(state: Cargo, what: str) -> None:
    """The effect: one line, on disk before the step returns, or before the system kills the process."""
    folder = Path(state.folder)
    with (folder / "ledger.txt").open("a", encoding="utf-8") as file:
        file.write(f"{what}\n")
        file.flush()
        os.fsync(file.fileno())
    if what == "barrel" and not (folder / "mended").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    state.loaded.append(what)


@workflow("Poison", version="1")
async def poison(state: Cargo) -> list[str]:
    await load(state, what="crate")
    await load(state, what="barrel")
    return state.loaded


def opened(url: str) -> PersistenceProvider:
    """The store that a URL names."""
    if url.startswith("redis:"):
        return RedisPersistenceProvider(url)
    if url.startswith("postgresql:"):
        return PostgresPersistenceProvider(url, pool=PoolSettings(min_size=1))
    return SQLitePersistenceProvider(url)


async def main(folder: Path) -> None:
    """Create the one instance, or go on with it, and print how it stands."""
    url = (folder / "url.txt").read_text(encoding="utf-8")
    builder = WorkflowBuilder(persistence_provider=opened(url), crash_budget=3)
    await builder.initialize()
    builder.register(poison)
    run = await builder.create_workflow("Poison", {"folder": str(folder)}, idempotency_key="it", if_exists="load")
    if not run.status.is_terminal:
        async with asyncio.timeout(30):
            while not run.status.is_terminal:
                try:
                    await run.run()
                except WorkflowBusyError:  # the server has not noticed yet that the process before this one is dead
                    await asyncio.sleep(0.01)
    print(run.id, run.status.value, flush=True)  # noqa: T201 - the test reads it
    await builder.close()


if __name__ == "__main__":
    from tests.acceptance import poison_flow  # under its own name, so that commands find what is stored

    asyncio.run(poison_flow.main(Path(sys.argv[1])))
