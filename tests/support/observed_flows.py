"""A workflow in which everything happens that observers are told about."""

from datetime import timedelta

from pydantic import BaseModel

from ruvon import Retry, StepContext, compensate, human, step, workflow


class Case(BaseModel):
    """The state."""

    number: int = 0
    good: bool = True


class Said(BaseModel):
    """A person's answer."""

    yes: bool


@step
async def prepare(state: Case) -> dict[str, object]:
    return {"number": 1}


@compensate(prepare)
async def put_back(state: Case) -> None:
    state.number = 0


@step(retry=Retry(max_attempts=2, delay=timedelta(seconds=1)))
async def insist(state: Case, context: StepContext) -> int:
    if context.attempt == 1:
        raise ConnectionError("not yet")
    return 7


@step
async def finish(state: Case) -> None:
    if not state.good:
        raise ValueError("no good")


@workflow("Below")
async def below(state: Case) -> int:
    return await insist(state)


@workflow("Observed", saga=True)
async def observed(state: Case) -> int:
    await prepare(state)
    found = await below(Case(number=5))
    said = await human("look", form=Said)
    state.good = said.yes
    await finish(state)
    return found
