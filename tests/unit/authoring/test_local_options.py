"""Options of waits, races and children in `.local`: names, labels, defaults, limits."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from ruvon import (
    Elapsed,
    MergeStrategy,
    Signal,
    TimedOut,
    World,
    after,
    external_workflow,
    first_of,
    gather,
    human,
    node,
    receive,
    sleep,
    step,
    workflow,
)
from tests.unit.authoring.support import ran, result_of

HOUR = timedelta(hours=1)


class Count(BaseModel):
    n: int = 0


class Ping(BaseModel):
    text: str


undone: list[object] = []
mail = external_workflow("Mail")
score = external_workflow("Score", takes=Count)


@step
def number(n: int) -> int:
    return n


@step
def set_n(state: Count, n: int) -> None:
    state.n = n


def forget(message: Ping) -> None:
    undone.append(message.text)


def summed(results: list[Any]) -> dict[str, object]:
    return {"n": sum(results)}


@workflow("FormlessPerson")
async def formless_person(state: Count) -> dict[str, object]:
    return await human("review", required_input=("why",))


def test_a_person_without_a_form_gives_any_mapping() -> None:
    """What lacks a required key is refused, and the wait goes on."""
    world = World(answers={"review": [{"ok": 1}, {"why": "late"}]})
    assert result_of(formless_person, Count(), world) == {"why": "late"}
    assert world.refused == [("review", {"ok": 1})]


@workflow("NothingInTime")
async def nothing_in_time(state: Count) -> Ping | None:
    return await receive(Ping, timeout=HOUR, default=None)


def test_none_is_a_default_too() -> None:
    """`default=None` is taken after the timeout; only a missing one raises."""
    assert result_of(nothing_in_time, Count()) is None


@workflow("NamedWait")
async def named_wait(state: Count) -> Ping:
    return await receive.with_(name="Wait for it")(Ping, timeout=HOUR)


def test_a_wait_that_is_too_late_names_its_step() -> None:
    """The error has the name that `with_` gives."""
    error = ran(named_wait, Count()).error
    assert isinstance(error, TimedOut)
    assert "Wait for it" in str(error)


@workflow("UndoneMessage", saga=True)
async def undone_message(state: Count) -> None:
    await receive.with_(compensate=forget)(Ping)
    raise ValueError("no")


def test_a_message_that_was_taken_is_undone() -> None:
    """The compensation is given the message."""
    undone.clear()
    ran(undone_message, Count(), World(signals=[Ping(text="hi")]))
    assert undone == ["hi"]


@workflow("LateRace")
async def late_race(state: Count) -> Ping | Elapsed:
    return await first_of(receive(Ping), sleep(2 * HOUR), timeout=HOUR)


def test_a_race_that_takes_too_long_is_over() -> None:
    """Nothing has won, and no message is lost."""
    world = World(signals=[Signal(Ping(text="late"), after=90 * timedelta(minutes=1))])
    outcome = ran(late_race, Count(), world)
    assert isinstance(outcome.error, TimedOut)
    assert world.now - World().now == HOUR


def test_a_race_that_is_decided_in_time_has_a_winner() -> None:
    """The limit of the race does not reach its winner."""
    assert result_of(late_race, Count(), World(signals=[Ping(text="hi")])) == Ping(text="hi")


@workflow("MergedRace")
async def merged_race(state: Count) -> int | Elapsed:
    async def seven() -> int:
        state.n = 1
        return 7

    return await first_of(seven(), sleep(HOUR), merge_function=summed, merge=MergeStrategy.DEEP)


def test_a_merge_function_gets_the_winners_result() -> None:
    """What it gives merges, instead of what the winner wrote."""
    outcome = ran(merged_race, Count())
    assert (outcome.result, outcome.state.n) == (7, 7)


@workflow("Labelled")
async def labelled(state: Count) -> tuple[None, int]:
    return await gather(after(set_n(state, 3), label="first"), after(number(state.n), "first"))


def test_a_branch_is_named_by_its_own_label() -> None:
    """`after` finds it, and its activation has the label."""
    world = World()
    assert ran(labelled, Count(), world).state.n == 3
    assert [call.branch for call in world.calls] == ["gather[first]", "gather[number]"]


@workflow("StatelessChildren")
async def stateless_children(state: Count) -> object:
    node("Ask", injected=True)
    if state.n == 0:
        await mail.spawn(key="a")
        await mail.schedule(cron="0 9 * * *")
        await score.spawn(state)
    return await mail()


def test_a_child_of_unknown_state_begins_with_its_defaults() -> None:
    """Without `takes` no state need be given."""
    world = World(children={"Mail": "sent"})
    assert result_of(stateless_children, Count(), world) == "sent"
    assert [item.state for item in world.spawned] == [{}, {}, Count()]


def test_options_are_told_by_name_only() -> None:
    """A wait has no queue."""
    with pytest.raises(TypeError, match="queue"):
        receive.with_(queue="net")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
