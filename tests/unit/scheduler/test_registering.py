"""Schedules come from steps, from declarations and registry files, and from people."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ruvon import DeclarationError, Workflow, workflow
from ruvon.builder import WorkflowBuilder
from ruvon.cron import InvalidCronError, InvalidScheduleError, UnknownZoneError
from ruvon.engine import InvalidInitialDataError, UnknownWorkflowTypeError
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.models import WorkflowStatus
from ruvon.providers import ScheduleNotFoundError, datetime_of
from tests.unit.scheduler.flows import DONE, WORKFLOWS, Report, daily, declared
from tests.unit.scheduler.world import World, at, in_world


async def _run(world: World, name: str, data: Any = None) -> Any:
    handle = await world.builder.create_workflow(name, data or {}, owner_id="ada")
    await handle.run()
    return handle


def test_a_step_registers_a_schedule_in_its_own_commit() -> None:
    """The name is the result; runs begin with the given data, and belong to the owner of the one that asked."""

    async def scenario(world: World) -> None:
        handle = await _run(world, "Planner")
        assert handle.result == "weekly"
        record = await world.store.get_schedule("weekly")
        assert (record.workflow_type, record.cron, record.timezone) == ("Daily", "0 9 * * MON", "Europe/Rome")
        assert record.next_us == at(2026, 1, 5, 8)
        async with world.scheduling():
            await world.until(2026, 1, 6)
        assert [item[0] for item in DONE] == ["planned"]
        assert {row.owner_id for row in await world.runs()} == {"ada"}

    in_world(scenario)


@pytest.mark.parametrize(("planner", "region"), [("RegionPlanner", "eu"), ("Planner", "us")])
def test_the_runs_of_a_schedule_are_kept_in_its_region(planner: str, region: str) -> None:
    """The one that the step names, else that of the run that asked."""

    async def scenario(world: World) -> None:
        handle = await world.builder.create_workflow(planner, {}, data_region="us")
        await handle.run()
        async with world.scheduling():
            await world.until(2026, 1, 6)
        regions = {row.workflow_type: row.data_region for row in await world.runs()}
        assert regions == {planner: "us", "Daily": region}

    in_world(scenario)


def test_a_schedule_that_a_person_adds_has_a_region_of_its_own() -> None:
    """`schedules.add(data_region=)`."""

    async def scenario(world: World) -> None:
        record = await world.builder.schedules.add("nightly", "Daily", cron="0 3 * * *", data_region="eu")
        assert record.data_region == "eu"

    in_world(scenario)


def test_a_name_is_one_schedule() -> None:
    """A second activation with the same name changes it, and neither wakes it nor skips a run."""

    async def scenario(world: World) -> None:
        await _run(world, "Planner")
        await world.builder.schedules.pause("weekly")
        await _run(world, "Planner")
        (record,) = await world.store.list_schedules()
        assert record.paused

    in_world(scenario)


def test_a_schedule_without_a_name_is_its_activation() -> None:
    """Each instance that asks has one of its own; options are those of the call."""

    async def scenario(world: World) -> None:
        first, second = await _run(world, "Nameless"), await _run(world, "Nameless")
        records = await world.store.list_schedules()
        assert {first.result, second.result} == {record.schedule_id for record in records}
        assert {(record.overlap, record.catch_up) for record in records} == {("buffer_one", 5)}

    in_world(scenario)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"cron": "0 25 * * *"}, "`0 25 * * *` is no cron expression (bad hour)"),
        ({"tz": "Europe/Atlantis"}, "there is no time zone `Europe/Atlantis`"),
        ({"name": " "}, "a schedule needs a name"),
        ({"name": "@Daily"}, "`@Daily` cannot be the name of a schedule"),
    ],
)
def test_a_wrong_schedule_is_the_error_of_the_step(data: dict[str, str], words: str) -> None:
    """It has a class of its own, a body can catch it as ValueError, and nothing was registered."""

    async def scenario(world: World) -> None:
        handle = await _run(world, "Asked", data)
        assert words in handle.result
        assert list(await world.store.list_schedules()) == []

    in_world(scenario)


def test_what_people_add_is_checked() -> None:
    """Cron, zone, name, policy, type and data."""

    async def scenario(world: World) -> None:
        add = world.builder.schedules.add
        with pytest.raises(InvalidCronError):
            await add("x", "Daily", cron="often")
        with pytest.raises(UnknownZoneError):
            await add("x", "Daily", cron="0 3 * * *", timezone="Rome")
        with pytest.raises(InvalidScheduleError, match="belong to workflows"):
            await add("@x", "Daily", cron="0 3 * * *")
        with pytest.raises(InvalidScheduleError, match="`skip`, `buffer_one`"):
            await add("x", "Daily", cron="0 3 * * *", overlap="queue")
        with pytest.raises(InvalidScheduleError, match="0 for none"):
            await add("x", "Daily", cron="0 3 * * *", catch_up=-1)
        with pytest.raises(UnknownWorkflowTypeError):
            await add("x", "Dayly", cron="0 3 * * *")
        with pytest.raises(InvalidInitialDataError):
            await add("x", "Daily", {"hours": "many"}, cron="0 3 * * *")
        assert list(await world.store.list_schedules()) == []

    in_world(scenario)


def test_data_of_a_model_comes_back_as_one() -> None:
    """An instance of the state's class is what every run begins with."""

    async def scenario(world: World) -> None:
        await world.builder.schedules.add("daily", "Daily", Report(name="model"), cron="0 3 * * *")
        async with world.scheduling():
            await world.until(2026, 1, 2)
        assert [item[0] for item in DONE] == ["model"]

    in_world(scenario)


