"""A process that takes a hold and a duty, says so, and waits to be killed."""

import asyncio
import sys
from uuid import UUID

from ruvon.implementations.persistence.redis import RedisPersistenceProvider


async def main(url: str, prefix: str, workflow_id: str) -> None:
    """Hold, tell, wait."""
    store = RedisPersistenceProvider(url, prefix=prefix, lease_s=60)
    await store.initialize()
    hold = await store.hold(UUID(workflow_id))
    duty = await store.take_duty("outbox")
    hold.driving()
    print("held" if duty is not None else "no duty", flush=True)  # noqa: T201 - the test reads it
    await asyncio.sleep(600)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
