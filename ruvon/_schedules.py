"""`Schedules`: what plans recurring starts in a store, for applications, operators and the scheduler."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, final
from uuid import UUID, uuid5

from ruvon._registrations import Registration
from ruvon.cron import Plan, check_name, check_policy, declared_name
from ruvon.engine import Engine
from ruvon.providers import (
    DefinitionRecord,
    InstanceRecord,
    ScheduleNotFoundError,
    ScheduleRecord,
    StaleScheduleError,
    Transition,
)

__all__ = ["SCHEDULE_KEY", "Schedules", "planned_run", "run_id"]

SCHEDULE_KEY: Final = "schedule"
"""The key of an instance's metadata that names the schedule that started it."""
_NAMESPACE: Final = UUID("3e6b2f0d-6f0a-5c0b-8d55-0f2a7c1d9e84")
_NOBODY: Final = UUID(int=0)


def run_id(schedule_id: str, planned_us: int) -> UUID:
    """The id of the run of a planned moment, so that nobody starts it twice."""
    return uuid5(_NAMESPACE, f"{schedule_id}/{planned_us}")


def planned_run(engine: Engine, schedule: ScheduleRecord, planned_us: int) -> tuple[InstanceRecord, DefinitionRecord]:
    """The instance of a planned moment; it is due at once, so that whoever finds it first drives it.

    Raises:
        UnknownWorkflowTypeError: the type is not registered in this process.
        InvalidInitialDataError: the schedule's data no longer fits the state.
    """
    program = engine.program_for(schedule.workflow_type, schedule.version)
    record, definition = engine.new_record(
        program,
        run_id(schedule.schedule_id, planned_us),
        engine.unpack_data(program, schedule.data),
        owner_id=schedule.owner_id,
        org_id=schedule.org_id,
        data_region=schedule.data_region,
        metadata={SCHEDULE_KEY: schedule.schedule_id},
        scheduled_for_us=planned_us,
    )
    record.due_us = planned_us
    return record, definition