def test_declared_schedules_follow_their_declaration() -> None:
    """Added when new, updated when changed with the pause kept, removed when the cron is gone; others are left alone."""

    async def scenario(world: World) -> None:
        assert await world.builder.sync_schedules() == ["@Declared"]
        assert await world.builder.sync_schedules() == []
        record = await world.store.get_schedule("@Declared")
        assert (record.cron, record.timezone, record.overlap, record.catch_up) == (
            "30 2 * * *",
            "Europe/Rome",
            "allow",
            3,
        )
        assert record.next_us == at(2026, 1, 1, 1, 30)
        await world.builder.schedules.pause("Declared", "holidays")

        changed = _builder(world, _declared("15 4 * * *"))
        assert await changed.sync_schedules() == ["@Declared"]
        record = await world.store.get_schedule("@Declared")
        assert (record.cron, record.paused, record.note) == ("15 4 * * *", True, "holidays")
        assert record.next_us == at(2026, 1, 1, 3, 15)

        other = WorkflowBuilder(persistence_provider=world.store, clock=world.clock, plugins=False)
        assert await other.sync_schedules() == []
        assert await _builder(world, _declared(None)).sync_schedules() == ["@Declared"]
        with pytest.raises(ScheduleNotFoundError):
            await world.builder.schedules.get("Declared")

    in_world(scenario, workflows=(daily, declared))


def _builder(world: World, *workflows: Any) -> WorkflowBuilder:
    made = WorkflowBuilder(persistence_provider=world.store, clock=world.clock, plugins=False, import_roots=["tests"])
    made.register(*workflows)
    return made


def _declared(cron: str | None) -> Any:
    """The declared workflow as a later deployment has it."""
    return Workflow(replace(declared.__ruvon_workflow__, cron=cron))


def test_a_declared_workflow_of_a_file_is_known_by_its_decorator(tmp_path: Path) -> None:
    """What is registered as a folder is read and imported."""
    (tmp_path / "nightly_file.py").write_text(
        "from datetime import timedelta\n"
        "from pydantic import BaseModel\n"
        "from ruvon import workflow\n\n\n"
        "class Night(BaseModel):\n    turns: int = 0\n\n\n"
        '@workflow("FileNightly", cron="0 2 * * *", retention=timedelta(days=7))\n'
        "async def nightly(state: Night) -> None:\n    state.turns += 1\n"
    )

    async def scenario(world: World) -> None:
        builder = WorkflowBuilder(tmp_path, persistence_provider=world.store, clock=world.clock, plugins=False)
        assert await builder.sync_schedules() == ["@FileNightly"]
        assert builder.registration("FileNightly").retention_us == 7 * 86_400_000_000

    in_world(scenario)


