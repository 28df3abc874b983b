"""Waiting in `.local`: timers, messages, people, races, on a clock that takes no time."""

import asyncio
from datetime import timedelta

import pytest

from ruvon import Reply, Signal, TimedOut, World, WorldInputMissing, run_local
from tests.unit.authoring import flows as f
from tests.unit.authoring import flows_groups as groups
from tests.unit.authoring import flows_rest as rest
from tests.unit.authoring import flows_saga as sagas
from tests.unit.authoring.support import ran, result_of

HOUR = timedelta(hours=1)


def test_timers_move_the_clock_and_nothing_else() -> None:
    """Thirty days pass at once; a moment that has passed is not waited for."""
    assert result_of(groups.timers, f.Job()) == "31 days, 0:00:00"


def test_a_message_before_the_timer_wins() -> None:
    """The message arrives after a minute, the timer would after five."""
    world = World(signals=[Signal(f.Ping(text="hi"), key="k", after=timedelta(minutes=1))])
    assert result_of(groups.race, f.Job(), world) == "ping hi"


def test_the_timer_wins_over_a_late_message() -> None:
    """A message after ten minutes comes too late."""
    world = World(signals=[Signal(f.Ping(text="hi"), key="k", after=timedelta(minutes=10))])
    assert result_of(groups.race, f.Job(), world) == "elapsed"


def test_a_message_with_another_key_is_not_for_us() -> None:
    """Keys are part of the mailbox."""
    assert result_of(groups.race, f.Job(), World(signals=[Signal(f.Ping(text="hi"), key="other")])) == "elapsed"


def test_at_one_instant_the_earlier_argument_wins() -> None:
    """Message and timer at the same instant: `receive` stands first."""
    world = World(signals=[Signal(f.Ping(text="hi"), key="k", after=timedelta(minutes=5))])
    assert result_of(groups.race, f.Job(), world) == "ping hi"


def test_ties_of_branches_go_to_the_earlier_one_and_only_it_merges() -> None:
    """Both branches end at one instant; the loser's writes are gone."""
    outcome = ran(groups.race_order, f.Job())
    assert (outcome.result, outcome.state.text, outcome.state.n) == ("left", "left", 0)


def test_losers_consume_no_message() -> None:
    """A branch that had taken the message and lost leaves it for who receives next."""
    world = World(signals=[f.Ping(text="kept")])
    assert result_of(groups.race_then_receive, f.Job(), world) == "Elapsed() kept"


def test_named_branches_tell_who_won() -> None:
    """Two branches of one type are told apart by `named`."""
    world = World(signals=[Signal(f.Ping(text="x"), key="b")])
    assert result_of(groups.race_of_names, f.Job(), world) == "deputy x"


def test_a_bare_step_may_not_race() -> None:
    """A step that lost would have had its effect all the same."""
    assert "nested `async def`" in str(ran(groups.race_of_steps, f.Job()).error)


def test_the_error_of_the_first_branch_to_end_comes_out() -> None:
    """A branch that fails before the others end decides the race."""
    world = World(steps={groups.item: f.Declined(code=4)})
    assert result_of(groups.race_error, f.Job(), world) == "declined with 4"


def test_messages_lie_in_order_until_taken() -> None:
    """Two messages that came before anybody waited are taken in order."""
    world = World(signals=[Signal(f.Ping(text="1"), key="x"), Signal(f.Ping(text="2"), key="x")])
    assert result_of(groups.mailbox, f.Job(), world) == ["1", "2"]


def test_receive_times_out() -> None:
    """The second message comes after the hour that `receive` waits."""
    late = Signal(f.Ping(text="2"), key="x", after=2 * HOUR)
    outcome = ran(groups.mailbox, f.Job(), World(signals=[Signal(f.Ping(text="1"), key="x"), late]))
    assert isinstance(outcome.error, TimedOut)


def test_a_missing_message_names_the_model_and_key() -> None:
    """When nothing can ever arrive, the error says what to script."""
    error = ran(groups.mailbox, f.Job()).error
    assert isinstance(error, WorldInputMissing)
    assert "Signal(Ping(...), key='x')" in str(error)


