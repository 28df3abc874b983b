"""Branches whose value is what they waited for."""

from datetime import timedelta

from pydantic import BaseModel

from ruvon import gather, receive, sleep, step, workflow


class Bag(BaseModel):
    keys: list[str] = ["a", "b"]


class Press(BaseModel):
    by: int


@step
def count(presses: list[Press]) -> int:
    return sum(press.by for press in presses)


@workflow("StaticBranches", version="1")
async def static(state: Bag) -> list[int]:
    one, two = await gather(receive(Press, key="a"), receive(Press, key="b"))
    await sleep(timedelta(seconds=1))
    return [one.by, two.by]


@workflow("MappedBranches", version="1")
async def mapped(state: Bag) -> list[int]:
    found = await gather(*(receive(Press, key=key) for key in state.keys))
    await sleep(timedelta(seconds=1))
    return [press.by for press in found]


@workflow("CollectingBranch", version="1")
async def collecting(state: Bag) -> list[int]:
    async def collected() -> list[Press]:
        found = [await receive(Press, key=key) for key in ("a", "b")]
        return found

    found, _ = await gather(collected(), sleep(timedelta(seconds=1)))
    return [press.by for press in found]


@workflow("CollectingBody", version="1")
async def collecting_body(state: Bag) -> list[int]:
    found = [await receive(Press, key=key) for key in ("a", "b")]
    await sleep(timedelta(seconds=1))
    return [press.by for press in found]


WORKFLOWS = (static, mapped, collecting, collecting_body)