def test_a_registry_file_says_when_its_workflows_start(tmp_path: Path) -> None:
    """`schedule`, `timezone`, `overlap`, `catch_up` and `retention` stand beside the file's name."""
    (tmp_path / "report.yaml").write_text("workflow_type: Yearly\nsteps:\n  - set: {done: true}\n")
    (tmp_path / "workflow_registry.yaml").write_text(
        "workflows:\n"
        "  - type: Yearly\n    config_file: report.yaml\n    schedule: 0 0 1 1 *\n    timezone: Asia/Tokyo\n"
        "    overlap: allow\n    catch_up: 2\n    retention: 30 days\n"
    )

    async def scenario(world: World) -> None:
        builder = WorkflowBuilder(tmp_path, persistence_provider=world.store, clock=world.clock, plugins=False)
        await builder.sync_schedules()
        record = await world.store.get_schedule("@Yearly")
        assert (record.cron, record.timezone, record.overlap, record.catch_up) == (
            "0 0 1 1 *",
            "Asia/Tokyo",
            "allow",
            2,
        )
        assert datetime_of(record.next_us or 0) == datetime(2026, 12, 31, 15, tzinfo=UTC)
        assert builder.registration("Yearly").retention_us == 30 * 86_400_000_000

    in_world(scenario)


def test_the_scheduler_registers_what_is_declared() -> None:
    """Nobody has to call `sync_schedules`; a run of a declared schedule begins with the defaults of its state."""

    async def scenario(world: World) -> None:
        async with world.scheduling(sync=True):
            await world.until(2026, 1, 2)
        assert [item[:2] for item in DONE] == [("daily", datetime(2026, 1, 1, 1, 30, tzinfo=UTC))]

    in_world(scenario, workflows=(daily, declared))


def test_a_cron_that_is_none_is_refused_by_the_decorator() -> None:
    """`@workflow(cron=...)` is checked where it stands."""
    with pytest.raises(DeclarationError, match=r"is no cron expression \(wrong number of fields\)"):
        workflow("Wrong", cron="9am")(daily.__wrapped__)


def test_old_runs_are_deleted() -> None:
    """By the retention of their type, or the scheduler's own for those that say nothing; live ones stay."""

    async def scenario(world: World) -> None:
        for name in ("Daily", "Declared"):
            await _run(world, name, {"name": name})
        waiting = await world.builder.create_workflow("Long", {"hours": 24 * 300})
        await waiting.next_step()

        async def left() -> list[str]:
            return sorted(row.workflow_type for row in await world.runs())

        async with world.scheduling(retention=timedelta(days=10), poll=timedelta(days=1)):
            await world.until(2026, 1, 2, 23)
            assert await left() == ["Daily", "Declared", "Long"]
            await world.until(2026, 1, 3, 2)
            assert await left() == ["Daily", "Long"]
            await world.until(2026, 1, 11, 2)
            assert await left() == ["Long"]
            assert waiting.status is WorkflowStatus.PAUSED

    in_world(scenario, workflows=WORKFLOWS)


def test_retention_goes_in_small_batches() -> None:
    """Several hundred old runs take several transactions."""

    async def scenario(world: World) -> None:
        for _ in range(250):
            await _run(world, "Declared")
        sizes: list[int] = []
        inner = world.store.purge_ended

        async def counted(before: int, **options: Any) -> int:
            sizes.append(await inner(before, **options))
            return sizes[-1]

        world.store.purge_ended = counted
        await world.until(2026, 1, 4)
        turn = await world.scheduler().run_once()
        assert (turn.deleted, sizes) == (250, [100, 100, 50])

    in_world(scenario, workflows=WORKFLOWS)


def test_a_memory_store_is_enough_for_a_builder_of_defaults() -> None:
    """`builder.schedules` needs nothing but the builder."""
    builder = WorkflowBuilder(plugins=False)
    assert isinstance(builder.persistence, MemoryPersistenceProvider)
    assert builder.schedules is not None
