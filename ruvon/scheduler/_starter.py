"""Planned starts: each planned moment becomes one instance, in the transaction that moves its schedule on."""

import logging
from dataclasses import replace
from typing import Final, final
from uuid import UUID

import orjson

from ruvon._schedules import planned_run, run_id
from ruvon.cron import Plan
from ruvon.engine import Engine
from ruvon.ir import RuvonError
from ruvon.models import WorkflowStatus
from ruvon.providers import (
    DefinitionRecord,
    InboxEntry,
    InboxKind,
    InstanceRecord,
    ScheduleNotFoundError,
    ScheduleRecord,
    StaleScheduleError,
    WorkflowNotFoundError,
    datetime_of,
)
from ruvon.scheduler._advance import Advance, advance
from ruvon.scheduler._backoff import Backoff

__all__ = ["Starter"]

_LOGGER: Final = logging.getLogger("ruvon.scheduler")
_BATCH: Final = 100


@final
class Starter:
    """Starts what schedules have planned."""

    def __init__(self, engine: Engine, grace_us: int) -> None:
        self._engine = engine
        self._grace_us = grace_us
        self._backoff = Backoff[str]()
        self.problems: dict[str, str] = {}
        """Why a schedule could not be started when it was due last."""

    async def start_due(self) -> tuple[list[UUID], list[UUID]]:
        """Start what is due: the new instances, and those that were told to end."""
        now = self._engine.clock.now_us()
        started: list[UUID] = []
        told: list[UUID] = []
        for schedule in await self._due(now):
            name = schedule.schedule_id
            self.problems.pop(name, None)
            try:
                step = await self._step(schedule, now)
                if step is not None:
                    told += await self._cancel(schedule) if step.cancels else []
                    started += await self._take(step)
            except (StaleScheduleError, ScheduleNotFoundError):
                continue  # another scheduler, or an operator, was first; the next turn sees what it left
            except RuvonError as exc:  # a mistake that its sentence explains
                self.problems[name] = str(exc)
                if self._backoff.failed(name, now) == 1:
                    _LOGGER.error("the schedule `%s` cannot be started; it is tried again: %s", name, exc)  # noqa: TRY400
            except Exception as exc:
                self.problems[name] = f"{type(exc).__name__}: {exc}"
                if self._backoff.failed(name, now) == 1:
                    _LOGGER.exception("the schedule `%s` cannot be started; it is tried again", name)
            else:
                self._backoff.worked(name)
        return started, told

    async def next_us(self, until_us: int) -> int | None:
        """The next planned moment before another one."""
        found = await self._engine.store.due_schedules(until_us, limit=_BATCH + len(self._backoff))
        now = self._engine.clock.now_us()
        moments = [
            item.next_us
            for item in found
            if item.next_us is not None and item.next_us <= until_us and not self._backoff.blocks(item.schedule_id, now)
        ]
        return min(moments, default=None)

    async def _due(self, now: int) -> list[ScheduleRecord]:
        found = await self._engine.store.due_schedules(now, limit=_BATCH + len(self._backoff))
        return [item for item in found if not self._backoff.blocks(item.schedule_id, now)]

    async def _step(self, schedule: ScheduleRecord, now: int) -> Advance | None:
        plan = Plan(schedule.cron, schedule.timezone)
        running = schedule.overlap != "allow" and await self._is_running(schedule)
        return advance(schedule, plan, now_us=now, grace_us=self._grace_us, running=running)

    async def _is_running(self, schedule: ScheduleRecord) -> bool:
        if schedule.last_workflow_id is None:
            return False
        try:
            last = await self._engine.store.load_instance(schedule.last_workflow_id)
        except WorkflowNotFoundError:
            return False  # it ended so long ago that it was deleted
        return not WorkflowStatus(last.status).is_terminal

    async def _cancel(self, schedule: ScheduleRecord) -> list[UUID]:
        """Tell the run that goes on to end; told again after a crash, it hears it once."""
        running = schedule.last_workflow_id
        if running is None:
            return []
        payload = orjson.dumps({"reason": f"`{schedule.schedule_id}` is due again", "compensate": True})
        dedup = f"schedule:{schedule.schedule_id}:{schedule.next_us}"
        now = self._engine.clock.now_us()
        entry = InboxEntry(running, InboxKind.CANCEL, "", payload, dedup=dedup, at_us=now)
        return [running] if await self._engine.store.append_inbox(entry) else []

    async def _take(self, step: Advance) -> list[UUID]:
        """Write the schedule and its new instances in one transaction."""
        schedule, engine = step.record, self._engine
        made = [planned_run(engine, schedule, planned) for planned in step.starts]
        if step.starts:
            schedule = replace(schedule, last_workflow_id=run_id(schedule.schedule_id, step.starts[-1]))
        instances: tuple[InstanceRecord, ...] = tuple(record for record, _ in made)
        definitions: tuple[DefinitionRecord, ...] = tuple(definition for _, definition in made)
        await engine.store.advance_schedule(schedule, created=instances, definitions=definitions)
        for record in instances:
            planned = datetime_of(record.scheduled_for_us or 0).isoformat()
            _LOGGER.info("`%s` started %s, planned for %s", schedule.schedule_id, record.workflow_id, planned)
            await engine.announce(record)
        return [record.workflow_id for record in instances]
