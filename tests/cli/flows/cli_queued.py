"""A workflow with a queued step, for the commands about workers."""

from pydantic import BaseModel

from ruvon import step, workflow


class Doc(BaseModel):
    """The state."""

    n: int = 0


@step(queue="net")
async def fetch(state: Doc) -> int:
    return state.n * 2


@workflow("CliQueued")
async def queued(state: Doc) -> int:
    return await fetch(state)
