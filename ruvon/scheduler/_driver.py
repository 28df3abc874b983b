"""Driving what is due: instances whose timer, retry or timeout has come, each in a task of its own, a bounded number."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, final
from uuid import UUID

from ruvon._schedules import SCHEDULE_KEY
from ruvon.engine import Engine
from ruvon.ir import RuvonError
from ruvon.models import WorkflowStatus
from ruvon.providers import EngineStore, InstanceFilter, WorkflowBusyError, WorkflowNotFoundError
from ruvon.scheduler._backoff import Backoff

__all__ = ["Driver", "going_on"]

_LOGGER: Final = logging.getLogger("ruvon.scheduler")
_PAGE: Final = 100
_GOING_ON: Final = (WorkflowStatus.ACTIVE.value, WorkflowStatus.COMPENSATING.value)


async def going_on(store: EngineStore) -> AsyncIterator[UUID]:
    """Every instance that waits for nothing, driven or not, newest first."""
    wanted, after = InstanceFilter(statuses=_GOING_ON), None
    while True:
        page = await store.find_instances(wanted, limit=_PAGE, after=after)
        for row in page:
            yield UUID(row.workflow_id)
        if len(page) < _PAGE:
            return
        after = (page[-1].created_us, page[-1].key)


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
        self._read = 0
        """The newest message of instances that were driven because of their messages."""
        self.problems: dict[UUID, str] = {}
        """Why an instance could not be driven when it was tried last."""

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

    async def adopt(self, group: asyncio.TaskGroup) -> tuple[int, bool]:
        """Go on with whatever nobody drives and can go on, whoever made it; how many, and whether that were all."""
        begun = 0
        async for workflow_id in going_on(self._engine.store):
            if not self._has_room():
                return begun, False
            begun += self._begin(group, workflow_id)
        for workflow_id, newest in await self._engine.store.unread_instances(after=self._read):
            if not self._has_room():
                return begun, False
            begun += self._begin(group, workflow_id)
            self._read = newest
        return begun, True

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
        self.problems.pop(workflow_id, None)
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
        except RuvonError as exc:  # says itself what is wrong and what to do
            self.problems[workflow_id] = str(exc)
            if self._backoff.failed(workflow_id, self._engine.clock.now_us()) == 1:
                _LOGGER.error("the workflow %s cannot be driven; it is tried again: %s", workflow_id, exc)  # noqa: TRY400
        except Exception as exc:
            self.problems[workflow_id] = f"{type(exc).__name__}: {exc}"
            if self._backoff.failed(workflow_id, self._engine.clock.now_us()) == 1:
                _LOGGER.exception("the workflow %s cannot be driven; it is tried again", workflow_id)
        finally:
            del self._driven[workflow_id]
            self._ended()
