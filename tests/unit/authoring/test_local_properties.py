"""Properties of `.local` over random branches, failures and delays."""

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from ruvon import MergeConflictError, Reply, World, compensate, gather, step, workflow
from tests.unit.authoring.support import ran

FIELDS = ("a", "b", "c")


class Board(BaseModel):
    """What the branches write."""

    a: int = 0
    b: int = 0
    c: int = 0
    plan: list[list[tuple[str, int]]] = []
    seen: list[int] = []


@step
async def put(state: Board, branch: int, name: str, value: int) -> str:
    """Write one field."""
    setattr(state, name, value)
    return f"{branch} {name} {value}"


@compensate(put)
def take_back(state: Board, context: object, result: str, branch: int, name: str, value: int) -> None:
    """Recorded by the world."""


@workflow("RandomBranches", saga=True)
async def random_branches(state: Board) -> list[int]:
    """Each branch writes its part of the plan and gives what it sees in the end."""

    async def branch(number: int) -> int:
        for name, value in state.plan[number]:
            await put(state, number, name, value)
        return state.a * 10_000 + state.b * 100 + state.c

    return await gather(*(branch(number) for number in range(len(state.plan))))


plans = st.lists(st.lists(st.tuples(st.sampled_from(FIELDS), st.integers(1, 9)), max_size=4), min_size=1, max_size=4)


def own_writes(part: list[tuple[str, int]]) -> dict[str, int]:
    """What a branch has written in the end."""
    return dict(part)


@given(plans)
def test_branches_are_isolated_and_join_in_order(plan: list[list[tuple[str, int]]]) -> None:
    """Each branch sees the fork and its own writes; two writers of a field are a conflict."""
    outcome = ran(random_branches, Board(plan=plan), World(steps={"take_back": None}))
    writes = [own_writes(part) for part in plan]
    conflict = any(sum(name in part for part in writes) > 1 for name in FIELDS)
    assert isinstance(outcome.error, MergeConflictError) is conflict
    if conflict:
        assert (outcome.state.a, outcome.state.b, outcome.state.c) == (0, 0, 0)
        return
    joined = {name: value for part in writes for name, value in part.items()}
    assert {name: getattr(outcome.state, name) for name in FIELDS} == {name: joined.get(name, 0) for name in FIELDS}
    assert outcome.result == [part.get("a", 0) * 10_000 + part.get("b", 0) * 100 + part.get("c", 0) for part in writes]


def faulty(failing: set[tuple[int, int]], delays: dict[tuple[int, int], int]) -> Any:
    """A fake of `put` that fails and dawdles by branch and turn."""
    turns: dict[int, int] = {}

    def fake(branch: int, name: str, value: int) -> Reply:
        turn = turns[branch] = turns.get(branch, -1) + 1
        takes = timedelta(seconds=delays.get((branch, turn), 0))
        if (branch, turn) in failing:
            return Reply(error=ValueError(f"{branch} {turn}"), takes=takes)
        return Reply(f"{branch} {name} {value}", takes=takes)

    return fake


places = st.tuples(st.integers(0, 3), st.integers(0, 3))


@given(plans, st.sets(places, max_size=2), st.dictionaries(places, st.integers(0, 5), max_size=6))
def test_every_completed_step_is_undone_once_in_reverse(
    plan: list[list[tuple[str, int]]], failing: set[tuple[int, int]], delays: dict[tuple[int, int], int]
) -> None:
    """After a failure nothing new starts, what ran is undone in reverse order of completion, and runs repeat exactly."""

    def run() -> tuple[World, Any]:
        undone: list[str] = []

        def take(result: str) -> None:
            undone.append(result)

        fakes = {"put": faulty(failing, delays), "take_back": take}
        world = World(steps=fakes)
        return world, (ran(random_branches, Board(plan=plan), world), undone)

    world, (outcome, undone) = run()
    again, (second, undone_again) = run()
    assert (world.calls, undone, repr(outcome.error)) == (again.calls, undone_again, repr(second.error))
    for number, part in enumerate(plan):
        called = [item.args for item in world.calls if item.args["branch"] == number]
        assert [(item["name"], item["value"]) for item in called] == part[: len(called)]
    if outcome.error is None:
        assert undone == []
    else:
        assert len(undone) == len(set(map(id, world.compensations)))
        failed = sum(1 for item in failing if item[1] < sum(c.args["branch"] == item[0] for c in world.calls))
        assert len(undone) == len(world.calls) - failed
