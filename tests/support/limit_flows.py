"""Workflows with a `timeout` of their own; what their code does is in `DONE`."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

from pydantic import BaseModel

from ruvon import compensate, gather, human, sleep, step, workflow

DONE: list[str] = []


@dataclass
class Gates:
    """What a test waits for."""

    running: asyncio.Event = field(default_factory=asyncio.Event)
    cleaning: asyncio.Event = field(default_factory=asyncio.Event)
    hold: asyncio.Event = field(default_factory=asyncio.Event)


GATES = Gates()


def fresh() -> Gates:
    """New gates and an empty list; called on the loop of the test."""
    global GATES  # noqa: PLW0603 - the steps of one test at a time look here
    DONE.clear()
    GATES = Gates()
    return GATES


class Job(BaseModel):
    turn: int = 0


class Go(BaseModel):
    ok: bool = True


@step
async def work(state: Job) -> None:
    """Runs until it is cancelled or let go."""
    DONE.append("work")
    GATES.running.set()
    try:
        await GATES.hold.wait()
    except asyncio.CancelledError:
        DONE.append("work cut off")
        raise


@step
def note(state: Job, text: str) -> None:
    DONE.append(text)


@step
def arrange(state: Job) -> None:
    DONE.append("arrange")


@compensate(arrange)
def disarrange(state: Job) -> None:
    DONE.append("disarrange")


@workflow("LimitStep", version="1", timeout=timedelta(minutes=10))
async def limit_step(state: Job) -> None:
    """No handler of its own sees it, every `finally` does."""
    try:
        await work(state)
    except TimeoutError:
        await note(state, "caught")
    finally:
        await note(state, "tidy")
    await note(state, "behind")


@workflow("LimitSaga", version="1", saga=True, timeout=timedelta(minutes=10))
async def limit_saga(state: Job) -> None:
    await arrange(state)
    await gather(work(state), note(state, "beside"))


@workflow("LimitHuman", version="1", timeout=timedelta(minutes=10))
async def limit_human(state: Job) -> None:
    await human("decide", form=Go)
    await note(state, "decided")


@workflow("LimitSleep", version="1", timeout=timedelta(minutes=10))
async def limit_sleep(state: Job) -> None:
    await sleep(timedelta(hours=1))
    await note(state, "slept")


@workflow("LimitChild", version="1", timeout=timedelta(minutes=10))
async def limit_child(state: Job) -> None:
    await work(state)


@workflow("LimitParent", version="1")
async def limit_parent(state: Job) -> None:
    """A parent may handle what ended its child."""
    try:
        await limit_child(Job())
    except TimeoutError:
        await note(state, "the child took too long")


@workflow("LimitOfParent", version="1", timeout=timedelta(minutes=5))
async def limit_of_parent(state: Job) -> None:
    await limit_child(Job())


@workflow("LimitRestarts", version="1", timeout=timedelta(minutes=10))
async def limit_restarts(state: Job) -> None:
    """Each life has the whole time."""
    await sleep(timedelta(minutes=6))
    await note(state, "life")
    if state.turn < 2:
        limit_restarts.restart(Job(turn=state.turn + 1))


@workflow("LimitEnough", version="1", timeout=timedelta(minutes=10))
async def limit_enough(state: Job) -> None:
    await sleep(timedelta(minutes=9))
    await note(state, "in time")


ALL = (
    limit_step,
    limit_saga,
    limit_human,
    limit_sleep,
    limit_child,
    limit_parent,
    limit_of_parent,
    limit_restarts,
    limit_enough,
)
