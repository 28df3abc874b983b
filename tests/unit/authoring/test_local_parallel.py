"""`gather` in `.local`: isolated branches, the join, and the task-group rule."""

from datetime import timedelta
from typing import Any

import pytest

from ruvon import InTurn, MergeConflictError, Reply, StepFailed, TimedOut, World
from tests.unit.authoring import flows as f
from tests.unit.authoring import flows_groups as groups
from tests.unit.authoring import flows_rest as rest
from tests.unit.authoring.support import ran, result_of


def fails_for(*bad: int) -> Any:
    """A fake of `item` that fails for these numbers."""

    def fake(n: int) -> int:
        if n in bad:
            raise f.Declined(code=n)
        return n * 10

    return fake


def test_branches_do_not_see_each_others_writes() -> None:
    """Each branch sees the state as of the fork and its own writes; the join has both."""
    outcome = ran(groups.isolated, f.Job())
    assert outcome.result == ([1, 0, 1, 0], [0, 0, 0, 2])
    assert (outcome.state.a, outcome.state.b) == (1, 2)


def test_two_writers_of_a_field_are_refused() -> None:
    """The default in Python is RAISE_ERROR; it names the field and the branches, and merges nothing."""
    outcome = ran(groups.conflict, f.Job())
    assert isinstance(outcome.error, MergeConflictError)
    assert (outcome.error.key, outcome.error.branches) == ("a", ("set_a", "set_a_2"))
    assert outcome.state.a == 0


@pytest.mark.parametrize(("flow", "winner"), [(groups.prefer_new, 2), (groups.prefer_old, 1)])
def test_conflict_says_who_wins(flow: Any, winner: int) -> None:
    """PREFER_NEW takes the later branch, PREFER_OLD (PREFER_EXISTING) the earlier one."""
    assert ran(flow, f.Job()).state.a == winner


def test_two_writers_of_one_value_conflict_too() -> None:
    """A rule that looked at values would depend on the data."""
    assert isinstance(ran(rest.agreement, f.Job()).error, MergeConflictError)


def test_a_merge_function_joins_instead() -> None:
    """It is given the results in order, and its dict merges into the state."""
    outcome = ran(rest.merged_by_function, f.Job())
    assert (outcome.state.n, outcome.result) == (2 + 3, [2, 3])


def test_deep_merge_goes_into_dicts() -> None:
    """DEEP merges dicts key by key, on top of what was there."""
    assert ran(groups.deep, f.Job(meta={"z": 0})).state.meta == {"z": 0, "x": 1, "y": 2}


def test_deep_merge_refuses_one_key_twice() -> None:
    """The conflict names the path below the field."""
    error = ran(groups.deep_conflict, f.Job()).error
    assert isinstance(error, MergeConflictError)
    assert error.key == "meta.x"


def test_shallow_merge_refuses_one_field_twice() -> None:
    """SHALLOW compares whole fields."""
    error = ran(groups.shallow, f.Job()).error
    assert isinstance(error, MergeConflictError)
    assert error.key == "meta"


def test_all_branches_make_their_first_call_before_any_runs() -> None:
    """A failure of the first does not keep the others from having started; they finish and are recorded."""
    world = World(steps={groups.item: fails_for(0)})
    outcome = ran(groups.all_at_once, f.Job(n=3), world)
    assert str(outcome.error) == "declined with 0"
    assert world.steps_called == ["item", "item", "item"]


def test_a_limit_is_a_sliding_window() -> None:
    """With two at once, the third starts when the first has ended, though the second still runs."""
    world = World()
    begun: list[tuple[int, float]] = []
    before = world.now

    def fake(n: int) -> Reply:
        begun.append((n, (world.now - before).total_seconds()))
        return Reply(n, takes=timedelta(seconds=[1, 10, 1, 1][n]))

    world.steps.entries = {"item": fake}
    assert result_of(groups.window, f.Job(n=4), world) == [0, 1, 2, 3]
    assert begun == [(0, 0.0), (1, 0.0), (2, 1.0), (3, 2.0)]


def test_a_batch_size_is_a_barrier() -> None:
    """The third starts when both of the first batch have ended."""
    world = World()
    begun: list[tuple[int, float]] = []
    before = world.now

    def fake(n: int) -> Reply:
        begun.append((n, (world.now - before).total_seconds()))
        return Reply(n, takes=timedelta(seconds=[1, 10, 1, 1, 1][n]))

    world.steps.entries = {"item": fake}
    assert result_of(groups.batches, f.Job(n=5), world) == [0, 1, 2, 3, 4]
    assert begun == [(0, 0.0), (1, 0.0), (2, 10.0), (3, 10.0), (4, 11.0)]


