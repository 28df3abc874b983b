"""A workflow with something to undo, a person, a signal and a failure that can be mended."""

from pathlib import Path

from pydantic import BaseModel

from ruvon import compensate, human, receive, step, workflow


class Trip(BaseModel):
    gate: str
    price: int = 10
    seats: int = 0
    text: str = ""


class Approval(BaseModel):
    ok: bool


class Paid(BaseModel):
    amount: int


@step
async def reserve(state: Trip) -> str:
    state.seats += 1
    return f"seat {state.seats}"


@compensate(reserve)
async def release(state: Trip, seat: str) -> None:
    state.seats -= 1


@step
async def check(state: Trip) -> None:
    if not Path(state.gate).exists():  # noqa: ASYNC240  # one system call
        raise RuntimeError("the gate is closed")
    state.text = f"checked at {state.price}"


@step
async def close(state: Trip) -> None:
    state.text = f"{state.text}, closed"


@workflow("Trip")
async def trip(state: Trip) -> str:
    await reserve(state)
    await check(state)
    await close(state)
    return state.text


@workflow("Waiting", saga=True)
async def waiting(state: Trip) -> None:
    await reserve(state)
    approved = await human("approve", form=Approval)
    if approved.ok:
        paid = await receive(Paid, key="k")
        state.price = paid.amount


@step
async def lock(state: Trip) -> str:
    return "locked"


@compensate(lock)
async def unlock(state: Trip, result: str) -> None:
    if not Path(state.gate).exists():  # noqa: ASYNC240  # one system call
        raise RuntimeError("the lock is stuck")


@step
async def fall(state: Trip) -> None:
    raise RuntimeError("it fell")


@workflow("Stuck", saga=True)
async def stuck(state: Trip) -> None:
    await lock(state)
    await fall(state)
