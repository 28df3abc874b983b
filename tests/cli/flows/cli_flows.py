"""Workflows of the command line's tests: every kind of wait, a secret, a failure that can be repaired, a child."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, SecretStr

from ruvon import human, receive, sleep, step, workflow


class Guest(BaseModel):
    name: str
    loud: bool = False
    mood: Literal["good", "bad"] = "good"
    age: int | None = Field(default=None, ge=0)
    token: SecretStr = SecretStr("unset")
    price: Decimal = Decimal("1.5")
    tags: list[str] = Field(default_factory=list)
    text: str = ""


class Answer(BaseModel):
    ok: bool
    number: int = Field(gt=3)


class Paid(BaseModel):
    amount: int


class Gate(BaseModel):
    gate: str
    passed: bool = False


class Minutes(BaseModel):
    n: int = 0


@step
def hello(state: Guest) -> None:
    print("printed by a step")  # noqa: T201  # what the test looks for
    state.text = f"hi {state.name}"


@step
async def pass_gate(state: Gate) -> None:
    """Fails until the file exists."""
    if not Path(state.gate).exists():  # noqa: ASYNC240  # one system call
        raise RuntimeError("the gate is closed")
    state.passed = True


@step
async def count(state: Minutes) -> None:
    state.n += 1


@step
async def long(state: Minutes) -> None:
    await asyncio.sleep(60)


@workflow("Greet")
async def greet(state: Guest) -> None:
    await hello(state)
    answer = await human("guest.answer", form=Answer, show={"name": state.name}, role="host")
    state.text = f"{answer.number}"
    paid = await receive(Paid)
    state.text = f"{paid.amount}"


@workflow("Gated")
async def gated(state: Gate) -> None:
    await pass_gate(state)


@workflow("Timer")
async def timer(state: Minutes) -> None:
    await count(state)
    await sleep(timedelta(milliseconds=50))
    await count(state)


@workflow("Long")
async def long_flow(state: Minutes) -> None:
    await count(state)
    await long(state)


@workflow("Outer")
async def outer(state: Guest) -> None:
    await greet(Guest(name=state.name))
    state.text = "both"
