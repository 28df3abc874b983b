"""Rollback in `.local`: reverse order of completion, recorded arguments, scopes, unknown outcomes (S1-067, S3-049)."""

from datetime import timedelta
from typing import Any

from ruvon import InTurn, Reply, World
from ruvon.models import SagaWorkflowException
from tests.unit.authoring import flows as f
from tests.unit.authoring import flows_groups as groups
from tests.unit.authoring import flows_saga as sagas
from tests.unit.authoring.support import ran, result_of


def undone(world: World) -> list[str]:
    """What was undone, in order."""
    return [item.activation for item in world.compensations]


def test_an_uncaught_error_undoes_everything_in_reverse() -> None:
    """Each completed activation is undone once, loop turns included, with its own arguments and result."""
    seen: list[Any] = []

    def release(hold: str, what: str) -> None:
        seen.append((hold, what))

    def refund(receipt: str, amount: int) -> None:
        seen.append((receipt, amount))

    world = World(steps={groups.item: f.Declined(code=1), "release": release, "refund": refund})
    outcome = ran(sagas.saga_flow, f.Job(), world)
    assert isinstance(outcome.error, f.Declined)
    assert undone(world) == ["charge", "book", "reserve#2", "reserve"]
    assert seen == [("charge-3", 3), ("hold-b", "b"), ("hold-a", "a")]


def test_a_compensation_sees_the_current_state_and_its_writes_merge() -> None:
    """The state step's compensation has state, context, result and arguments."""
    outcome = ran(sagas.saga_flow, f.Job(n=1), World(steps={groups.item: f.Declined(code=1)}))
    assert outcome.state.n == 1
    assert outcome.state.notes == ["paid-5 paid-5 book :compensate"]


def test_without_saga_nothing_is_undone() -> None:
    """`saga=False` leaves what completed."""
    world = World(steps={groups.item: f.Declined(code=1)})
    ran(sagas.no_saga, f.Job(), world)
    assert undone(world) == []


def test_saga_workflow_exception_always_undoes() -> None:
    """It starts the rollback whether or not saga is on."""
    world = World()
    assert isinstance(ran(sagas.asked_rollback, f.Job(), world).error, SagaWorkflowException)
    assert undone(world) == ["reserve"]


def test_a_caught_error_undoes_nothing() -> None:
    """Only an error that leaves the body starts the rollback."""
    world = World(steps={groups.item: f.Declined(code=1)})
    assert result_of(sagas.caught_in_saga, f.Job(), world) == "went on"
    assert undone(world) == []


def test_a_failing_compensation_does_not_stop_the_rest() -> None:
    """It is recorded with its error, after its retries on the virtual clock."""
    world = World(steps={groups.item: f.Declined(code=1), "refund": ValueError("bank closed")})
    ran(sagas.saga_flow, f.Job(), world)
    assert undone(world) == ["charge", "book", "reserve#2", "reserve"]
    assert [str(item.error) for item in world.compensations if item.error] == ["bank closed"]
    assert world.slept == [timedelta(minutes=1)]


def test_an_attempted_step_with_unknown_outcome_is_undone_without_result() -> None:
    """A charge that timed out may have happened: its `attempted` compensation runs with None."""
    seen: list[Any] = []
    world = World(
        steps={
            sagas.charge: Reply("late", takes=timedelta(minutes=1)),
            "refund": lambda receipt, amount: seen.append((receipt, amount)),
        }
    )
    assert isinstance(ran(sagas.saga_flow, f.Job(), world).error, TimeoutError)
    assert seen == [(None, 3)]


def test_a_step_that_failed_for_certain_is_not_undone() -> None:
    """A plain error says that nothing happened."""
    world = World(steps={sagas.charge: ValueError("declined")})
    ran(sagas.saga_flow, f.Job(), world)
    assert undone(world) == ["book", "reserve#2", "reserve"]


def test_a_scope_undoes_what_completed_inside_and_passes_the_error_on() -> None:
    """What happened before the scope stays, and the handler runs after the rollback."""
    world = World(steps={groups.item: f.Declined(code=9)})
    found = result_of(sagas.scoped, f.Job(), world)
    assert undone(world) == ["book", "reserve#2"]
    assert found.startswith("declined with 9 0 ['paid-2")
    assert world.steps_called[-1] == "add"


def test_an_inner_scope_that_ended_well_is_undone_by_the_outer_one() -> None:
    """Entries of an inner scope belong to the outer ones too."""
    world = World(steps={groups.item: f.Declined(code=9)})
    assert result_of(sagas.nested_scopes, f.Job(), world) == "undone"
    assert undone(world) == ["reserve"]


def test_a_scope_undoes_one_item_of_a_loop_alone() -> None:
    """Each turn has a scope of its own."""
    world = World(steps={groups.item: InTurn(1, f.Declined(code=2), 3)})
    assert result_of(sagas.scope_per_item, f.Job(notes=["a", "b", "c"]), world) == ["hold-a", "hold-c"]
    assert undone(world) == ["reserve#2"]


def test_what_completed_in_other_branches_is_undone_too() -> None:
    """Running siblings finish, are recorded, and are undone in reverse order of completion."""
    world = World(
        steps={
            groups.item: f.Declined(code=1),
            sagas.reserve: Reply("r", takes=timedelta(seconds=2)),
            sagas.charge: Reply("c", takes=timedelta(seconds=1)),
        }
    )
    assert isinstance(ran(sagas.parallel_saga, f.Job(), world).error, f.Declined)
    assert undone(world) == ["gather[reserve]/reserve", "gather[charge]/charge"]


def test_an_explicit_undo_marks_the_entry() -> None:
    """A compensation that is a step and was called by hand is not run again for that entry."""
    world = World(steps={groups.item: f.Declined(code=1)})
    ran(sagas.manual_undo, f.Job(), world)
    assert undone(world) == ["lock#2"]


def test_a_completed_child_is_undone_as_a_whole_in_its_turn() -> None:
    """The child stands between what came before and after it."""
    world = World(steps={groups.item: f.Declined(code=1)})
    ran(sagas.parent_saga, f.Job(), world)
    assert undone(world) == ["reserve#2", "ChildWithSaga/reserve", "reserve"]


def test_no_rollback_without_an_error() -> None:
    """A body that ends well keeps everything."""
    world = World(steps={groups.item: 1})
    assert ran(sagas.saga_flow, f.Job(), world).error is None
    assert undone(world) == []
