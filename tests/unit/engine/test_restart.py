"""Section 12.9: `restart` continues under the same id with a fresh history; law 4 holds over all its lives."""

import asyncio
from typing import Any

from pydantic import BaseModel

from ruvon import StepContext, step, workflow
from ruvon.builder import WorkflowBuilder
from tests.support.engine_world import JumpingClock

KEYS: list[str] = []


class Month(BaseModel):
    number: int = 0
    paid: list[int] = []


@step
async def charge(context: StepContext, number: int) -> None:
    KEYS.append(context.idempotency_key)


@workflow("RestartChild")
async def bill(state: Month) -> int:
    await charge(state.number)
    return state.number * 10


@workflow("Restarts")
async def subscription(state: Month) -> None:
    await charge(state.number)
    billed = await bill(Month(number=state.number))
    state.paid.append(billed)
    if state.number < 3:
        state.number += 1
        subscription.restart(state)


def test_every_life_has_keys_and_children_of_its_own() -> None:
    """Else the provider would take the second month's charge for a repetition of the first's."""

    async def scenario() -> tuple[Any, int]:
        KEYS.clear()
        builder = WorkflowBuilder(clock=JumpingClock(), plugins=False)
        builder.register(subscription, bill)
        run = await builder.create_workflow("Restarts", Month())
        await run.run()
        children = await builder.list_workflows(workflow_type="RestartChild")
        return run, len(children)

    run, children = asyncio.run(scenario())
    assert (run.status, run.state.paid) == ("COMPLETED", [0, 10, 20, 30])
    assert children == 4
    assert len(set(KEYS)) == len(KEYS) == 8