def test_nothing_new_starts_after_a_failure() -> None:
    """In a window, what has not started is not started any more."""
    world = World(steps={groups.item: fails_for(0)})
    outcome = ran(groups.window, f.Job(n=6), world)
    assert str(outcome.error) == "declined with 0"
    assert len(world.calls) == 2


def test_other_branches_stop_after_their_running_step() -> None:
    """The running step of a sibling finishes; its next one does not start; waits are cancelled; `finally` runs."""
    world = World(steps={groups.item: fails_for(0)})
    before = world.now
    assert result_of(groups.failing_branches, f.Job(), world) == "caught 0 "
    assert [item.args.get("n") for item in world.calls if item.step == "item"] == [0, 1]
    assert world.by_branch["gather[waits]"] == ["add"]
    assert world.now == before


def test_partial_gives_results_and_failures() -> None:
    """`partial=True` gives a `Batch` with what worked, and where and why the rest failed."""
    world = World(steps={groups.item: fails_for(1)})
    found = result_of(groups.partial, f.Job(n=3), world)
    assert found == "[0, 20] [(1, 'Declined', 'declined with 1')]"


@pytest.mark.parametrize(("bad", "raises"), [((0,), False), ((0, 1), True)])
def test_tolerate_is_a_share(bad: tuple[int, ...], raises: bool) -> None:
    """One failure of four is within a quarter, two are not."""
    outcome = ran(groups.tolerant, f.Job(n=4), World(steps={groups.item: fails_for(*bad)}))
    assert isinstance(outcome.error, StepFailed) is raises
    assert not raises or "2 of 4 branches of `gather` failed" in str(outcome.error)
    assert raises or outcome.result == 3


def test_collect_is_another_spelling_of_partial() -> None:
    """`on_failure="collect"` gives a `Batch` too."""
    assert result_of(groups.collecting, f.Job(n=3), World(steps={groups.item: fails_for(1)})) == "[0, 20] 1"


def test_a_timeout_of_the_whole_cancels_the_branches() -> None:
    """After a minute the sleeping branch is cancelled and `TimedOut` raised."""
    world = World(steps={groups.item: 1})
    before = world.now
    assert result_of(groups.gather_timeout, f.Job(), world) == "`gather` timed out"
    assert world.now - before == timedelta(minutes=1)


def test_positional_calls_give_a_tuple_and_unpacked_ones_a_list() -> None:
    """The result has the type that the call is typed with."""
    assert result_of(groups.shapes, f.Job()) == "(2, 3) [2, 3]"
    assert result_of(groups.empty, f.Job()) == []


def test_after_waits_and_sees_what_came_before() -> None:
    """A branch that comes after two others sees the writes of both."""
    assert result_of(groups.ordered, f.Job()) == (None, None, 34)


def test_after_an_unknown_branch_is_an_error() -> None:
    """The error lists the labels that there are."""
    assert "`set_a`, `set_b`" in str(ran(groups.unordered, f.Job()).error)


def test_groups_nest() -> None:
    """An inner join is part of the outer branch's writes."""
    outcome = ran(groups.nested_groups, f.Job())
    assert (outcome.state.n, outcome.state.notes) == (3, ["beside"])


def test_started_work_runs_once_and_is_awaited_twice() -> None:
    """`start` shares one activation between branches."""
    world = World()
    assert result_of(groups.started, f.Job(), world) == 42 + 43
    assert world.steps_called == ["double"]


def test_branches_are_told_apart_in_the_record() -> None:
    """Within each branch the order is fixed; the record keeps them apart."""
    world = World(steps={groups.item: InTurn(1, 2, 3)})
    result_of(groups.all_at_once, f.Job(n=3), world)
    assert world.by_branch == {"gather[0]": ["item"], "gather[1]": ["item"], "gather[2]": ["item"]}


def test_the_first_error_in_time_is_raised() -> None:
    """Not the first in branch order: the one that came first."""

    def fake(n: int) -> Reply:
        return Reply(error=f.Declined(code=n), takes=timedelta(seconds=10 - n))

    outcome = ran(groups.all_at_once, f.Job(n=3), World(steps={groups.item: fake}))
    assert str(outcome.error) == "declined with 2"
    assert not isinstance(outcome.error, TimedOut)
