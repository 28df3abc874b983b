"""A workflow that stays in its second step until a file is there; `RUVON_TEST_LEDGER` names the file of its steps."""

import asyncio
import os
from pathlib import Path

from pydantic import BaseModel

from ruvon import StepContext, step, workflow


class Job(BaseModel):
    """The state."""

    number: str = ""


def tell(what: str) -> None:
    with Path(os.environ["RUVON_TEST_LEDGER"]).open("a", encoding="utf-8") as ledger:
        ledger.write(f"{what}\n")


@step
async def begin(state: Job, context: StepContext) -> None:
    tell("begin")


@step
async def stay(state: Job, context: StepContext) -> None:
    """Runs until the file `go` is there."""
    tell("stay")
    while not Path(os.environ["RUVON_TEST_LEDGER"]).with_name("go").exists():  # noqa: ASYNC110 - the test's sign
        await asyncio.sleep(0.01)


@step
async def finish(state: Job, context: StepContext) -> None:
    tell("finish")


@workflow("Served")
async def served(state: Job) -> str:
    await begin(state)
    await stay(state)
    await finish(state)
    return f"served {state.number}"
