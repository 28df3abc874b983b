"""What a rewind, a fork and the other repairs do and refuse, one rule at a time."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from ruvon.engine import InvalidInputError, RepairError
from ruvon.models import WorkflowStatus
from ruvon.providers import LogEntry, Transition, WorkflowBusyError
from ruvon.testing._loop import VirtualLoop, run_virtual
from tests.simulation import flows
from tests.simulation.cases import CASES, builder
from tests.simulation.flows import Box
from tests.support import engine_flows
from tests.support.engine_world import make_builder, reset
from tests.support.repair_world import World

SCRIPTS = {case.name: case.script for case in CASES}

Scene = Callable[[World, UUID], Coroutine[Any, Any, None]]


def staged(name: str, scene: Scene, *, ended: bool = True) -> None:
    """Begin a reference workflow, run it to its end where that is wanted, and play the scene."""

    async def play(loop: VirtualLoop) -> None:
        flows.BANK.clear()
        flows.BALANCE.clear()
        world = World(loop, builder(), SCRIPTS.get(name))
        await world.born()
        root = await world.start(name, Box())
        await (world.finish(root) if ended else world.settle())
        await scene(world, root)

    run_virtual(play)


async def compensations(world: World, root: UUID) -> list[str]:
    return [item.node for item in await world.log(root) if item.kind == "compensate"]


# What is seen before


def test_a_plan_says_what_would_be_undone_and_what_would_happen_again() -> None:
    """Nothing is changed to find it out."""

    async def scene(world: World, root: UUID) -> None:
        before = await world.log(root)
        plan = await (await world.handle(root)).plan_rewind("square")
        assert (plan.step, plan.activation) == ("square", "square")
        assert plan.undone == ("square",)
        assert plan.kept == ("note", "announce")
        assert plan.state["total"] == 1
        assert await world.log(root) == before

    staged("Sequence", scene)


def test_a_plan_does_not_count_among_what_stays_what_an_earlier_rewind_undid() -> None:
    """Its effect is gone, so going on does it once and not a second time."""

    async def scene(world: World, root: UUID) -> None:
        workflow = await world.handle(root)
        await workflow.rewind("square")
        again = await (await world.handle(root)).plan_rewind("add")
        assert again.kept == ("note", "announce")

    staged("Sequence", scene)


def test_a_plan_shows_the_edits() -> None:
    """They are validated as the state is."""

    async def scene(world: World, root: UUID) -> None:
        workflow = await world.handle(root)
        assert (await workflow.plan_rewind("square", state={"total": 40})).state["total"] == 40
        with pytest.raises(InvalidInputError, match="total"):
            await workflow.plan_rewind("square", state={"total": "much"})

    staged("Sequence", scene)


def test_what_is_not_recorded_is_refused_with_a_hint() -> None:
    """The message names what is there."""

    async def scene(world: World, root: UUID) -> None:
        workflow = await world.handle(root)
        with pytest.raises(RepairError, match="did you mean `square`"):
            await workflow.plan_rewind("sqare")
        with pytest.raises(RepairError, match="recorded are `add`, `square`, `note`, `announce`"):
            await workflow.plan_rewind(99)

    staged("Sequence", scene)


@pytest.mark.parametrize(
    ("name", "to", "base"),
    [
        ("Static", "gather", "gather["),
        ("Mapped", "gather_2", "gather_2["),
        ("Nested", "gather", "gather["),
        ("Nested", "gather_2", "gather[left]/for[2]/gather_2["),
        ("Nested", "gather[left]/for[0]/gather_2", "gather[left]/for[0]/gather_2["),
        ("Loops", "while", "while["),
        ("Loops", "for", "while[1]/for["),
    ],
)
def test_a_parallel_or_loop_can_be_gone_back_to_by_its_name(name: str, to: str, base: str) -> None:
    """Where the newest execution of it began, so that all of it happens again."""

    async def scene(world: World, root: UUID) -> None:
        began = next(item for item in await world.log(root) if item.activation.startswith(base))
        assert (await (await world.handle(root)).plan_rewind(to)).activation == began.activation
        fork = await (await world.handle(root)).fork(to)
        await world.finish(UUID(fork.id))
        assert await world.end(UUID(fork.id)) == await world.end(root)

    staged(name, scene)


def test_a_parallel_that_was_gone_back_into_still_begins_where_it_began() -> None:
    """A rewind to its middle is no new execution of it; one to its beginning is."""

    async def scene(world: World, root: UUID) -> None:
        first = (await (await world.handle(root)).plan_rewind("gather")).activation
        last = [item.activation for item in await world.log(root) if item.activation.startswith("gather[")][-1]
        await (await world.handle(root)).rewind(last)
        await world.finish(root)
        assert (await (await world.handle(root)).plan_rewind("gather")).activation == first
        await (await world.handle(root)).rewind("gather")
        await world.finish(root)
        assert (await (await world.handle(root)).plan_rewind("gather")).activation.startswith("e2:gather[")

    staged("Static", scene)


# Edits


def test_a_rewound_workflow_goes_on_with_the_edited_state() -> None:
    """The log says which fields were edited, who did it and why."""

    async def scene(world: World, root: UUID) -> None:
        await world.rewind(root, "square", state={"total": 40}, actor="ann", reason="a wrong total")
        workflow = await world.handle(root)
        assert (workflow.status, workflow.result, workflow.error) == (WorkflowStatus.ACTIVE, None, None)
        entry = (await workflow.history())[-1]
        assert (entry["kind"], entry["changed"], entry["note"]) == ("rewind", ["total"], "by ann: a wrong total")
        await world.reborn()
        await world.finish(root)
        assert (await world.end(root)).result == 49 + 40

    staged("Sequence", scene)


def test_an_edit_reaches_branches_that_had_begun() -> None:
    """Also a field that a branch had written itself."""

    async def scene(world: World, root: UUID) -> None:
        last = [item for item in await world.log(root) if item.activation.startswith("gather[right]/square")]
        await world.rewind(root, last[0].seq, state={"right": 7, "left": 5})
        await world.finish(root)
        workflow = await world.handle(root)
        assert (workflow.state.left, workflow.state.right) == (5, 7)

    staged("Nested", scene)


@pytest.mark.parametrize("edit", [{"total": "much"}, {"nope": 1}])
def test_an_edit_that_does_not_fit_changes_nothing(edit: dict[str, object]) -> None:
    """It is found before anything is undone."""

    async def scene(world: World, root: UUID) -> None:
        before = await world.inner.load_instance(root), await world.log(root)
        with pytest.raises(InvalidInputError):
            await (await world.handle(root)).rewind("add", state=edit)
        assert (await world.inner.load_instance(root), await world.log(root)) == before

    staged("Sequence", scene)


# Undoing


def test_what_came_since_is_undone_newest_first() -> None:
    """Each once, and what came before stays."""

    async def scene(world: World, root: UUID) -> None:
        await (await world.handle(root)).rewind("add", compensate=True)
        assert await compensations(world, root) == ["square", "add"]

    staged("Sequence", scene)


def test_effects_may_be_left_standing() -> None:
    """With `compensate=False` nothing is undone."""

    async def scene(world: World, root: UUID) -> None:
        await (await world.handle(root)).rewind("add", compensate=False)
        assert await compensations(world, root) == []

    staged("Sequence", scene)


def test_what_stands_again_after_going_forward_is_undone_once_in_the_end() -> None:
    """Back without undoing, forward again: a rollback knows both steps, though the first rewind had let go of them."""

    async def scene(world: World, root: UUID) -> None:
        workflow = await world.handle(root)
        await workflow.rewind("add", compensate=False)
        await workflow.rewind("note", compensate=False)
        await workflow.enable_saga_mode()
        await workflow.cancel("enough")
        assert workflow.status is WorkflowStatus.CANCELLED
        assert await compensations(world, root) == ["square", "add"]

    staged("Sequence", scene)


def test_nothing_goes_on_where_the_ground_was_taken_away() -> None:
    """After a rollback only what came before everything that was undone can be gone back to."""

    async def scene(world: World, root: UUID) -> None:
        workflow = await world.handle(root)
        assert workflow.status is WorkflowStatus.FAILED_ROLLED_BACK
        with pytest.raises(
            RepairError,
            match="`square`, on which `stubborn` builds, was undone since, so going on there would build on nothing; go back to `square`",
        ):
            await workflow.rewind("stubborn")
        with pytest.raises(RepairError, match="undone since"):
            await workflow.plan_rewind("stubborn")
        await workflow.rewind("square")
        assert workflow.status is WorkflowStatus.ACTIVE

    staged("Stubborn", scene)


# Waits


def test_a_person_is_asked_again_and_has_the_time_again() -> None:
    """The answer of the first time does not count, and a second one is taken."""

    async def scene(world: World, root: UUID) -> None:
        await world.rewind(root, "human_2")
        workflow = await world.handle(root)
        assert workflow.status is WorkflowStatus.WAITING_HUMAN
        assert workflow.waiting_for[0]["due_us"] - world.clock.now_us() == timedelta(days=2) // timedelta(
            microseconds=1
        )
        await workflow.answer({"ok": False, "why": "thought again"})
        await world.finish(root)
        assert (await world.end(root)).result == "False late"

    staged("Approval", scene)


def test_a_rewind_leaves_a_wait_behind() -> None:
    """A workflow that waits can be rewound, too."""

    async def scene(world: World, root: UUID) -> None:
        workflow = await world.handle(root)
        await workflow.answer({"ok": True, "why": "first"})
        assert workflow.waiting_for[0]["name"] == "confirm"
        await workflow.rewind("note")
        assert (workflow.status, workflow.waiting_for) == (WorkflowStatus.ACTIVE, [])
        await workflow.run()
        assert (workflow.waiting_for[0]["name"], workflow.state.notes) == ("confirm", ["first"])

    staged("Approval", scene, ended=False)


def test_a_timer_keeps_its_moment() -> None:
    """The branch beside the rewound one sleeps until it would have woken."""

    async def scene(world: World, root: UUID) -> None:
        due = (await world.handle(root)).waiting_for[0]["due_us"]
        await world.clock.sleep_us(86_400_000_000)
        await (await world.handle(root)).rewind("gather[set_left]/set_left")
        workflow = await world.handle(root)
        assert workflow.status is WorkflowStatus.ACTIVE
        await world.settle()
        await workflow.refresh()
        assert workflow.waiting_for[0]["due_us"] == due
        assert [item.node for item in await world.log(root) if item.kind == "step"] == ["add", "set_left", "set_left"]

    staged("Cleaned", scene, ended=False)


# Children


def test_a_completed_child_is_undone_as_a_whole_and_another_one_is_started() -> None:
    """The new one has an id of its own."""

    async def scene(world: World, root: UUID) -> None:
        await world.rewind(root, "Middle")
        old = {row.workflow_id: row.status for row in await world.rows("Middle")}
        assert set(old.values()) == {"FAILED_ROLLED_BACK"}
        await world.finish(root)
        new = [row for row in await world.rows("Middle") if row.workflow_id not in old]
        assert [row.status for row in new] == ["COMPLETED", "COMPLETED"]
        assert (await world.end(root)).status == "COMPLETED"

    staged("Parent", scene)


def test_a_child_under_way_is_cancelled_and_another_one_is_started() -> None:
    """The end of the old one is nothing to the parent any more."""

    async def scene(world: World, root: UUID) -> None:
        old = (await world.rows("Middle"))[0]
        assert old.status == "WAITING_HUMAN"
        await world.rewind(root, "Middle")
        assert (await world.inner.load_instance(old.workflow_id)).status == "CANCELLED"
        await world.finish(root)
        assert (await world.end(root)).status == "COMPLETED"
        assert [row.status for row in await world.rows("Middle")] == ["CANCELLED", "COMPLETED", "COMPLETED"]

    staged("Parent", scene, ended=False)


def test_an_awaited_child_is_cancelled_when_its_parent_goes_back() -> None:
    """A second child with another id does the work."""

    async def scene(world: World, root: UUID) -> None:
        old = (await world.rows("WaitingChild"))[0]
        await (await world.handle(root)).rewind("add")
        assert (await world.inner.load_instance(old.workflow_id)).status == "CANCELLED"
        await world.settle()
        rows = await world.rows("WaitingChild")
        assert [row.status for row in rows] == ["CANCELLED", "PAUSED"]
        assert (await world.inner.load_instance(root)).status == "PENDING_SUB_WORKFLOW"

    staged("CancelledSaga", scene, ended=False)


def test_a_child_that_has_ended_is_its_parents_affair() -> None:
    """Its end was taken; the parent can be rewound."""

    async def scene(world: World, root: UUID) -> None:
        child = (await world.rows("Leaf"))[0]
        with pytest.raises(RepairError, match="rewind the parent"):
            await (await world.handle(child.workflow_id)).rewind("add")

    staged("Parent", scene)


def test_a_child_under_way_can_be_rewound_itself() -> None:
    """Its parent goes on waiting for it."""

    async def scene(world: World, root: UUID) -> None:
        child = (await world.rows("Middle"))[0]
        await world.rewind(child.workflow_id, "Leaf")
        await world.finish(root)
        assert (await world.end(root)).status == "COMPLETED"
        assert len(await world.rows("Middle")) == 2

    staged("Parent", scene, ended=False)


# What is refused


def test_a_rollback_is_not_disturbed() -> None:
    """COMPENSATING: its end comes first."""

    async def scene(world: World, root: UUID) -> None:
        workflow = await world.handle(root)
        assert workflow.status is WorkflowStatus.COMPENSATING
        with pytest.raises(RepairError, match="being rolled back"):
            await workflow.rewind("square")

    staged("Stubborn", scene, ended=False)


def test_history_that_is_not_kept_cannot_be_gone_back_to() -> None:
    """The error says so; what is kept can be."""

    async def scene(world: World, root: UUID) -> None:
        await _forget(world, root, before=4)
        workflow = await world.handle(root)
        with pytest.raises(RepairError, match=r"no activation|not kept any more"):
            await workflow.rewind("add")
        with pytest.raises(RepairError, match="not kept any more"):
            await workflow.rewind("announce")

    staged("Sequence", scene)


async def _forget(world: World, root: UUID, before: int) -> None:
    row = await world.inner.load_instance(root)
    entry = LogEntry(row.last_seq + 1, "save", "", "", world.clock.now_us(), position=row.position)
    transition = Transition(
        root, row.key, row.revision, row.revision + 1, b"forget", row.status, row.position, None,
        world.clock.now_us(), [entry], row.last_seq + 1, snapshot=row.snapshot, forget_before=before,
    )  # fmt: skip
    await world.inner.commit(transition)


def test_an_instance_that_is_driven_is_left_alone() -> None:
    """Somebody else holds it."""

    async def scene(world: World, root: UUID) -> None:
        hold = await world.inner.hold(root)
        with pytest.raises(WorkflowBusyError):
            await (await world.handle(root)).rewind("add")
        await hold.release()

    staged("Sequence", scene)


# Forks, jumps, compensations


def test_a_fork_goes_on_with_edits_of_its_own() -> None:
    """The old workflow keeps its state, its log and its children."""

    async def scene(world: World, root: UUID) -> None:
        before = await world.end(root)
        fork = await (await world.handle(root)).fork("square", state={"total": 100}, actor="ann", reason="what if")
        assert fork.status is WorkflowStatus.ACTIVE
        assert fork.metadata == {
            "forked_from": str(root), "forked_at": "square", "forked_by": "ann", "forked_why": "what if",
        }  # fmt: skip
        await fork.run()
        assert fork.result == 149
        assert await world.end(root) == before

    staged("Sequence", scene)


def test_a_jump_cancels_the_child_that_was_awaited() -> None:
    """Nobody waits for it any more."""

    async def scene(world: World, root: UUID) -> None:
        await (await world.handle(root)).jump_to_step("add")
        assert (await world.rows("WaitingChild"))[0].status == "CANCELLED"

    staged("CancelledSaga", scene, ended=False)


def test_a_jump_past_what_sets_a_variable_is_refused() -> None:
    """S4-024: going on there would end the workflow with a NameError, and roll it back."""

    async def scene(world: World, root: UUID) -> None:
        made = builder()
        fresh = await made.create_workflow("Sequence", Box())
        with pytest.raises(RepairError, match="`return` reads `doubled`"):
            await fresh.jump_to_step("announce")
        await fresh.jump_to_step("square")
        await fresh.run()
        assert fresh.status is WorkflowStatus.COMPLETED
        with pytest.raises(RepairError, match=r"it is COMPLETED and stands nowhere; use rewind or fork"):
            await fresh.jump_to_step("square")

    staged("Sequence", scene)


def test_a_retry_of_what_has_not_ended_says_how_it_goes_on() -> None:
    """It needs no repair."""

    async def scene(world: World, root: UUID) -> None:
        with pytest.raises(RepairError, match=r"only a failed workflow can be retried; .*run\(\)"):
            await (await world.handle(root)).retry()

    staged("CancelledSaga", scene, ended=False)


def test_only_the_compensations_that_failed_are_tried_again() -> None:
    """When they work, the rollback is complete; the log says who asked."""

    async def scene() -> tuple[str, list[str], str]:
        reset(confirm=1, **{"release hotel": 1})
        workflow = await make_builder().create_workflow("Trip", {})
        await workflow.run()
        assert workflow.status is WorkflowStatus.FAILED
        engine_flows.LEDGER.clear()
        engine_flows.FAILS.clear()
        await workflow.retry_compensation(actor="ann", reason="the hotel answers again")
        notes = [str(item["note"]) for item in await workflow.history() if item["kind"] == "repair"]
        return workflow.status.value, list(engine_flows.LEDGER), notes[0]

    status, ledger, note = asyncio.run(scene())
    assert (status, ledger) == ("FAILED_ROLLED_BACK", ["release hold-hotel hotel"])
    assert note == "retry-compensation by ann: the hotel answers again"


def test_there_must_be_a_compensation_that_failed() -> None:
    """Else there is nothing to try again."""

    async def scene(world: World, root: UUID) -> None:
        with pytest.raises(RepairError, match="no compensation of it has failed"):
            await (await world.handle(root)).retry_compensation()

    staged("Rolled", scene)


def test_observers_hear_that_an_ended_workflow_lives_again() -> None:
    """The status change is told after its commit."""
    told: list[tuple[str, str]] = []

    class Watcher:
        async def on_workflow_status_changed(self, workflow_id: str, old_status: str, new_status: str) -> None:
            told.append((old_status, new_status))

    async def scene() -> None:
        reset()
        workflow = await make_builder(observers=[Watcher()]).create_workflow("Three", {})
        await workflow.run()
        told.clear()
        await workflow.rewind("inc")

    asyncio.run(scene())
    assert told[-1] == ("COMPLETED", "ACTIVE")
