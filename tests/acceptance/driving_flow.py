"""A process that drives without being a worker: an application, or a scheduler; killed by `test_takeover.py`."""

import asyncio
import sys

from ruvon.builder import WorkflowBuilder
from ruvon.implementations.execution.queued import QueuedExecutionProvider
from ruvon.scheduler import Scheduler
from tests.acceptance.poison_flow import opened
from tests.support.places import FLOW

TAKEOVER_US = 1_000_000


async def main(kind: str, url: str, workflow_id: str) -> None:
    """Drive one workflow, or everything that is due."""
    builder = WorkflowBuilder(
        persistence_provider=opened(url),
        execution_provider=QueuedExecutionProvider(),
        plugins=False,
        import_roots=["tests"],
    )
    await builder.initialize()
    builder.register(FLOW)
    builder.engine().takeover_us = TAKEOVER_US
    if kind == "scheduler":
        print("the scheduler runs", flush=True)  # noqa: T201 - the test waits for it
        await Scheduler(builder).run()
    else:
        await (await builder.load_workflow(workflow_id)).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
