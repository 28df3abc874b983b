"""A process that takes a hold, says so, and waits to be killed."""

import asyncio
import sys
from uuid import UUID

from ruvon.implementations.persistence.postgres import PostgresPersistenceProvider


async def main(url: str, workflow_id: str) -> None:
    """Hold, tell, wait."""
    store = PostgresPersistenceProvider(url)
    await store.initialize()
    hold = await store.hold(UUID(workflow_id))
    hold.driving()
    print("held", flush=True)  # noqa: T201 - the test reads it
    await asyncio.sleep(600)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
