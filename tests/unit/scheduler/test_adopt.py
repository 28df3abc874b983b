"""Runs that nobody drives: `resume_all`, and schedulers that adopt."""

from datetime import timedelta
from uuid import UUID

from ruvon.models import WorkflowStatus
from ruvon.providers import InboxEntry, InboxKind
from ruvon.scheduler import resume_all
from tests.unit.scheduler.world import World, in_world


def _cancel(workflow_id: str) -> InboxEntry:
    return InboxEntry(UUID(workflow_id), InboxKind.CANCEL, "", b'{"reason": "enough"}')


def test_a_run_that_was_never_driven_goes_on() -> None:
    """As far as it goes now: it sleeps, and nobody waits for that."""

    async def scenario(world: World) -> None:
        made = await world.builder.create_workflow("Long", {"hours": 3})
        (item,) = await resume_all(world.builder)
        assert (str(item.workflow_id), item.status, item.problem) == (made.id, "PAUSED", "")

    in_world(scenario)


def test_a_message_that_nobody_took_is_taken() -> None:
    """It was appended by a process that died before it could wake anybody."""

    async def scenario(world: World) -> None:
        made = await world.builder.create_workflow("Long", {"hours": 3})
        await made.next_step()
        await world.store.append_inbox(_cancel(made.id))
        (item,) = await resume_all(world.builder)
        assert item.status == "CANCELLED"

    in_world(scenario)


def test_nothing_is_driven_where_everything_waits() -> None:
    """A second pass finds nothing to do."""

    async def scenario(world: World) -> None:
        await world.builder.create_workflow("Long", {"hours": 3})
        await resume_all(world.builder)
        assert list(await resume_all(world.builder)) == []

    in_world(scenario)


def test_a_run_that_somebody_drives_is_told_as_busy() -> None:
    """And it is not tried again and again."""

    async def scenario(world: World) -> None:
        made = await world.builder.create_workflow("Long", {"hours": 3})
        hold = await world.store.hold(UUID(made.id))
        (item,) = await resume_all(world.builder)
        await hold.release()
        assert (item.busy, item.status) == (True, "ACTIVE")

    in_world(scenario)


def test_an_adopting_scheduler_takes_up_a_message() -> None:
    """Within a minute, though no schedule made the run and no timer of it is due."""

    async def scenario(world: World) -> None:
        made = await world.builder.create_workflow("Long", {"hours": 24 * 365})
        await made.next_step()
        async with world.scheduling(adopt=True, poll=timedelta(seconds=10)):
            await world.store.append_inbox(_cancel(made.id))
            await world.until(2026, 1, 1, 0, 2)
        await made.refresh()
        assert made.status is WorkflowStatus.CANCELLED

    in_world(scenario)


def test_another_scheduler_leaves_such_runs_alone() -> None:
    """A run that is led by `next_step` is nobody else's business."""

    async def scenario(world: World) -> None:
        made = await world.builder.create_workflow("Long", {"hours": 3})
        async with world.scheduling(poll=timedelta(seconds=10)):
            await world.until(2026, 1, 2)
        await made.refresh()
        assert made.status is WorkflowStatus.ACTIVE

    in_world(scenario)


def test_more_runs_than_there_is_room_for_are_all_adopted() -> None:
    """What found no room in one turn is taken in the next ones, not a minute later."""

    async def scenario(world: World) -> None:
        made = [await world.builder.create_workflow("Daily", {"name": str(number)}) for number in range(7)]
        async with world.scheduling(adopt=True, concurrency=2):
            await world.until(2026, 1, 1, 0, 0, 30)
        for handle in made:
            await handle.refresh()
        assert {handle.status for handle in made} == {WorkflowStatus.COMPLETED}

    in_world(scenario)
