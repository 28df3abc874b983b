"""SEMANTICS 8.6: each `finally` that runs under a cancel has a deadline, and runs once, whatever it holds."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import cache
from typing import Any
from uuid import UUID

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.ir import Definition
from ruvon.models import WorkflowStatus
from ruvon.providers import InstanceFilter
from ruvon.scheduler import resume_all
from ruvon.testing._loop import run_virtual
from tests.support import cleanup_flows as flows
from tests.support.cleanup_flows import DONE
from tests.support.virtual_place import Place


@cache
def _definitions() -> tuple[Definition, ...]:
    builder = WorkflowBuilder(plugins=False)
    builder.register(*flows.ALL)
    return tuple(builder.get_definition(name) for name in builder.registered_types())


@pytest.fixture
def in_place() -> Callable[[Any], None]:
    """Run a scenario in a fresh place."""

    def run(scenario: Callable[[Place], Coroutine[Any, Any, None]]) -> None:
        run_virtual(lambda loop: scenario(Place(loop, flows, _definitions())))

    return run


def test_a_cleanup_step_that_hangs_is_cut_short_and_the_rest_goes_on(in_place: Any) -> None:
    """The step is cancelled, the log says so, the `finally` around and the rollback still run."""

    async def scenario(place: Place) -> None:
        run = await place.cancelled("CleanupStep")
        assert await place.status(run.id) == WorkflowStatus.CANCELLED
        assert DONE == ["arrange", "work", "clean", "clean cut off", "tidy", "disarrange"]
        assert await place.cuts(run.id) == ["hang_cleaning"]

    in_place(scenario)


def test_none_lets_a_cleanup_take_its_time(in_place: Any) -> None:
    """And one that ends before its deadline is not touched."""

    async def scenario(place: Place) -> None:
        builder = place.builder(None)
        run, task = await place.running("CleanupStep", builder)
        cancelling = asyncio.ensure_future((await builder.load_workflow(run.id)).cancel("enough"))
        await place.gates.cleaning.wait()
        await place.clock.sleep_us(10**12)
        assert "clean cut off" not in DONE
        place.gates.hold.set()
        await asyncio.gather(cancelling, task)
        assert DONE == ["arrange", "work", "clean", "never", "tidy", "disarrange"]
        assert await place.cuts(run.id) == []

    in_place(scenario)


@pytest.mark.parametrize("name", ["CleanupSleep", "CleanupHuman"])
def test_a_cleanup_that_waits_is_cut_short_by_whoever_drives_it_then(in_place: Any, name: str) -> None:
    """The deadline is in the row, so the scheduler finds it; nobody has to sleep for it."""

    async def scenario(place: Place) -> None:
        run = await place.cancelled(name)
        assert DONE == ["work"]
        row = await place.store.load_instance(UUID(run.id))
        if not WorkflowStatus(row.status).is_terminal:
            assert row.due_us is not None
            assert row.due_us <= place.clock.now_us() + 30_000_000
            await place.clock.sleep_us(31_000_000)
            await resume_all(place.builder())
        assert await place.status(run.id) == WorkflowStatus.CANCELLED
        assert "never" not in DONE
        assert len(await place.cuts(run.id)) == 1

    in_place(scenario)


def test_branches_of_a_cleanup_are_cut_short_together(in_place: Any) -> None:
    """What ended of them is not begun again, and the `gather` is not either."""

    async def scenario(place: Place) -> None:
        run = await place.cancelled("CleanupBranches")
        assert await place.status(run.id) == WorkflowStatus.CANCELLED
        assert sorted(DONE) == ["clean", "clean cut off", "tidy", "work"]
        assert len(await place.cuts(run.id)) == 1

    in_place(scenario)


def test_branches_of_a_cleanup_that_end_are_joined(in_place: Any) -> None:
    """A `gather` in a `finally` under cancel comes to its end, and what stands behind it runs."""

    async def scenario(place: Place) -> None:
        builder = place.builder()
        run, task = await place.running("CleanupBranches", builder)
        cancelling = asyncio.ensure_future((await builder.load_workflow(run.id)).cancel("enough"))
        await place.gates.cleaning.wait()
        place.gates.hold.set()
        await asyncio.gather(cancelling, task)
        assert sorted(DONE) == ["clean", "never", "tidy", "work"]
        assert await place.status(run.id) == WorkflowStatus.CANCELLED

    in_place(scenario)


def test_a_child_that_a_cleanup_waits_for_comes_to_its_end(in_place: Any) -> None:
    """Its end goes to the `finally`, which goes on; it is not taken for a child that was to end first."""

    async def scenario(place: Place) -> None:
        run = await place.cancelled("CleanupByChild")
        assert DONE == ["work", "arrange", "tidy"]
        rows = await place.store.find_instances(InstanceFilter())
        assert sorted((row.workflow_type, row.status) for row in rows) == [
            ("CleanupByChild", "CANCELLED"),
            ("CleanupShort", "COMPLETED"),
        ]
        assert await place.cuts(run.id) == []

    in_place(scenario)


def test_a_child_that_hangs_in_a_cleanup_is_told_to_end(in_place: Any) -> None:
    """The parent does not wait for it any longer."""

    async def scenario(place: Place) -> None:
        run = await place.cancelled("CleanupByHangingChild")
        await resume_all(place.builder())
        assert await place.status(run.id) == WorkflowStatus.CANCELLED
        rows = await place.store.find_instances(InstanceFilter())
        assert {row.workflow_type: row.status for row in rows} == {
            "CleanupByHangingChild": "CANCELLED",
            "CleanupLong": "CANCELLED",
        }
        assert DONE == ["work", "clean", "clean cut off"]
        assert len(await place.cuts(run.id)) == 1

    in_place(scenario)


def test_a_deadline_that_began_in_a_process_that_died_is_kept(in_place: Any) -> None:
    """The next process does not give the `finally` another full time, and does not run its done steps again."""

    async def scenario(place: Place) -> None:
        builder = place.builder()
        run, task = await place.running("CleanupChild", builder)
        asking = asyncio.ensure_future((await builder.load_workflow(run.id)).cancel("enough"))
        await place.gates.cleaning.wait()
        place.fail_from(1)
        task.cancel()
        asking.cancel()
        await asyncio.gather(task, asking, return_exceptions=True)
        place.mend()
        place.die()
        began = place.clock.now_us()
        await place.clock.sleep_us(20_000_000)
        DONE.clear()
        await resume_all(place.builder())
        assert await place.status(run.id) == WorkflowStatus.CANCELLED
        assert place.clock.now_us() - began < 31_000_000
        assert DONE == ["clean", "clean cut off"]
        assert len(await place.cuts(run.id)) == 1

    in_place(scenario)


def test_the_cleanup_of_a_loser_is_not_begun_again_by_a_cancel(in_place: Any) -> None:
    """A body that cleans up already runs on, with the deadline from now on."""

    async def scenario(place: Place) -> None:
        builder = place.builder()
        made = await builder.create_workflow("CleanupLoser", {})
        task = asyncio.ensure_future(made.run())
        await place.gates.cleaning.wait()
        await (await builder.load_workflow(made.id)).cancel("enough")
        await task
        assert await place.status(made.id) == WorkflowStatus.CANCELLED
        assert DONE == ["clean", "clean cut off"]
        assert len(await place.cuts(made.id)) == 1

    in_place(scenario)


def test_the_cleanup_of_a_loser_may_wait(in_place: Any) -> None:
    """A branch that is stopped is led out, and what its `finally` waits for still arrives."""

    async def scenario(place: Place) -> None:
        made = await place.builder().create_workflow("CleanupLoserSleeps", {})
        await made.run()
        assert await place.status(made.id) == WorkflowStatus.COMPLETED
        assert DONE == ["arrange", "tidy", "never"]

    in_place(scenario)


@pytest.mark.parametrize("name", ["CleanupFirst", "CleanupLater"])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_store_that_fails_in_the_middle_of_a_cancel_costs_no_cleanup(in_place: Any, name: str, at: int) -> None:
    """Nobody died, the drive was thrown away: whoever drives next takes the request where the run had been."""

    async def scenario(place: Place) -> None:
        builder = place.builder()
        run, task = await place.running(name, builder)
        place.fail_from(at)
        asked = await builder.load_workflow(run.id)
        await asyncio.gather(asked.cancel("enough"), task, return_exceptions=True)
        place.mend()
        await resume_all(builder)
        assert await place.status(run.id) == WorkflowStatus.CANCELLED
        assert DONE.count("work") == 1
        assert "tidy" in DONE

    in_place(scenario)


def test_a_run_between_two_steps_that_a_caller_asked_for_has_nothing_to_clean_up(in_place: Any) -> None:
    """`next_step` came back before the TRY, so its body never began, and its `finally` does not run."""

    async def scenario(place: Place) -> None:
        builder = place.builder()
        made = await builder.create_workflow("CleanupByStep", {})
        await made.next_step()
        assert DONE == ["arrange"]
        await made.cancel("enough")
        assert await place.status(made.id) == WorkflowStatus.CANCELLED
        assert DONE == ["arrange"]

    in_place(scenario)
