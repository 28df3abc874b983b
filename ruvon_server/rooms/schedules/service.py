"""What the schedules room does."""

from itertools import islice
from typing import Any, Final, final

from ruvon.builder import WorkflowBuilder
from ruvon.cron import Plan, explain
from ruvon.engine._repair import audit_note
from ruvon.providers import ScheduleNotFoundError, ScheduleRecord, datetime_of
from ruvon_server.auth import Principal
from ruvon_server.models import schedules as models
from ruvon_server.problems import OtherTenantError, ScheduleTakenError
from ruvon_server.shown import maybe_moment
from ruvon_server.starting import require_known_fields
from ruvon_server.turns import turn
from ruvon_server.uploads import Uploads

__all__ = ["ScheduleService"]

_TURN: Final = "schedules"


@final
class ScheduleService:
    """Plans recurring starts. A schedule of another tenant is not there for whoever asks.

    Args:
        builder: the workflows and their store.
        uploads: the definitions that were uploaded.
    """

    def __init__(self, builder: WorkflowBuilder, uploads: Uploads) -> None:
        self._builder = builder
        self._schedules = builder.schedules
        self._uploads = uploads

    async def find(self, principal: Principal) -> models.ScheduleList:
        """Every schedule, by name."""
        found = await self._schedules.list()
        rows = [models.ScheduleRow(**_columns(item)) for item in found if principal.sees(item.owner_id, item.org_id)]
        return models.ScheduleList(items=rows)

    async def show(self, principal: Principal, name: str, count: int) -> models.Schedule:
        """A schedule, with so many of its next moments."""
        return self._shown(await self._known(principal, name), count)

    async def add(self, principal: Principal, wanted: models.AddSchedule, count: int) -> tuple[models.Schedule, bool]:
        """Add a schedule, or change the one of its name; and whether it is new.

        Raises:
            OtherTenantError: its runs would belong to somebody else.
            ScheduleTakenError: somebody else has a schedule of this name.
        """
        whose = principal.narrowed(wanted.owner_id, wanted.org_id)
        if whose is None:
            raise OtherTenantError
        await self._uploads.learn(wanted.workflow_type)
        require_known_fields(self._builder, wanted.workflow_type, wanted.version, wanted.data)
        async with turn(self._builder.persistence, self._builder.clock, _TURN):
            is_new = await self._is_new(principal, wanted.name)
            made = await self._schedules.add(
                wanted.name,
                wanted.workflow_type,
                wanted.data,
                cron=wanted.cron,
                timezone=wanted.timezone,
                version=wanted.version,
                overlap=wanted.overlap,
                catch_up=wanted.catch_up,
                owner_id=whose[0],
                org_id=whose[1],
                data_region=wanted.data_region,
            )
        return self._shown(made, count), is_new

    async def pause(self, principal: Principal, name: str, reason: str, count: int) -> models.Schedule:
        """Start nothing more of a schedule; harmless when repeated."""
        known = await self._known(principal, name)
        note = f"paused{audit_note(principal.name, reason)}"
        return self._shown(await self._schedules.pause(known.schedule_id, note), count)

    async def resume(self, principal: Principal, name: str, count: int) -> models.Schedule:
        """Go on with the next planned moment."""
        known = await self._known(principal, name)
        return self._shown(await self._schedules.resume(known.schedule_id), count)

    async def remove(self, principal: Principal, name: str) -> None:
        """Delete a schedule."""
        await self._schedules.remove((await self._known(principal, name)).schedule_id)

    async def _is_new(self, principal: Principal, name: str) -> bool:
        try:
            known = await self._builder.persistence.get_schedule(name)
        except ScheduleNotFoundError:
            return True
        if not principal.sees(known.owner_id, known.org_id):
            raise ScheduleTakenError(name)
        return False

    async def _known(self, principal: Principal, name: str) -> ScheduleRecord:
        found = await self._schedules.get(name)
        if not principal.sees(found.owner_id, found.org_id):
            raise ScheduleNotFoundError(name)
        return found

    def _shown(self, record: ScheduleRecord, count: int) -> models.Schedule:
        plan, now_us = Plan(record.cron, record.timezone), self._builder.clock.now_us()
        moments = [] if record.paused else list(islice(plan.after(now_us), count))
        return models.Schedule(**_columns(record), next=[datetime_of(item).astimezone(plan.zone) for item in moments])


def _columns(record: ScheduleRecord) -> dict[str, Any]:
    return {
        "name": record.schedule_id,
        "workflow_type": record.workflow_type,
        "version": record.version,
        "cron": record.cron,
        "timezone": record.timezone,
        "words": explain(record.cron, record.timezone),
        "paused": record.paused,
        "note": record.note,
        "overlap": record.overlap,
        "catch_up": record.catch_up,
        "waiting_runs": record.buffered,
        "owner_id": record.owner_id,
        "org_id": record.org_id,
        "data_region": record.data_region,
        "next_at": maybe_moment(record.next_us),
        "last_at": maybe_moment(record.last_us),
        "last_workflow_id": str(record.last_workflow_id) if record.last_workflow_id is not None else None,
    }
