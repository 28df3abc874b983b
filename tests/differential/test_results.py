"""One step's result by both roads: `merge=` and `conflict=` at the call."""

from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from ruvon import MergeConflictBehavior, MergeStrategy, step, workflow
from ruvon.models import MergeConflictError
from tests.differential.real import by_both


class Size(BaseModel):
    width: int = 1
    height: int = 1


class Sheet(BaseModel):
    prices: dict[str, int] = {"a": 1, "b": 2}
    size: Size = Size()
    n: int = 0
    note: str = ""


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")
    n: int = 0


@step
async def quote(state: Sheet) -> dict[str, object]:
    return {"prices": {"b": 20, "c": 30}, "n": 5, "size": {"width": 9}}


@step
async def touch(state: Sheet) -> dict[str, object]:
    state.note = "touched"
    return {"n": 7}


@step
async def whole(state: Sheet) -> Sheet:
    return Sheet(prices={"z": 26}, n=8)


@step
async def loose(state: Loose) -> dict[str, object]:
    return {"n": 5, "more": 1}


@workflow("ResultDeep", version="1")
async def result_deep(state: Sheet) -> None:
    await quote.with_(merge=MergeStrategy.DEEP)(state)


@workflow("ResultShallow", version="1")
async def result_shallow(state: Sheet) -> None:
    await quote.with_(merge=MergeStrategy.SHALLOW)(state)


@workflow("ResultKeeps", version="1")
async def result_keeps(state: Sheet) -> None:
    state.n = 1
    await quote.with_(conflict=MergeConflictBehavior.PREFER_EXISTING)(state)


@workflow("ResultRefuses", version="1")
async def result_refuses(state: Sheet) -> None:
    state.n = 1
    await quote.with_(conflict=MergeConflictBehavior.RAISE_ERROR)(state)


@workflow("ResultCaught", version="1")
async def result_caught(state: Sheet) -> None:
    state.n = 1
    try:
        await touch.with_(conflict=MergeConflictBehavior.RAISE_ERROR)(state)
    except MergeConflictError:
        state.note = f"{state.note}caught"


@workflow("ResultOwn", version="1")
async def result_own(state: Sheet) -> None:
    await touch.with_(conflict=MergeConflictBehavior.PREFER_EXISTING)(state)


@workflow("ResultWhole", version="1")
async def result_whole(state: Sheet) -> None:
    state.n = 1
    await whole.with_(merge=MergeStrategy.DEEP, conflict=MergeConflictBehavior.PREFER_EXISTING)(state)


@workflow("ResultWholeDeep", version="1")
async def result_whole_deep(state: Sheet) -> None:
    await whole.with_(merge=MergeStrategy.DEEP)(state)


@workflow("ResultLoose", version="1")
async def result_loose(state: Loose) -> None:
    state.n = 1
    await loose.with_(conflict=MergeConflictBehavior.PREFER_EXISTING)(state)


@pytest.mark.parametrize(
    ("flow", "prices", "n"),
    [
        pytest.param(result_deep, {"a": 1, "b": 20, "c": 30}, 5, id="deep"),
        pytest.param(result_shallow, {"b": 20, "c": 30}, 5, id="shallow"),
        pytest.param(result_keeps, {"b": 20, "c": 30}, 1, id="prefer existing"),
        pytest.param(result_own, {"a": 1, "b": 2}, 7, id="its own changes are no conflict"),
        pytest.param(result_whole, {"a": 1, "b": 2, "z": 26}, 1, id="an instance by the rule"),
        pytest.param(result_whole_deep, {"a": 1, "b": 2, "z": 26}, 8, id="an instance, deep"),
    ],
)
def test_a_result_joins_by_the_rule_of_its_call(flow: Any, prices: dict[str, int], n: int) -> None:
    """SEMANTICS 5: "existing" means assigned before; model defaults do not count."""
    ended = by_both(flow, Sheet())
    assert (ended.state.prices, ended.state.n) == (prices, n)


def test_deep_goes_into_models() -> None:
    """What the result does not name stays."""
    assert by_both(result_deep, Sheet(size=Size(height=4))).state.size == Size(width=9, height=4)


def test_a_result_that_may_not_overwrite_fails_the_step() -> None:
    """And nothing of it is merged."""
    ended = by_both(result_refuses, Sheet())
    assert isinstance(ended.error, MergeConflictError)
    assert (ended.error.key, ended.state.prices) == ("n", {"a": 1, "b": 2})


def test_a_refused_result_is_caught_like_any_error() -> None:
    """What the step did to its own copy is gone with it."""
    assert by_both(result_caught, Sheet()).state.note == "caught"


def test_undeclared_keys_join_by_the_rule_too() -> None:
    """`extra="allow"`."""
    ended = by_both(result_loose, Loose())
    assert (ended.state.n, ended.state.model_extra) == (1, {"more": 1})
