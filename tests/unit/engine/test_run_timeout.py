"""`@workflow(timeout=)`: a run that takes too long is led out like one that is cancelled, and fails."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import cache
from typing import Any
from uuid import UUID

import orjson
import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.ir import Definition
from ruvon.models import WorkflowStatus
from ruvon.providers import InstanceFilter
from ruvon.scheduler import resume_all
from ruvon.testing._loop import run_virtual
from tests.support import limit_flows as flows
from tests.support.limit_flows import DONE
from tests.support.virtual_place import Place

MINUTE_US = 60_000_000


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


async def _error(place: Place, workflow_id: str) -> str:
    row = await place.store.load_instance(UUID(workflow_id))
    return str(orjson.loads(row.error or b"{}").get("path"))


LIMIT = "ruvon.models:WorkflowTimeoutError"


def test_a_running_step_is_cancelled_when_the_time_of_the_run_is_over(in_place: Any) -> None:
    """Its `finally` runs, its `except TimeoutError` does not, and the run has failed."""

    async def scenario(place: Place) -> None:
        made = await place.builder().create_workflow("LimitStep", {})
        began = place.clock.now_us()
        await made.run()
        assert place.clock.now_us() - began == 10 * MINUTE_US
        assert await place.status(made.id) == WorkflowStatus.FAILED
        assert await _error(place, made.id) == LIMIT
        assert DONE == ["work", "work cut off", "tidy"]

    in_place(scenario)


def test_what_a_saga_did_is_undone_when_its_time_is_over(in_place: Any) -> None:
    """As after any uncaught error."""

    async def scenario(place: Place) -> None:
        made = await place.builder().create_workflow("LimitSaga", {})
        await made.run()
        assert await place.status(made.id) == WorkflowStatus.FAILED_ROLLED_BACK
        assert await _error(place, made.id) == LIMIT
        assert sorted(DONE) == ["arrange", "beside", "disarrange", "work", "work cut off"]

    in_place(scenario)


def test_a_run_that_waits_for_a_person_is_ended_by_whoever_looks_then(in_place: Any) -> None:
    """Nobody drives it meanwhile; the moment is in its row, where the scheduler finds it."""

    async def scenario(place: Place) -> None:
        made = await place.builder().create_workflow("LimitHuman", {})
        await made.run()
        row = await place.store.load_instance(UUID(made.id))
        assert row.status == WorkflowStatus.WAITING_HUMAN
        assert row.due_us == row.created_us + 10 * MINUTE_US
        await place.clock.sleep_us(10 * MINUTE_US)
        await resume_all(place.builder())
        assert await place.status(made.id) == WorkflowStatus.FAILED
        assert await _error(place, made.id) == LIMIT
        assert DONE == []

    in_place(scenario)


def test_a_timer_that_rings_too_late_is_not_waited_for(in_place: Any) -> None:
    """`run` sleeps until the earlier of the two."""

    async def scenario(place: Place) -> None:
        made = await place.builder().create_workflow("LimitSleep", {})
        began = place.clock.now_us()
        await made.run()
        assert place.clock.now_us() - began == 10 * MINUTE_US
        assert await place.status(made.id) == WorkflowStatus.FAILED
        assert DONE == []

    in_place(scenario)


def test_a_run_that_ends_in_time_is_not_touched(in_place: Any) -> None:
    """And leaves no timer behind."""

    async def scenario(place: Place) -> None:
        made = await place.builder().create_workflow("LimitEnough", {})
        await made.run()
        row = await place.store.load_instance(UUID(made.id))
        assert (row.status, row.due_us, DONE) == (WorkflowStatus.COMPLETED, None, ["in time"])

    in_place(scenario)


@pytest.mark.parametrize("name", ["LimitStep", "LimitSaga"])
@pytest.mark.parametrize("later", [0, 1, 2, 3])
def test_the_time_of_a_run_survives_its_process(in_place: Any, name: str, later: int) -> None:
    """It counts from the creation, not from when somebody takes the run up again; a death on the way out, too."""

    async def scenario(place: Place) -> None:
        made, task = await place.running(name)
        began = (await place.store.load_instance(UUID(made.id))).created_us
        await place.clock.sleep_us(4 * MINUTE_US)
        place.fail_from(later + 1)
        if later:
            await asyncio.gather(task, return_exceptions=True)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        place.mend()
        place.die()
        DONE.clear()
        await resume_all(place.builder())
        assert place.clock.now_us() - began <= 11 * MINUTE_US
        assert await place.status(made.id) in (WorkflowStatus.FAILED, WorkflowStatus.FAILED_ROLLED_BACK)
        assert await _error(place, made.id) == LIMIT
        if later == 0:
            assert ("tidy" if name == "LimitStep" else "disarrange") in DONE

    in_place(scenario)


def test_a_run_whose_time_passed_while_nobody_drove_it_fails_without_another_effect(in_place: Any) -> None:
    """The step that a dead process was in is not begun again."""

    async def scenario(place: Place) -> None:
        made, task = await place.running("LimitStep")
        place.die()
        place.fail_from(1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        place.mend()
        await place.clock.sleep_us(20 * MINUTE_US)
        DONE.clear()
        await resume_all(place.builder())
        assert await place.status(made.id) == WorkflowStatus.FAILED
        assert DONE == ["tidy"]

    in_place(scenario)


def test_a_parent_handles_the_timeout_of_its_child_as_a_timeout_error(in_place: Any) -> None:
    """For the parent it is the child's own error."""

    async def scenario(place: Place) -> None:
        made = await place.builder().create_workflow("LimitParent", {})
        await made.run()
        assert await place.status(made.id) == WorkflowStatus.COMPLETED
        assert DONE == ["work", "work cut off", "the child took too long"]

    in_place(scenario)


