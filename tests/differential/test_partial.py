"""Branches that may fail: one result, a `Batch`, by both spellings and both roads."""

from typing import Any

import pytest
from pydantic import BaseModel

from ruvon import Batch, after, gather, step, workflow
from ruvon.models import Failure
from tests.differential.real import by_both


class Doc(BaseModel):
    marks: dict[str, int] = {}
    a: int = 0
    b: int = 0


class Refused(Exception):
    """With a number."""


@step
async def price(number: int) -> int:
    if number % 2:
        raise Refused(f"no {number}")
    return number * 10


@step
async def set_a(state: Doc) -> str:
    state.a = 1
    return "a"


@step
async def set_b(state: Doc) -> str:
    state.b = 1
    raise Refused("b")


@step
async def price_text(number: int) -> str:
    return str(number)


@workflow("PartialMapped")
async def partial_mapped(state: Doc) -> Batch[int]:
    return await gather(*(price(number) for number in range(4)), partial=True)


@workflow("PartialCollected")
async def partial_collected(state: Doc) -> Batch[int]:
    batch = await gather(*(price(number) for number in range(4)), on_failure="collect")
    return batch


@workflow("PartialFixed")
async def partial_fixed(state: Doc) -> Batch[str]:
    return await gather(set_a(state), set_b(state), partial=True)


@workflow("PartialAfter")
async def partial_after(state: Doc) -> Batch[str]:
    async def last() -> str:
        return await set_a(state)

    async def middle() -> str:
        return await set_a(state)

    return await gather(after(last(), "middle"), after(middle(), "set_b"), set_b(state), price_text(2), partial=True)


@pytest.mark.parametrize("flow", [partial_mapped, partial_collected], ids=["partial", "on_failure"])
def test_results_and_failures_stand_apart(flow: Any) -> None:
    """Results in order without the failed ones; each failure with its place, class and text."""
    ended = by_both(flow, Doc())
    assert ended.result == Batch([0, 20], [Failure(1, "Refused", "no 1"), Failure(3, "Refused", "no 3")])


def test_writes_of_a_failed_branch_do_not_merge() -> None:
    """Those of the others do."""
    ended = by_both(partial_fixed, Doc())
    assert ended.result == Batch(["a"], [Failure(1, "Refused", "b")])
    assert (ended.state.a, ended.state.b) == (1, 0)


def test_what_comes_after_a_failed_branch_fails_with_it() -> None:
    """It can never start, so its place holds the failure that it waited for, at any distance."""
    ended = by_both(partial_after, Doc())
    assert ended.result == Batch(["2"], [Failure(number, "Refused", "b") for number in range(3)])
    assert ended.state.a == 0