@final
class Schedules:
    """The schedules of one store; made by `WorkflowBuilder.schedules`.

    Starting what falls due is the work of `ruvon.scheduler.Scheduler`, in this process or another one.
    """

    def __init__(
        self, engine: Engine, types: Callable[[], list[str]], registered: Callable[[str], Registration]
    ) -> None:
        self._engine = engine
        self._types = types
        self._registered = registered

    async def add(
        self,
        name: str,
        workflow_type: str,
        data: object = None,
        *,
        cron: str,
        timezone: str = "UTC",
        version: str | None = None,
        overlap: str | None = None,
        catch_up: int | None = None,
        owner_id: str | None = None,
        org_id: str | None = None,
        data_region: str | None = None,
    ) -> ScheduleRecord:
        """Register a schedule; one of the same name is changed, and what its runs have left stays.

        Args:
            name: its name.
            workflow_type: what is started.
            data: the initial data of every run.
            cron: when; five fields, or six with seconds in front.
            timezone: the time zone of `cron`.
            version: the version to start; None starts the newest each time.
            overlap: `skip`, `buffer_one`, `allow` or `cancel_running`; None takes what the workflow declares.
            catch_up: how many missed runs are made up; None takes what the workflow declares.
            owner_id: whose runs they are.
            org_id: whose organisation's they are.
            data_region: where their data may be kept.

        Raises:
            InvalidScheduleError: name, cron, time zone, overlap or catch_up cannot be.
            UnknownWorkflowTypeError: no such type is registered.
            InvalidInitialDataError: the data does not fit the state.
        """
        plan = Plan(cron, timezone)
        program = self._engine.program_for(workflow_type, version)
        own_overlap, own_catch_up = self._engine.schedule_policy(workflow_type)
        record = ScheduleRecord(
            check_name(name),
            workflow_type,
            cron,
            timezone,
            data=self._engine.pack_data(program, {} if data is None else data),
            version=version,
            overlap=own_overlap if overlap is None else overlap,
            catch_up=own_catch_up if catch_up is None else catch_up,
            next_us=plan.next_after(self._engine.clock.now_us()),
            owner_id=owner_id,
            org_id=org_id,
            data_region=data_region,
        )
        check_policy(record.overlap, record.catch_up)
        await self._register(record)
        return await self.get(name)

    async def get(self, name: str) -> ScheduleRecord:
        """A schedule by its name; the type of a declared one will do.

        Raises:
            ScheduleNotFoundError: there is none.
        """
        try:
            return await self._engine.store.get_schedule(name)
        except ScheduleNotFoundError:
            declared = {item.schedule_id: item for item in await self.list()}.get(declared_name(name))
            if declared is None:
                raise
            return declared

    async def list(self) -> Sequence[ScheduleRecord]:
        """Every schedule, by name."""
        return await self._engine.store.list_schedules()

    async def pause(self, name: str, note: str = "") -> ScheduleRecord:
        """Start nothing more until `resume`; what goes on, goes on.

        Raises:
            ScheduleNotFoundError: there is none.
        """
        return await self._change(name, lambda known: replace(known, paused=True, note=note))

    async def resume(self, name: str) -> ScheduleRecord:
        """Go on with the next planned moment; what was missed during the pause is not made up.

        Raises:
            ScheduleNotFoundError: there is none.
        """
        now = self._engine.clock.now_us()

        def resumed(known: ScheduleRecord) -> ScheduleRecord:
            planned = Plan(known.cron, known.timezone).next_after(now)
            return replace(known, paused=False, note="", next_us=planned, buffered=0)

        return await self._change(name, resumed)

    async def remove(self, name: str) -> bool:
        """Delete a schedule; what it has started goes on. A declared one comes back with the next `sync`.

        Returns:
            Whether there was one.
        """
        try:
            known = await self.get(name)
        except ScheduleNotFoundError:
            return False
        return await self._engine.store.delete_schedule(known.schedule_id)

    async def sync(self) -> Sequence[str]:
        """Make the declared schedules what `@workflow(cron=...)` and the registry files say; the names that changed.

        A declared schedule keeps its pause. Schedules of types that are not registered here are left alone, because
        another application may share the store.

        Raises:
            InvalidScheduleError: a registry file gives a cron or a time zone that is none.
            DefinitionError: a workflow's source has mistakes.
        """
        stored = {item.schedule_id: item for item in await self.list()}
        changed: list[str] = []
        for workflow_type in self._types():
            wanted, name = self._registered(workflow_type), declared_name(workflow_type)
            known = stored.get(name)
            if wanted.cron is None:
                if known is not None and await self._engine.store.delete_schedule(name):
                    changed.append(name)
            elif known is None or _differs(known, wanted):
                await self._register(self._declared(name, workflow_type, wanted.cron, wanted, known))
                changed.append(name)
        return changed

    def _declared(
        self, name: str, workflow_type: str, cron: str, wanted: Registration, known: ScheduleRecord | None
    ) -> ScheduleRecord:
        check_policy(wanted.overlap, wanted.catch_up)
        return ScheduleRecord(
            name,
            workflow_type,
            cron,
            wanted.timezone,
            data=b"null",
            overlap=wanted.overlap,
            catch_up=wanted.catch_up,
            paused=known is not None and known.paused,
            note=known.note if known is not None else "",
            next_us=Plan(cron, wanted.timezone).next_after(self._engine.clock.now_us()),
        )

    async def _register(self, record: ScheduleRecord) -> None:
        """Register as a step does, so that a known schedule keeps what its runs have left."""
        now = self._engine.clock.now_us()
        transition = Transition(_NOBODY, 0, -1, 0, b"", "", b"", None, now, [], 0, schedules=(record,))
        await self._engine.store.commit(transition)

    async def _change(self, name: str, change: Callable[[ScheduleRecord], ScheduleRecord]) -> ScheduleRecord:
        while True:
            known = await self.get(name)
            made = replace(change(known), updated_us=self._engine.clock.now_us())
            try:
                await self._engine.store.advance_schedule(made)
            except StaleScheduleError:
                continue  # a scheduler was at it: what it wrote is read, and the change made again
            return await self.get(known.schedule_id)


def _differs(known: ScheduleRecord, wanted: Registration) -> bool:
    stored = (known.cron, known.timezone, known.overlap, known.catch_up)
    return stored != (wanted.cron, wanted.timezone, wanted.overlap, wanted.catch_up)