def test_an_answer_is_validated_into_the_form() -> None:
    """A dict becomes the form's model; what the person saw is recorded."""
    world = World(answers={"approve": [{"ok": True, "why": "fine"}]})
    assert result_of(groups.approval, f.Job(n=4), world) == "True fine"
    assert world.shown == [("approve", {"n": 4})]


def test_an_answer_that_does_not_validate_is_refused() -> None:
    """The step keeps waiting, and takes the next answer (S4-036)."""
    world = World(answers={"approve": [{"ok": True, "why": "far too long a reason"}, {"ok": False}]})
    assert result_of(groups.approval, f.Job(), world) == "False "
    assert [task for task, _ in world.refused] == ["approve"]


def test_a_late_answer_is_a_timeout() -> None:
    """After two days nobody is waited for any more."""
    world = World(answers={"approve": [Reply({"ok": True}, takes=timedelta(days=3))]})
    before = world.now
    assert isinstance(ran(groups.approval, f.Job(), world).error, TimedOut)
    assert world.now - before == timedelta(days=2)


def test_nobody_answers_takes_the_default() -> None:
    """With `default=` the timeout gives that answer."""
    assert result_of(groups.approval_default, f.Job(), World(answers={"approve": []})) is False


def test_a_task_without_timeout_and_answer_names_what_to_supply() -> None:
    """The error names the task and the argument."""
    error = ran(groups.approval_for_ever, f.Job()).error
    assert str(error) == (
        "the run waits for the human task `approve`; supply it with World(answers={'approve': [...]})"
    )


def test_ask_and_answer_functions_run_as_steps() -> None:
    """`ask` runs on arrival, `answer` once with the answer's fields and the validated input."""
    world = World(answers={"approve": [{"ok": True, "why": "yes"}]})
    outcome = ran(groups.approval_functions, f.Job(), world)
    assert (outcome.result, outcome.state.text, outcome.state.notes) == (True, "asked", ["True yes"])


@pytest.mark.parametrize("flow", [groups.race, groups.approval])
def test_without_a_world_nothing_is_waited_for(flow: object) -> None:
    """`receive` and `human` fail at once, also beside a timer."""
    outcome = asyncio.run(run_local(flow, f.Job()))  # type: ignore[arg-type]
    assert isinstance(outcome.error, WorldInputMissing)


def test_without_a_world_sleep_returns_at_once() -> None:
    """A month passes in no time."""
    assert asyncio.run(groups.timers.local(f.Job())) == "31 days, 0:00:00"


def test_world_input_missing_passes_handlers() -> None:
    """It ends the run; a body that catches everything cannot hide it."""

    outcome = ran(rest.hides_everything, f.Job())
    assert isinstance(outcome.error, WorldInputMissing)


def test_an_endless_loop_ends_the_run() -> None:
    """A world bounds what a run may await, and says how to end the loop."""
    error = ran(groups.endless, f.Job(), World(max_calls=50)).error
    assert "more than 50 calls" in str(error)


def test_cancelling_local_cancels_the_body_that_runs() -> None:
    """A caller that gives up leaves no task behind."""

    async def main() -> int:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(rest.never_ends_flow.local(f.Job(), World()), 0.02)
        return len(asyncio.all_tasks())

    assert asyncio.run(main()) == 1


def test_a_losers_running_step_is_cancelled() -> None:
    """The slow charge of the losing branch is given up at the timer, not waited for."""
    world = World(steps={sagas.charge: Reply("late", takes=timedelta(seconds=4))})
    before = world.now
    assert result_of(rest.race_of_real_work, f.Job(), world) == "waited"
    assert world.now - before == timedelta(seconds=1)


def test_a_cancelled_attempt_has_an_unknown_outcome() -> None:
    """Its `attempted` compensation runs when the scope is undone, without a result."""
    seen: list[object] = []

    def refund(receipt: str | None) -> None:
        seen.append(receipt)

    world = World(steps={sagas.charge: Reply("late", takes=timedelta(seconds=4)), "refund": refund})
    assert isinstance(ran(rest.race_of_real_work, f.Job(n=1), world).error, f.Declined)
    assert seen == [None]
