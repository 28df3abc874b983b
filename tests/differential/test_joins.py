"""Joins by both roads: three-way merges, conflicts, what a branch begins with."""

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from ruvon import MergeConflictBehavior, MergeStrategy, after, gather, step, workflow
from ruvon.ir.values._changes import GONE, changed_parts, with_changes
from ruvon.models import MergeConflictError
from tests.differential.real import by_both
from tests.support.engine_world import Crash, JumpingClock, crashing_store, make_builder, revive


class Size(BaseModel):
    width: int = 1
    height: int = 1


class Inner(BaseModel):
    model_config = ConfigDict(extra="allow")
    x: int = 0
    size: Size = Size()
    tags: list[str] = []


class Doc(BaseModel):
    prices: dict[str, int] = {"a": 1, "b": 2, "c": 3}
    inner: Inner = Inner()
    maybe: Inner | None = Inner()
    seen: list[str] = []
    n: int = 0


@step
async def price(state: Doc, key: str, value: int) -> None:
    state.prices[key] = value


@step
async def drop(state: Doc, key: str) -> None:
    del state.prices[key]


@step
async def wide(state: Doc, width: int) -> None:
    state.inner.size.width = width


@step
async def high(state: Doc, height: int) -> None:
    state.inner.size.height = height
    state.inner.tags.append("high")


@step
async def extra(state: Doc) -> None:
    state.inner.more = 1  # type: ignore[attr-defined]


@step
async def forget(state: Doc) -> None:
    state.maybe = None


@step
async def part(state: Doc) -> None:
    if state.maybe is not None:
        state.maybe.x = 7


@step
async def there_and_back(state: Doc) -> None:
    state.n = 5


@step
async def count(state: Doc, n: int) -> None:
    state.n = n


@step
async def look(state: Doc) -> str:
    return f"{state.prices} {state.inner.size.width}x{state.inner.size.height} {state.n}"


@workflow("JoinDeep")
async def join_deep(state: Doc) -> None:
    await gather(
        price(state, "a", 10),
        price(state, "d", 4),
        drop(state, "b"),
        wide(state, 5),
        high(state, 6),
        merge=MergeStrategy.DEEP,
    )


@workflow("JoinDeepConflict")
async def join_deep_conflict(state: Doc) -> None:
    await gather(
        price(state, "a", 10),
        price(state, "a", 11),
        merge=MergeStrategy.DEEP,
        conflict=MergeConflictBehavior.RAISE_ERROR,
    )


@workflow("JoinDeepKeep")
async def join_deep_keep(state: Doc) -> None:
    await gather(
        price(state, "a", 10),
        price(state, "a", 11),
        price(state, "c", 12),
        merge=MergeStrategy.DEEP,
        conflict=MergeConflictBehavior.PREFER_EXISTING,
    )


@workflow("JoinDeepLater")
async def join_deep_later(state: Doc) -> None:
    await gather(
        forget(state),
        part(state),
        extra(state),
        wide(state, 5),
        merge=MergeStrategy.DEEP,
        conflict=MergeConflictBehavior.PREFER_NEW,
    )


@workflow("JoinBack")
async def join_back(state: Doc) -> None:
    async def back() -> None:
        await there_and_back(state)
        await count(state, 4)

    await gather(count(state, 3), back(), conflict=MergeConflictBehavior.PREFER_NEW)


@workflow("JoinSees")
async def join_sees(state: Doc) -> list[str]:
    async def last() -> str:
        before = await look(state)
        await count(state, state.prices["a"])
        return before

    a, b, c = await gather(
        after(last(), "price_2", "price"),
        price(state, "a", 10),
        price(state, "b", 20),
        merge=MergeStrategy.DEEP,
        conflict=MergeConflictBehavior.PREFER_NEW,
    )
    return [a]


@workflow("JoinOrder")
async def join_order(state: Doc) -> str:
    a, b, c = await gather(
        count(state, 1),
        count(state, 2),
        after(look(state), "count_2", "count"),
        conflict=MergeConflictBehavior.PREFER_NEW,
    )
    return c


def test_deep_merges_what_each_branch_changed() -> None:
    """Keys that a branch left alone stay as another branch made them, removed keys included."""
    ended = by_both(join_deep, Doc())
    assert ended.state.prices == {"a": 10, "c": 3, "d": 4}
    assert (ended.state.inner.size.width, ended.state.inner.size.height) == (5, 6)
    assert ended.state.inner.tags == ["high"]


def test_deep_conflicts_are_of_paths() -> None:
    """Two branches that wrote one key; the error names the path."""
    ended = by_both(join_deep_conflict, Doc())
    assert isinstance(ended.error, MergeConflictError)
    assert ended.error.key == "prices.a"


def test_the_earlier_branch_keeps_its_path_only() -> None:
    """The later one loses the path in conflict, and nothing else."""
    assert by_both(join_deep_keep, Doc()).state.prices == {"a": 10, "b": 2, "c": 12}


def test_a_later_branch_wins_where_there_is_no_place_for_its_part() -> None:
    """What one branch removed, a later one changed: the later one's value stands; undeclared fields change as a whole."""
    ended = by_both(join_deep_later, Doc())
    assert ended.state.maybe is not None
    assert ended.state.maybe.x == 7
    assert ended.state.inner.size.width == 5


def test_a_field_put_back_was_not_written() -> None:
    """A branch is compared with the state it began with, not with what it did in between."""
    assert by_both(join_back, Doc(n=4)).state.n == 3


def test_a_branch_begins_with_the_joined_writes_of_those_before() -> None:
    """Also where both wrote one field, and `after` names them in another order."""
    ended = by_both(join_sees, Doc())
    assert ended.result == ["{'a': 10, 'b': 20, 'c': 3} 1x1 0"]
    assert (ended.state.prices, ended.state.n) == ({"a": 10, "b": 20, "c": 3}, 10)


def test_the_order_of_branches_decides_not_that_of_after() -> None:
    """Both wrote `n`; the later branch wins for whoever comes after them."""
    assert by_both(join_order, Doc()).result.endswith(" 2")


@pytest.mark.parametrize("number", range(2, 4))
def test_a_branch_goes_on_after_a_crash_with_what_it_began_with(number: int) -> None:
    """The branches before it have ended; what they wrote is there again."""
    clock = JumpingClock()
    store, _ = crashing_store(clock, number, after=True)

    async def scenario() -> Any:
        builder = make_builder(store, clock=clock)
        builder.register(join_sees)
        run = await builder.create_workflow("JoinSees", Doc())
        with pytest.raises(Crash):
            await run.run()
        revive(store)
        again = make_builder(store, clock=clock)
        again.register(join_sees)
        run = await again.load_workflow(run.id)
        await run.run()
        return run

    run = asyncio.run(scenario())
    assert run.result == ["{'a': 10, 'b': 20, 'c': 3} 1x1 0"]
    assert (run.state.prices, run.state.n) == ({"a": 10, "b": 20, "c": 3}, 10)


def test_changes_of_a_value_are_made_to_another() -> None:
    """The two halves of a three-way merge."""
    found = list(changed_parts({"a": 1, "b": {"x": 1, "y": 2}}, {"b": {"x": 1, "y": 3}, "c": 4}))
    assert found == [(("a",), GONE), (("b", "y"), 3), (("c",), 4)]
    assert with_changes({"a": 5, "b": {"x": 9, "y": 9}}, found) == {"b": {"x": 9, "y": 3}, "c": 4}
    assert list(changed_parts([1], [1, 2])) == [((), [1, 2])]
    with pytest.raises(LookupError):
        with_changes({"b": None}, found)
