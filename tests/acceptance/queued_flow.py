"""A workflow whose steps run in workers and write down every time that they run; `RUVON_TEST_LEDGER` names the file."""

import asyncio
import os
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel

from ruvon import StepContext, gather, sleep, step, workflow


class Doc(BaseModel):
    """The state."""

    total: int = 0


def tell(what: str, context: StepContext) -> None:
    with Path(os.environ["RUVON_TEST_LEDGER"]).open("a", encoding="utf-8") as ledger:
        ledger.write(f"{what} {context.idempotency_key} {os.getpid()}\n")


@step(queue="work")
async def square(state: Doc, context: StepContext, n: int) -> None:
    tell(f"square-{n}", context)
    await asyncio.sleep(0.05)
    state.total += n * n


@step(queue="work")
async def branch(context: StepContext, n: int) -> int:
    tell(f"branch-{n}", context)
    await asyncio.sleep(0.1)
    return n


@step
async def here(state: Doc, context: StepContext) -> None:
    tell("here", context)
    state.total += 1


@workflow("Killed")
async def killed(state: Doc) -> int:
    for n in range(4):
        await square(state, n)
    await here(state)
    one, two, three = await gather(branch(1), branch(2), branch(3))
    await here(state)
    return one + two + three


@step
async def stay(state: Doc, context: StepContext) -> None:
    """Runs where the workflow is driven, until the file `go` is there."""
    tell("stay", context)
    while not Path(os.environ["RUVON_TEST_LEDGER"]).with_name("go").exists():  # noqa: ASYNC110 - the test's sign
        await asyncio.sleep(0.01)
    state.total += 1


@workflow("Stays")
async def stays(state: Doc) -> int:
    await here(state)
    await stay(state)
    await square(state, 3)
    return state.total


@workflow("Sleeps")
async def sleeps(state: Doc) -> int:
    await sleep(timedelta(milliseconds=100))
    await here(state)
    await stay(state)
    return state.total


@step(queue="work")
async def waits(context: StepContext) -> int:
    tell("waits", context)
    while not Path(os.environ["RUVON_TEST_LEDGER"]).with_name("go").exists():  # noqa: ASYNC110 - the test's sign
        await asyncio.sleep(0.01)
    return 5


@workflow("Waits")
async def waiting(state: Doc) -> int:
    return await waits()


@workflow("Lingers")
async def lingers(state: Doc) -> int:
    return await linger()


@step(queue="work")
async def linger(context: StepContext) -> int:
    tell("linger", context)
    await asyncio.sleep(1.5)
    tell("lingered", context)
    return 7
