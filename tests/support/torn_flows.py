"""Workflows that count messages, for readers that look while they do."""

from pydantic import BaseModel

from ruvon import receive, step, workflow


class Count(BaseModel):
    presses: int = 0
    doubled: int = 0


class Press(BaseModel):
    by: int = 1


@step
async def add(state: Count, by: int) -> None:
    state.presses += by
    state.doubled += 2 * by


@workflow("Counting", version="1")
async def counting(state: Count) -> int:
    for _ in range(100):
        press = await receive(Press)
        await add(state, by=press.by)
    return state.presses


@workflow("Bounded", version="1", history=8)
async def bounded(state: Count) -> int:
    for _ in range(100):
        press = await receive(Press)
        await add(state, by=press.by)
    return state.presses
