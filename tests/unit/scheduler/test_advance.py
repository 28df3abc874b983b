"""One step of a schedule, as a pure function."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ruvon.cron import OVERLAPS, Plan
from ruvon.providers import ScheduleRecord, duration_us
from ruvon.scheduler._advance import advance
from tests.unit.scheduler.world import at

HOUR = 3_600_000_000
GRACE = 60_000_000


def _record(**fields: object) -> ScheduleRecord:
    record = ScheduleRecord("hourly", "Daily", "0 * * * *", next_us=at(2026, 1, 1, 1))
    for name, value in fields.items():
        setattr(record, name, value)
    return record


@pytest.mark.parametrize(
    ("overlap", "running", "started", "buffered"),
    [
        ("skip", False, [4], 2),
        ("skip", True, [], 2),
        ("buffer_one", False, [4], 2),
        ("buffer_one", True, [], 2),
        ("allow", False, [4, 5, 6], 0),
        ("allow", True, [4, 5, 6], 0),
        ("cancel_running", False, [6], 0),
        ("cancel_running", True, [], 1),
    ],
)
def test_after_an_outage(overlap: str, running: bool, started: list[int], buffered: int) -> None:
    """At 06:00:30 the run of 06:00 is timely, and two missed ones are made up."""
    record = _record(overlap=overlap, catch_up=2)
    step = advance(record, Plan(record.cron), now_us=at(2026, 1, 1, 6, 0, 30), grace_us=GRACE, running=running)

    assert step is not None
    assert step.starts == tuple(at(2026, 1, 1, hour) for hour in started)
    assert (step.record.buffered, step.record.next_us) == (buffered, at(2026, 1, 1, 7))
    assert step.cancels is (overlap == "cancel_running" and running)


def test_nothing_to_do_changes_nothing() -> None:
    """Before its moment, or while what waits must wait, there is no step."""
    record = _record(buffered=1, overlap="buffer_one", last_us=at(2025, 12, 31, 23), next_us=at(2026, 1, 1, 1))
    assert advance(record, Plan(record.cron), now_us=at(2026, 1, 1, 0, 30), grace_us=GRACE, running=True) is None
    assert advance(_record(), Plan("0 * * * *"), now_us=at(2026, 1, 1), grace_us=GRACE, running=False) is None
    assert (
        advance(_record(next_us=None), Plan("0 * * * *"), now_us=at(2027, 1, 1), grace_us=GRACE, running=False) is None
    )


def test_what_waited_starts_when_the_run_has_ended() -> None:
    """The newest planned moment, though its hour is over."""
    record = _record(buffered=1, overlap="buffer_one", last_us=at(2026, 1, 1, 1), next_us=at(2026, 1, 1, 4))
    step = advance(record, Plan(record.cron), now_us=at(2026, 1, 1, 3, 30), grace_us=GRACE, running=False)
    assert step is not None
    assert step.starts == (at(2026, 1, 1, 3),)
    assert step.record.buffered == 0


TURNS = st.lists(st.tuples(st.integers(1, 400), st.booleans()), min_size=1, max_size=40)


@given(st.sampled_from(OVERLAPS), st.integers(0, 4), st.sampled_from(["0 * * * *", "*/20 * * * *", "0 3 * * *"]), TURNS)
def test_every_start_is_a_planned_one_and_none_is_twice(
    overlap: str, catch_up: int, cron: str, turns: list[tuple[int, bool]]
) -> None:
    """Whatever the rhythm of turns and runs: moments rise, are planned, and no more wait than there is room for."""
    plan = Plan(cron)
    now = at(2026, 1, 1)
    record = _record(cron=cron, overlap=overlap, catch_up=catch_up, next_us=plan.next_after(now), created_us=now)
    starts: list[int] = []
    for minutes, running in turns:
        now += duration_us(timedelta(minutes=minutes))
        step = advance(replace(record), plan, now_us=now, grace_us=GRACE, running=running)
        if step is None:
            continue
        record = step.record
        starts += step.starts
        assert record.next_us is not None
        assert record.next_us > now
        assert record.buffered <= (0 if overlap == "allow" else max(catch_up, 1))
        assert overlap == "allow" or not (running and step.starts)
        assert overlap == "allow" or len(step.starts) <= 1
    assert starts == sorted(set(starts))
    assert all(plan.next_after(moment - 1) == moment for moment in starts)


@given(st.lists(st.integers(1, 50), min_size=5, max_size=60), st.sampled_from(OVERLAPS))
def test_without_an_outage_every_moment_is_started(seconds: list[int], overlap: str) -> None:
    """Turns that are never further apart than the grace, and runs that end at once."""
    plan = Plan("* * * * *")
    now = at(2026, 1, 1)
    record = _record(cron="* * * * *", overlap=overlap, catch_up=0, next_us=plan.next_after(now), created_us=now)
    starts: list[int] = []
    for pause in seconds:
        now += pause * 1_000_000
        step = advance(replace(record), plan, now_us=now, grace_us=GRACE, running=False)
        if step is not None:
            record = step.record
            starts += step.starts
    assert starts == [
        at(2026, 1, 1) + minute * 60_000_000 for minute in range(1, (now - at(2026, 1, 1)) // 60_000_000 + 1)
    ]
