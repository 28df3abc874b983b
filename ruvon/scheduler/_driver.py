"""Driving what is due: instances whose timer, retry or timeout has come, each in a task of its own, a bounded number."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final, final
from uuid import UUID

from ruvon._schedules import SCHEDULE_KEY
from ruvon.engine import Engine
from ruvon.models import WorkflowStatus
from ruvon.providers import InstanceFilter, WorkflowBusyError, WorkflowNotFoundError
from ruvon.scheduler._backoff import Backoff

__all__ = ["Driver"]

_LOGGER: Final = logging.getLogger("ruvon.scheduler")
_GOING_ON: Final = (WorkflowStatus.ACTIVE.value, WorkflowStatus.COMPENSATING.value)


@final
class Driver:
    """Drives instances; an error of one is logged, and that one is left alone for a while.

    Args:
        engine: drives them.
        concurrency: how many at a time.
        ended: called when a drive has ended.
    """

    def __init__(self, engine: Engine, concurrency: int, ended: Callable[[], None]) -> None:
        self._engine = engine
        self._concurrency = concurrency
        self._ended = ended
        self._backoff = Backoff[UUID]()
        self._driven: dict[UUID, asyncio.Task[None]] = {}

    @property
    def driven(self) -> Sequence["asyncio.Task[None]"]:
        """The drives under way."""
        return list(self._driven.values())

    async def drive_due(self, group: asyncio.TaskGroup, told: Sequence[UUID] = ()) -> int:
        """Begin to drive what is due, and instances that were sent a message; how many."""
        begun = sum(self._begin(group, workflow_id) for workflow_id in told)
        if not self._has_room():
            return begun
        for workflow_id in await self._due(self._engine.clock.now_us()):
            if not self._has_room():
                break
            begun += self._begin(group, workflow_id)
        return begun

    async def take_up(self, group: asyncio.TaskGroup) -> int:
        """Go on with planned runs that a process left in the middle when it died; how many."""
        begun = 0
        for schedule in await self._engine.store.list_schedules():
            wanted = InstanceFilter(
                statuses=_GOING_ON,
                workflow_type=schedule.workflow_type,
                metadata={SCHEDULE_KEY: schedule.schedule_id},
            )
            for row in await self._engine.store.find_instances(wanted):
                begun += self._has_room() and self._begin(group, UUID(row.workflow_id))
        return begun

    async def next_us(self, until_us: int) -> int | None:
        """The next moment before another one at which an instance is due that nobody drives here."""
        if not self._has_room():
            return None
        found = await self._due(until_us)
        if not found:
            return None
        try:
            return (await self._engine.store.load_instance(found[0])).due_us
        except WorkflowNotFoundError:
            return None

    async def _due(self, until_us: int) -> list[UUID]:
        now = self._engine.clock.now_us()
        limit = self._concurrency + len(self._driven) + len(self._backoff)
        found = await self._engine.store.due_instances(until_us, limit=limit)
        return [item for item in found if item not in self._driven and not self._backoff.blocks(item, now)]

    def _has_room(self) -> bool:
        return len(self._driven) < self._concurrency

    def _begin(self, group: asyncio.TaskGroup, workflow_id: UUID) -> bool:
        if workflow_id in self._driven:
            return False
        self._driven[workflow_id] = group.create_task(self._drive(workflow_id))
        return True

    async def _drive(self, workflow_id: UUID) -> None:
        try:
            run = await self._engine.drive(workflow_id)
            now = self._engine.clock.now_us()
            if run.record.due_us is not None and run.record.due_us <= now and not run.status.is_terminal:
                self._backoff.failed(workflow_id, now)  # it stands where it stood
            else:
                self._backoff.worked(workflow_id)
        except WorkflowNotFoundError:
            self._backoff.worked(workflow_id)
        except WorkflowBusyError:
            self._backoff.failed(workflow_id, self._engine.clock.now_us())  # whoever drives it sees its timers
        except Exception:
            if self._backoff.failed(workflow_id, self._engine.clock.now_us()) == 1:
                _LOGGER.exception("the workflow %s cannot be driven; it is tried again", workflow_id)
        finally:
            del self._driven[workflow_id]
            self._ended()
