"""The workflow of the acceptance test on Redis, in a process that is killed again and again."""

import asyncio
import sys
from pathlib import Path

from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.redis import RedisPersistenceProvider
from ruvon.models import WorkflowStatus
from ruvon.providers import WorkflowBusyError
from tests.acceptance.killed_flow import killed


async def main(folder: Path) -> None:
    """Create the one instance, or go on with it; print the result when it ends."""
    url, prefix = (folder / "url.txt").read_text(encoding="utf-8").split()
    store = RedisPersistenceProvider(url, prefix=prefix)
    builder = WorkflowBuilder(persistence_provider=store)
    await builder.initialize()
    builder.register(killed)
    run = await builder.create_workflow(
        "Killed", {"path": str(folder / "ledger.txt")}, idempotency_key="the one", if_exists="load"
    )
    while run.status is not WorkflowStatus.COMPLETED:
        try:
            await run.run()
        except WorkflowBusyError:  # the server has not noticed yet that the process before this one is dead
            await asyncio.sleep(0.01)
    print(run.status.value, run.result, list(run.state.written), flush=True)  # noqa: T201 - the test reads it
    await builder.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
