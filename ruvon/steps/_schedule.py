"""START of a recurring kind: the schedule is registered in the step's own transition."""

from typing import cast, final

from ruvon.cron import Plan, check_name, check_policy
from ruvon.engine import Compiler, EffectOp, GraphFrame, Outcome, Run, Strand, record_step
from ruvon.ir._nodes import Node, Start
from ruvon.providers import ScheduleRecord

__all__ = ["ScheduleOp"]


@final
class ScheduleOp(EffectOp):
    """CRON_SCHEDULE; the step's result is the schedule's name.

    The name, given or made of the activation, is the schedule's identity: a second activation with the same name changes
    that schedule, and a repeated one changes nothing. A cron or a time zone that is none is the step's error.
    """

    __slots__ = ("action", "cron", "data", "data_region", "name", "output", "timezone")

    def __init__(self, node: Node, action: Start, compiler: Compiler) -> None:
        super().__init__(node)
        self.action = action
        self.cron = compiler.maybe(action.cron)
        self.timezone = compiler.maybe(action.timezone)
        self.name = compiler.maybe(action.schedule_name)
        self.data = compiler.maybe(action.data)
        self.data_region = compiler.maybe(action.data_region)
        self.output = compiler.target(action.output)

    def enter(self, run: Run, strand: Strand, frame: GraphFrame) -> Outcome:
        """Put the schedule into the transition under way, and go on."""
        record, data = self._asked(run, strand, frame)
        run.services.children.schedule(run, record, data)
        name = record.schedule_id
        encoded = run.program.types.dynamic.encode(name, f"the result of {self.title}")
        record_step(run, strand, frame, self.id, encoded)
        if self.output is not None:
            self.output(run, strand, name)
        return self.next

    def _asked(self, run: Run, strand: Strand, frame: GraphFrame) -> tuple[ScheduleRecord, object]:
        """The schedule as the expressions of the step describe it, and the data of its runs."""
        env, action = run.env(strand), self.action
        timezone = self.timezone(env) if self.timezone is not None else None
        plan = Plan(str(self.cron(env)) if self.cron is not None else "", "UTC" if timezone is None else str(timezone))
        given = cast("str | None", self.name(env)) if self.name is not None else None
        name = f"{run.id}/{run.activation(frame.activation(self.id))}" if given is None else check_name(given)
        region = self.data_region(env) if self.data_region is not None else None
        overlap, catch_up = run.services.children.schedule_policy(action.child)
        record = ScheduleRecord(
            name,
            action.child,
            plan.cron,
            plan.timezone,
            version=action.version,
            overlap=action.overlap or overlap,
            catch_up=catch_up if action.catch_up is None else action.catch_up,
            next_us=plan.next_after(run.now_us()),
            owner_id=run.record.owner_id,
            org_id=run.record.org_id,
            data_region=run.record.data_region if region is None else str(region),
        )
        check_policy(record.overlap, record.catch_up)
        return record, self.data(env) if self.data is not None else {}
