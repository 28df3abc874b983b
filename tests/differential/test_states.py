"""States by both roads: a plain dict, and the whole state given to a step as a value."""

from typing import Any

from pydantic import BaseModel

from ruvon import gather, step, workflow
from tests.differential.real import by_both


class Order(BaseModel):
    number: int = 0
    lines: list[str] = []


@step
async def add(state: dict[str, Any], key: str, value: int) -> None:
    state[key] = value


@step
async def keeps(order: Order) -> int:
    """A value step that is given the whole state: a copy of its own."""
    return order.number + len(order.lines)


@step
async def keeps_dict(data: dict[str, Any]) -> list[str]:
    return sorted(data)


@step
async def two(order: Order, note: str) -> str:
    return f"{note} {order.number}"


@workflow("DictAssigned")
async def dict_assigned(state: dict[str, Any]) -> list[str]:
    state["n"] = 1
    key = "m"
    state[key] = state["n"] + 1
    state["n"] += 10
    state["deep"] = {"list": [1, 2]}
    state["deep"]["list"][0] = 5
    state["deep"]["more"] = "x"
    state["list"] = []
    for item in range(3):
        state["list"].append(item)
    await add(state, "added", state["m"])
    state["seen"] = await keeps_dict(state)
    return await keeps_dict(state)


@workflow("DictNumbered")
async def dict_numbered(state: dict) -> None:  # type: ignore[type-arg]
    for item in [1, 2]:
        state[item] = await keeps_dict(state)


@workflow("DictBranches")
async def dict_branches(state: dict[str, Any]) -> int:
    async def left() -> None:
        state["left"] = 1
        await add(state, "l", 2)

    async def right() -> None:
        await add(state, "r", 3)
        state["right"] = 4

    await gather(left(), right())
    return len(state)


@workflow("WholeGiven")
async def whole_given(state: Order) -> str:
    state.number = await keeps(state)
    state.lines.append("x")
    total = await keeps(order=state)
    return await two(state, f"total {total}")


def test_a_key_of_a_dict_state_is_assigned() -> None:
    """By literal and computed key, below a key, and in place."""
    ended = by_both(dict_assigned, {"old": True})
    assert ended.status == "COMPLETED"
    assert ended.state == {
        "old": True, "n": 11, "m": 2, "deep": {"list": [5, 2], "more": "x"}, "list": [0, 1, 2], "added": 2,
        "seen": ["added", "deep", "list", "m", "n", "old"],
    }  # fmt: skip
    assert ended.result == sorted(ended.state)


def test_a_key_is_a_text() -> None:
    """Anything else is a TypeError of the assignment."""
    ended = by_both(dict_numbered, {})
    assert ended.status == "FAILED"
    assert isinstance(ended.error, TypeError)


def test_branches_assign_keys_of_their_own() -> None:
    """Every branch has its own layer of the dict."""
    ended = by_both(dict_branches, {"old": True})
    assert ended.state == {"old": True, "left": 1, "l": 2, "r": 3, "right": 4}


def test_a_step_is_given_the_whole_state_as_a_value() -> None:
    """Under any name but `state`, by place or by name."""
    ended = by_both(whole_given, Order(number=4, lines=["a"]))
    assert ended.result == "total 7 5"
