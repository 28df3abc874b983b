"""Workers in the test's own process, and definitions whose every step is queued."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import fields, is_dataclass, replace
from datetime import timedelta
from typing import Any

from ruvon.builder import WorkflowBuilder
from ruvon.ir import Definition
from ruvon.ir._nodes import Call
from ruvon.worker import Worker

__all__ = ["all_queued", "until", "working"]


def all_queued(definition: Definition, queue: str = "q") -> Definition:
    """The same definition with every call in a queue, but those that share their commit."""
    return replace(definition, graph=_queued(definition.graph, queue))


def _queued(value: Any, queue: str) -> Any:
    if isinstance(value, Call):
        outside = value.transaction or value.type == "RESTART"
        return value if outside else replace(value, queue=value.queue or queue)
    if isinstance(value, Mapping):
        return {name: _queued(item, queue) for name, item in value.items()}
    if isinstance(value, tuple):
        return tuple(_queued(item, queue) for item in value)
    if is_dataclass(value) and not isinstance(value, type) and type(value).__module__ == "ruvon.ir._nodes":
        return replace(value, **{item.name: _queued(getattr(value, item.name), queue) for item in fields(value)})
    return value


@asynccontextmanager
async def working(builder: WorkflowBuilder, **options: Any) -> AsyncGenerator[Worker, None]:
    """A worker of this process while the block runs; it drains at the end."""
    options = {"poll": timedelta(milliseconds=50), "grace": timedelta(seconds=5), **options}
    worker = Worker(builder, **options)
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        await task


async def until(workflow: Any, *, seconds: float = 20, there: Any = None) -> None:
    """Until the workflow has ended, or something else is so."""
    for _ in range(int(seconds * 200)):
        await workflow.refresh()
        if there() if there is not None else workflow.status.is_terminal:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"still {workflow.status}: {workflow.error!r}")
