"""A worker and a scheduler inside the server's process: for a machine of its own, where nothing else runs."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from ruvon.builder import WorkflowBuilder
from ruvon.scheduler import Scheduler
from ruvon.worker import Worker

__all__ = ["working"]

_LOGGER: Final = logging.getLogger("ruvon.server")
_QUEUE: Final = "default"
_LEASE: Final = timedelta(seconds=10)
"""So long after the death of a server the next one goes on with what it had."""
_AFTER_S: Final = 2.0
"""So long after its grace a worker is waited for that gives back what it has."""


@asynccontextmanager
async def working(builder: WorkflowBuilder, *, grace_s: float) -> AsyncGenerator[None, None]:
    """Run steps, timers and schedules, meanwhile, and go on with what a process has left that died.

    Runs that are led step by step (`run: false`) are left alone: nothing stands in the queue for them.

    Args:
        builder: the workflows and their store, which is open.
        grace_s: so long at the end steps may take that are under way, in seconds.
    """
    runner: Worker | Scheduler
    if builder.execution.runs_queued(_QUEUE):
        runner = Worker(builder, lease=_LEASE, grace=timedelta(seconds=grace_s))
    else:
        runner = Scheduler(builder)
    task = asyncio.create_task(runner.run(), name="ruvon-server-worker")
    task.add_done_callback(_tell)
    try:
        yield
    finally:
        runner.stop()
        await asyncio.wait({task}, timeout=grace_s + _AFTER_S)
        if not task.done():
            task.cancel()
            await asyncio.wait({task})


def _tell(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (exc := task.exception()) is not None:
        _LOGGER.critical("the worker of this server has ended; start the server again: %s", exc, exc_info=exc)
