"""Workflows for the observers that ship with Ruvon: steps that log and trace, a wait, a child, a rollback, secrets."""

import logging
from datetime import timedelta

from pydantic import BaseModel, Field

from ruvon import Retry, StepContext, compensate, human, step, workflow

LOGGER = logging.getLogger("tests.business")


class Order(BaseModel):
    """The state."""

    number: int = 0
    fails: bool = False
    status: str = ""
    pan: str = Field(default="", json_schema_extra={"secret": True})


class Said(BaseModel):
    """A person's answer."""

    yes: bool


@step
async def charge(state: Order) -> dict[str, object]:
    LOGGER.info("charging")
    return {"number": 1, "status": "charged", "pan": "4111-1111"}


@compensate(charge)
async def refund(state: Order) -> None:
    LOGGER.info("refunding")
    state.number = 0


@step(retry=Retry(max_attempts=2, delay=timedelta(seconds=1)))
def insist(state: Order, context: StepContext) -> int:
    LOGGER.info("trying")
    if context.attempt == 1:
        raise ConnectionError("not yet")
    return 7


@step
async def finish(state: Order) -> None:
    if state.fails:
        raise ValueError("no good")


@workflow("TracedBelow")
async def below(state: Order) -> int:
    return await insist(state)


@workflow("Traced", saga=True)
async def traced(state: Order) -> int:
    await charge(state)
    found = await below(Order(number=5))
    await human("look", form=Said)
    await finish(state)
    return found