def test_a_parent_whose_time_is_over_ends_its_child_first(in_place: Any) -> None:
    """As a cancel does."""

    async def scenario(place: Place) -> None:
        made = await place.builder().create_workflow("LimitOfParent", {})
        await made.run()
        rows = await place.store.find_instances(InstanceFilter())
        assert {row.workflow_type: row.status for row in rows} == {
            "LimitOfParent": "FAILED",
            "LimitChild": "CANCELLED",
        }
        assert await _error(place, made.id) == LIMIT

    in_place(scenario)


def test_an_operator_who_retries_gives_the_whole_time_again(in_place: Any) -> None:
    """Else it would fail at once, for ever."""

    async def scenario(place: Place) -> None:
        builder = place.builder()
        made = await builder.create_workflow("LimitHuman", {})
        await made.run()
        await place.clock.sleep_us(11 * MINUTE_US)
        await made.run()
        assert await place.status(made.id) == WorkflowStatus.FAILED
        again = await builder.load_workflow(made.id)
        await again.retry(from_step="human")
        row = await place.store.load_instance(UUID(made.id))
        assert row.status == WorkflowStatus.WAITING_HUMAN
        assert row.due_us == place.clock.now_us() + 10 * MINUTE_US
        await (await place.builder().load_workflow(made.id)).next_step(user_input={"ok": True})
        assert await place.status(made.id) == WorkflowStatus.COMPLETED

    in_place(scenario)


def test_each_life_of_a_run_that_restarts_has_the_whole_time(in_place: Any) -> None:
    """`restart` begins a fresh history, and a fresh clock."""

    async def scenario(place: Place) -> None:
        made = await place.builder().create_workflow("LimitRestarts", {})
        await made.run()
        assert await place.status(made.id) == WorkflowStatus.COMPLETED
        assert DONE == ["life"] * 3

    in_place(scenario)


def test_a_cancel_of_a_run_whose_time_is_over_changes_nothing(in_place: Any) -> None:
    """It is on its way out already, and ends as what it was: too late."""

    async def scenario(place: Place) -> None:
        builder = place.builder()
        made, task = await place.running("LimitStep", builder)
        await place.clock.sleep_us(10 * MINUTE_US)
        await asyncio.gather((await builder.load_workflow(made.id)).cancel("enough"), task, return_exceptions=True)
        assert await place.status(made.id) in (WorkflowStatus.FAILED, WorkflowStatus.CANCELLED)
        assert DONE == ["work", "work cut off", "tidy"]

    in_place(scenario)
