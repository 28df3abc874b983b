"""What a schedule does at a moment: a pure function of its record, the time, and whether its last run goes on.

A planned moment is *timely* while it is at most the grace old, and *missed* after that. Timely ones are always kept, of
the missed ones the newest `catch_up`. What is kept is started at once under `allow`. Under the other policies runs of
one schedule never overlap: one is started, the others wait (`buffered`), and where more wait than there is room for, the
oldest are dropped. So the runs that wait are always those of the newest planned moments, and only their number is stored.
"""

from dataclasses import dataclass, replace
from typing import final

from ruvon.cron import Plan
from ruvon.providers import ScheduleRecord

__all__ = ["Advance", "advance"]


@final
@dataclass(frozen=True, slots=True)
class Advance:
    """One step of a schedule."""

    record: ScheduleRecord
    """As it is to be stored."""
    starts: tuple[int, ...] = ()
    """The planned moments to start now, oldest first."""
    cancels: bool = False
    """The run that goes on is to be cancelled first."""


def advance(record: ScheduleRecord, plan: Plan, *, now_us: int, grace_us: int, running: bool) -> Advance | None:
    """The next step of a schedule, or None where there is nothing to do."""
    missed, timely = _fallen_due(record, plan, now_us, grace_us)
    due = record.next_us is not None and record.next_us <= now_us
    next_us = plan.next_after(now_us) if due else record.next_us
    waiting = record.buffered + missed + timely
    if record.overlap == "allow":
        keep, starting = waiting, waiting
    elif running:
        keep, starting = _kept_while_running(record, waiting, missed), 0
    else:
        keep = min(waiting, 1 + _room(record))
        starting = min(keep, 1)
    since_us = max(record.created_us, record.last_us + 1 if record.last_us is not None else 0)
    moments = plan.newest(keep, until_us=now_us, since_us=since_us)
    starts = tuple(moments[:starting])
    made = replace(record, next_us=next_us, buffered=len(moments) - len(starts), updated_us=now_us)
    if starts:
        made.last_us = starts[-1]
    cancels = running and record.overlap == "cancel_running" and missed + timely > 0
    if (made.next_us, made.buffered, starts, cancels) == (record.next_us, record.buffered, (), False):
        return None
    return Advance(made, starts, cancels)


def _fallen_due(record: ScheduleRecord, plan: Plan, now_us: int, grace_us: int) -> tuple[int, int]:
    """How many missed moments are kept, and how many timely ones there are."""
    if record.next_us is None or record.next_us > now_us:
        return 0, 0
    border = max(record.next_us, now_us - grace_us)
    timely = 0
    for moment in plan.after(border - 1):
        if moment > now_us:
            break
        timely += 1
    missed = plan.newest(record.catch_up, until_us=border - 1, since_us=record.next_us)
    return len(missed), timely


def _room(record: ScheduleRecord) -> int:
    """How many runs may wait for the one that goes on."""
    match record.overlap:
        case "cancel_running":
            return 0
        case "buffer_one":
            return max(record.catch_up, 1)
        case _:
            return record.catch_up


def _kept_while_running(record: ScheduleRecord, waiting: int, missed: int) -> int:
    """How many runs wait while one goes on: under `skip` those that were missed, and no timely one."""
    match record.overlap:
        case "cancel_running":
            return min(waiting, 1)
        case "buffer_one":
            return min(waiting, _room(record))
        case _:
            return min(record.buffered + missed, _room(record))
