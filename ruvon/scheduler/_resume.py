"""`resume_all`: one pass over everything that can go on, for an operator or a cron of the system."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, final
from uuid import UUID

from ruvon.builder import WorkflowBuilder
from ruvon.engine import Engine
from ruvon.ir import RuvonError
from ruvon.providers import InstanceRecord, WorkflowBusyError, WorkflowNotFoundError
from ruvon.scheduler._driver import going_on

__all__ = ["Resumed", "resume_all"]

_LEFT: Final = -2
"""In place of a revision: somebody else drives it, so it is not looked at again."""


@final
@dataclass(frozen=True, slots=True)
class Resumed:
    """What came of an instance that was to go on."""

    workflow_id: UUID
    status: str
    """Where it stands now."""
    problem: str = ""
    """Why it could not be driven; it stands where it stood."""
    busy: bool = False
    """Somebody else drives it."""


async def resume_all(
    builder: WorkflowBuilder,
    *,
    concurrency: int = 32,
    wanted: Callable[[InstanceRecord], bool] = lambda _: True,
    on_item: Callable[[Resumed], None] = lambda _: None,
) -> Sequence[Resumed]:
    """Drive every instance that can go on, as far as it goes now, and give what came of each.

    That is whatever waits for nothing, has a timer that is due, or has a message: runs whose process died and runs that
    were never driven. What somebody else drives is left to him, so any number of these may run at once. A run that has to
    wait is left alone; nothing sleeps here.

    Args:
        builder: the workflows and their store.
        concurrency: so many at once.
        wanted: whether an instance is meant; all are where nothing is said.
        on_item: told of each instance as soon as it rests, again where another one has set it free.
    """
    engine = builder.engine()
    slots = asyncio.Semaphore(concurrency)
    done: dict[UUID, Resumed] = {}
    tried: dict[UUID, int] = {}

    async def one(workflow_id: UUID) -> None:
        async with slots:
            done[workflow_id] = made = await _resumed(engine, workflow_id)
            on_item(made)
        if made.busy:
            tried[workflow_id] = _LEFT

    while fresh := await _untried(engine, tried, wanted):
        async with asyncio.TaskGroup() as group:
            for workflow_id in fresh:
                group.create_task(one(workflow_id))
    return list(done.values())


async def _untried(engine: Engine, tried: dict[UUID, int], wanted: Callable[[InstanceRecord], bool]) -> list[UUID]:
    """What can go on and has changed since it was driven here; a drive may have set another one free."""
    store = engine.store
    found = [workflow_id async for workflow_id in going_on(store)]
    found += await store.due_instances(engine.clock.now_us(), limit=1_000)
    found += [workflow_id for workflow_id, _ in await store.unread_instances(limit=1_000)]
    fresh: list[UUID] = []
    for workflow_id in dict.fromkeys(found):
        try:
            record = await store.load_instance(workflow_id)
        except WorkflowNotFoundError:
            continue
        if wanted(record) and tried.get(workflow_id, -1) not in {record.revision, _LEFT}:
            tried[workflow_id] = record.revision
            fresh.append(workflow_id)
    return fresh


async def _resumed(engine: Engine, workflow_id: UUID) -> Resumed:
    problem, busy = "", False
    try:
        await engine.drive(workflow_id)
    except WorkflowBusyError:
        busy = True
    except RuvonError as exc:  # one that cannot be driven here must not keep the others
        problem = str(exc)
    try:
        status = (await engine.store.load_instance(workflow_id)).status
    except WorkflowNotFoundError:
        status = "deleted"
    return Resumed(workflow_id, status, problem, busy)
