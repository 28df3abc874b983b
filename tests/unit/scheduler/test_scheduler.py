"""The scheduler starts what is planned, once, and drives what is due."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.cron import Plan
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.models import WorkflowStatus
from ruvon.providers import PersistenceError, ScheduleRecord, datetime_of
from ruvon.scheduler import Scheduler
from tests.unit.scheduler import flows
from tests.unit.scheduler.flows import DONE
from tests.unit.scheduler.world import World, at, compiled, in_world


def planned() -> list[datetime]:
    """The planned moments of the runs that have done something."""
    return [item[1] for item in DONE]


def test_a_year_of_planned_runs() -> None:
    """Every Monday of a year, at 09:00 in Rome, with the planned moment in the context."""

    async def scenario(world: World) -> None:
        await world.builder.schedules.add("weekly", "Daily", {"name": "w"}, cron="0 9 * * MON", timezone="Europe/Rome")
        async with world.scheduling(poll=timedelta(days=3)):
            await world.until(2027, 1, 1)

        assert len(DONE) == 52
        assert {item[0] for item in DONE} == {"w"}
        assert planned()[0] == datetime(2026, 1, 5, 8, tzinfo=UTC)
        assert planned()[20] == datetime(2026, 5, 25, 7, tzinfo=UTC)
        assert all(row.status == WorkflowStatus.COMPLETED for row in await world.runs())
        assert all(row.metadata == {"schedule": "weekly"} for row in await world.runs())

    in_world(scenario)


def test_a_timer_of_months_holds_nobody() -> None:
    """An instance that sleeps is let go, and driven again at its moment and no later."""

    async def scenario(world: World) -> None:
        handle = await world.builder.create_workflow("Long", {"hours": 24 * 90})
        await handle.next_step()
        async with world.scheduling() as scheduler:
            await world.until(2026, 3, 31, 23, 59)
            assert scheduler._driver.driven == []
            assert len(DONE) == 1
            await world.until(2026, 4, 1, 0, 0, 1)
            await handle.refresh()

        assert handle.status is WorkflowStatus.COMPLETED
        ended = (await world.runs())[0].updated_us
        assert 0 <= ended - at(2026, 4, 1) < 1_000_000

    in_world(scenario)


def test_two_schedulers_start_each_run_once() -> None:
    """Both see the planned moment; one of them has it."""

    async def scenario(world: World) -> None:
        await world.builder.schedules.add("daily", "Daily", cron="0 3 * * *")
        async with world.scheduling(), world.scheduling(poll=timedelta(minutes=7)), world.scheduling():
            await world.until(2026, 2, 1)

        assert planned() == [datetime(2026, 1, day, 3, tzinfo=UTC) for day in range(1, 32)]

    in_world(scenario)


@pytest.mark.parametrize(("catch_up", "days"), [(0, []), (1, [9]), (3, [7, 8, 9])])
def test_missed_runs_are_made_up(catch_up: int, days: list[int]) -> None:
    """After an outage the newest missed runs are made up, one after the other, with their own planned moments."""

    async def scenario(world: World) -> None:
        await world.builder.schedules.add("daily", "Daily", cron="0 3 * * *", catch_up=catch_up)
        await world.until(2026, 1, 9, 12)
        async with world.scheduling():
            await world.until(2026, 1, 9, 13)

        assert planned() == [datetime(2026, 1, day, 3, tzinfo=UTC) for day in days]
        assert (await world.store.get_schedule("daily")).next_us == at(2026, 1, 10, 3)

    in_world(scenario)


def test_a_start_that_is_a_little_late_is_no_missed_one() -> None:
    """Within the grace a run starts though nothing is made up."""

    async def scenario(world: World) -> None:
        await world.builder.schedules.add("daily", "Daily", cron="0 3 * * *", catch_up=0)
        await world.until(2026, 1, 1, 3, 0, 40)
        await world.scheduler().run_once()

        assert planned() == [datetime(2026, 1, 1, 3, tzinfo=UTC)]

    in_world(scenario)


async def _long_runs(world: World, overlap: str) -> list[Any]:
    """Runs of an hour that are planned every half hour from 01:00, as they stand at 03:45: planned, started, status."""
    await world.builder.schedules.add(
        "hourly", "Long", {"hours": 1, "name": overlap}, cron="0,30 1-4 * * *", overlap=overlap
    )
    async with world.scheduling(poll=timedelta(minutes=1)):
        await world.until(2026, 1, 1, 3, 45)
    return [
        (datetime_of(row.scheduled_for_us).strftime("%H:%M"), datetime_of(row.created_us).strftime("%H:%M"), row.status)
        for row in await world.runs()
    ]


def test_overlap_skip() -> None:
    """What falls due while a run goes on is left out."""

    async def scenario(world: World) -> None:
        assert await _long_runs(world, "skip") == [
            ("01:00", "01:00", "COMPLETED"),
            ("02:30", "02:30", "COMPLETED"),
        ]

    in_world(scenario)


def test_overlap_allow() -> None:
    """Every run starts at its moment."""

    async def scenario(world: World) -> None:
        found = await _long_runs(world, "allow")
        assert [item[0] for item in found] == ["01:00", "01:30", "02:00", "02:30", "03:00", "03:30"]
        assert [item[1] for item in found] == [item[0] for item in found]

    in_world(scenario)


def test_overlap_buffer_one() -> None:
    """One run waits for the one that goes on; of those that fall due meanwhile it is the newest."""

    async def scenario(world: World) -> None:
        assert await _long_runs(world, "buffer_one") == [
            ("01:00", "01:00", "COMPLETED"),
            ("02:00", "02:00", "COMPLETED"),
            ("03:00", "03:00", "PAUSED"),
        ]

    in_world(scenario)


def test_overlap_cancel_running() -> None:
    """The run that goes on is cancelled, and the new one starts when it has ended."""

    async def scenario(world: World) -> None:
        found = await _long_runs(world, "cancel_running")
        assert [item[2] for item in found] == ["CANCELLED"] * 5 + ["PAUSED"]
        assert [item[0] for item in found] == ["01:00", "01:30", "02:00", "02:30", "03:00", "03:30"]

    in_world(scenario)


def test_pause_resume_and_remove() -> None:
    """A paused schedule starts nothing; resumed, it goes on with the next moment and makes nothing up."""

    async def scenario(world: World) -> None:
        schedules = world.builder.schedules
        await schedules.add("daily", "Daily", cron="0 3 * * *", catch_up=5)
        async with world.scheduling():
            await world.until(2026, 1, 2, 12)
            assert (await schedules.pause("daily", "holidays")).note == "holidays"
            await world.until(2026, 1, 6, 12)
            assert not (await schedules.resume("daily")).paused
            await world.until(2026, 1, 8, 12)
            assert await schedules.remove("daily")
            assert not await schedules.remove("daily")
            await world.until(2026, 2, 1)

        assert [item.day for item in planned()] == [1, 2, 7, 8]

    in_world(scenario)


@pytest.mark.parametrize(
    ("start", "cron", "moments"),
    [
        pytest.param(
            datetime(2026, 3, 28, 12, tzinfo=UTC),
            "30 2 * * *",
            ["2026-03-29 01:00", "2026-03-30 00:30"],
            id="02:30 does not exist: the run starts at the first moment that does, 03:00",
        ),
        pytest.param(
            datetime(2026, 10, 24, 12, tzinfo=UTC),
            "30 2 * * *",
            ["2026-10-25 00:30", "2026-10-26 01:30"],
            id="02:30 is twice: the run starts the first time",
        ),
        pytest.param(
            datetime(2026, 10, 25, 0, 45, tzinfo=UTC),
            "30 2 * * *",
            ["2026-10-26 01:30", "2026-10-27 01:30"],
            id="begun between the two: the second time is none",
        ),
        pytest.param(
            datetime(2026, 3, 29, 0, 15, tzinfo=UTC),
            "*/30 * * * *",
            ["2026-03-29 00:30", "2026-03-29 01:00", "2026-03-29 01:30"],
            id="every half hour follows real time when the clock goes forward",
        ),
        pytest.param(
            datetime(2026, 10, 25, 0, 15, tzinfo=UTC),
            "*/30 * * * *",
            ["2026-10-25 00:30", "2026-10-25 01:00", "2026-10-25 01:30", "2026-10-25 02:00"],
            id="every half hour follows real time when the clock goes back",
        ),
    ],
)
def test_both_nights_of_the_clock_in_rome(start: datetime, cron: str, moments: list[str]) -> None:
    """Local times that do not exist, and those that are there twice."""

    async def scenario(world: World) -> None:
        await world.builder.schedules.add("night", "Daily", cron=cron, timezone="Europe/Rome")
        async with world.scheduling(poll=timedelta(minutes=10)):
            end = datetime.fromisoformat(moments[-1] + "+00:00")
            await world.until(*end.timetuple()[:5], 30)

        assert [f"{moment:%Y-%m-%d %H:%M}" for moment in planned()] == moments
        for row in await world.runs():
            assert row.created_us == row.scheduled_for_us
            assert row.updated_us == row.scheduled_for_us  # it was driven at once

    in_world(scenario, start=start)


def test_a_schedule_that_cannot_be_started_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """A type that nobody knows here, a broken cron of another tool: a line in the log, tried again now and then."""

    async def scenario(world: World) -> None:
        await world.store.put_schedule(ScheduleRecord("unknown", "Elsewhere", "0 3 * * *", next_us=at(2026, 1, 1, 3)))
        await world.store.put_schedule(ScheduleRecord("broken", "Daily", "what", next_us=at(2026, 1, 1, 3)))
        await world.builder.schedules.add("daily", "Daily", cron="0 3 * * *")
        async with world.scheduling():
            await world.until(2026, 1, 4)

        assert len(planned()) == 3
        assert (await world.store.get_schedule("unknown")).next_us == at(2026, 1, 1, 3)

    in_world(scenario)
    assert sorted({record.args[0] for record in caplog.records if record.levelname == "ERROR"}) == ["broken", "unknown"]
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 2


def test_an_instance_that_cannot_be_driven_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """An error of the drive itself is logged once, and the instance is tried again later."""

    async def scenario(world: World) -> None:
        await world.builder.schedules.add("daily", "Daily", cron="0 3 * * *", overlap="allow")
        async with world.scheduling() as scheduler:
            engine, inner = scheduler._driver._engine, scheduler._driver._engine.drive
            broken: list[Any] = []

            async def drive(workflow_id: Any, **options: Any) -> Any:
                if not broken or (workflow_id in broken and world.clock.now_us() < at(2026, 1, 2, 12)):
                    broken.append(workflow_id)
                    raise RuntimeError("the definition fits no more")
                return await inner(workflow_id, **options)

            engine.drive = drive  # type: ignore[method-assign]
            await world.until(2026, 1, 4)

        assert sorted(item.day for item in planned()) == [1, 2, 3]
        assert planned()[0].day == 2
        assert 5 < len(broken) < 600

    in_world(scenario)
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 1


def test_what_a_step_failed_with_is_the_runs_own_affair() -> None:
    """A run that fails is a run that ended: the next one starts."""

    async def scenario(world: World) -> None:
        flows.FAILS.add("bad")
        await world.builder.schedules.add("daily", "Daily", {"name": "bad"}, cron="0 3 * * *")
        async with world.scheduling():
            await world.until(2026, 1, 3)

        assert [row.status for row in await world.runs()] == [WorkflowStatus.FAILED] * 2

    in_world(scenario)


def test_no_more_drives_than_allowed() -> None:
    """Many instances fall due at one moment; they are driven a few at a time, all of them."""

    async def scenario(world: World) -> None:
        for number in range(40):
            handle = await world.builder.create_workflow("Long", {"hours": 2, "name": str(number)})
            await handle.next_step()
        most = 0
        async with world.scheduling(concurrency=3, poll=timedelta(minutes=1)) as scheduler:
            inner = scheduler._driver._drive

            async def drive(workflow_id: Any) -> None:
                nonlocal most
                most = max(most, len(scheduler._driver.driven))
                await inner(workflow_id)

            scheduler._driver._drive = drive
            await world.until(2026, 1, 1, 2, 0, 1)

        assert len(DONE) == 80
        assert most == 3

    in_world(scenario)


def test_stopping_waits_for_what_is_driven() -> None:
    """`stop` lets a step that runs end, and begins nothing more."""

    async def scenario(world: World) -> None:
        await world.builder.schedules.add("daily", "Daily", cron="0 3 * * *")
        scheduler = world.scheduler()
        inner = scheduler._driver._engine.drive
        ended: list[Any] = []

        async def slow(workflow_id: Any, **options: Any) -> Any:
            scheduler.stop()
            await world.clock.sleep_us(3_600_000_000)
            ended.append(workflow_id)
            return await inner(workflow_id, **options)

        scheduler._driver._engine.drive = slow  # type: ignore[method-assign]
        async with asyncio.timeout(86_400):
            await scheduler.run()

        assert len(ended) == 1
        assert world.clock.now_us() >= at(2026, 1, 1, 4)

    in_world(scenario)


def test_it_is_woken_for_what_was_planned_here() -> None:
    """Without a poll in sight, `wake` makes it look."""

    async def scenario(world: World) -> None:
        async with world.scheduling(poll=timedelta(days=30)) as scheduler:
            await world.until(2026, 1, 1, 1)
            await world.builder.schedules.add("daily", "Daily", cron="0 3 * * *")
            scheduler.wake()
            await world.until(2026, 1, 1, 3, 0, 1)
            assert len(DONE) == 1

    in_world(scenario)


def test_a_store_that_fails_for_a_while(caplog: pytest.LogCaptureFixture) -> None:
    """The loop goes on when the store is back."""

    async def scenario(world: World) -> None:
        await world.builder.schedules.add("daily", "Daily", cron="0 3 * * *")
        inner = world.store.due_schedules

        async def failing(now: int, **options: Any) -> Any:
            if now < at(2026, 1, 1, 3, 20):
                raise PersistenceError("the disk is full")
            return await inner(now, **options)

        world.store.due_schedules = failing
        async with world.scheduling():
            await world.until(2026, 1, 1, 4)

        assert len(DONE) == 1

    in_world(scenario)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        "the scheduler cannot work; it tries again"
    ]


def test_a_store_that_fails_when_it_is_asked_for_the_next_moment(caplog: pytest.LogCaptureFixture) -> None:
    """The scheduler, and the worker that it runs in, does not end over it: it looks again."""

    async def scenario(world: World) -> None:
        await world.builder.schedules.add("daily", "Daily", cron="0 3 * * *")
        inner = world.store.due_schedules

        async def failing(moment: int, **options: Any) -> Any:
            if at(2026, 1, 1, 2) <= world.clock.now_us() < moment < at(2026, 1, 1, 4):
                raise PersistenceError("the connection was lost again and again")
            return await inner(moment, **options)

        world.store.due_schedules = failing
        async with world.scheduling():
            await world.until(2026, 1, 1, 5)

        assert len(DONE) == 1

    in_world(scenario)
    assert {record.getMessage() for record in caplog.records if record.levelname == "ERROR"} == {
        "the scheduler cannot work; it tries again"
    }


def test_two_processes_over_one_file(tmp_path: Path) -> None:
    """SQLite: each has a connection of its own; the overdue run is started once, and driven by one of them."""

    async def scenario() -> None:
        builders = [
            WorkflowBuilder(
                persistence_provider=SQLitePersistenceProvider(tmp_path / "runs.db", durability="OFF"),
                plugins=False,
                import_roots=["tests"],
            )
            for _ in range(2)
        ]
        for builder in builders:
            await builder.initialize()
            builder.register(*compiled())
        store = builders[0].persistence
        await builders[0].schedules.add("daily", "Daily", cron="0 3 * * *")
        known = await store.get_schedule("daily")
        planned_us = Plan("0 3 * * *").newest(1, until_us=builders[0].clock.now_us(), since_us=0)[0]
        await store.put_schedule(replace(known, next_us=planned_us, created_us=0))
        turns = await asyncio.gather(*(Scheduler(builder, sync=False).run_once() for builder in builders))
        assert sum(turn.started for turn in turns) == 1
        (row,) = await builders[1].list_workflows()
        assert row["status"] == "COMPLETED"
        for builder in builders:
            await builder.close()

    DONE.clear()
    asyncio.run(scenario())
    assert len(DONE) == 1
