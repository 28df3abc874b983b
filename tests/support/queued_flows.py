"""Workflows whose steps are queued, for the tests of workers."""

import asyncio
import time
from datetime import timedelta

from pydantic import BaseModel

from ruvon import Retry, StepContext, Won, first_of, gather, http, named, secret, step, workflow
from ruvon.models import WorkflowJumpDirective, WorkflowPauseDirective
from ruvon.worker import current_execution_context

__all__ = ["GATE", "SEEN", "Doc", "Event"]

GATE: dict[str, asyncio.Event] = {}
"""Bodies that wait do so for these."""
SEEN: list[object] = []
"""What bodies have told."""


class Doc(BaseModel):
    """The state."""

    n: int = 0
    notes: list[str] = []


class Event(BaseModel):
    """Something published."""

    text: str


class Answer(BaseModel):
    """What a person gives."""

    text: str


def gate(name: str) -> asyncio.Event:
    return GATE.setdefault(name, asyncio.Event())


@step(queue="q")
async def hold(state: Doc, name: str) -> str:
    SEEN.append(f"begin {name}")
    await gate(name).wait()
    SEEN.append(f"end {name}")
    return name


@step(queue="q")
async def telling(context: StepContext) -> None:
    context.heartbeat(page=12)
    await gate("told").wait()


@workflow("QTells")
async def tells(state: Doc) -> None:
    await telling()


@step
async def keep(state: Doc) -> str:
    SEEN.append("begin kept")
    await gate("kept").wait()
    SEEN.append("end kept")
    return "kept"


@step
async def note(state: Doc, text: str) -> None:
    state.notes.append(text)


@step(queue="q", retry=Retry(max_attempts=3, delay=timedelta(milliseconds=1)))
async def counting(context: StepContext, wanted: int) -> int:
    SEEN.append((context.attempt, context.last_progress, context.last_error, context.idempotency_key))
    context.heartbeat(done=context.attempt * 10)
    context.log("counting", wanted=wanted)
    context.publish("counted", Event(text=str(wanted)))
    if context.attempt < wanted:
        raise ValueError(f"not yet {context.attempt}")
    return context.attempt


@step(queue="q")
async def impatient() -> str:
    SEEN.append("impatient")
    return "done"


@step(queue="q", timeout=timedelta(milliseconds=50))
def blocks(seconds: float) -> str:
    time.sleep(seconds)
    return "late"


@step(queue="q")
async def about(context: StepContext) -> list[object]:
    given = current_execution_context()
    assert given is not None
    return [given.trace_id, given.actor_id, given.workflow_id == context.workflow_id, given.step_name, given.attempt]


@step(queue="q")
async def directs(state: Doc) -> None:
    state.n += 1
    if state.n == 1:
        raise WorkflowJumpDirective("directs")
    if state.n == 2:
        raise WorkflowPauseDirective(None)


@step(queue="q", input_model=Answer)
async def wants(state: Doc, text: str) -> str:
    state.notes.append(text)
    return text


@step(queue="q")
async def turn(context: StepContext, item: str) -> str:
    return f"{context.loop_index}:{context.loop_item}:{context.previous_step_result}"


@workflow("QHold")
async def holding(state: Doc) -> str:
    return await hold(state, "a")


@workflow("Kept")
async def kept(state: Doc) -> str:
    return await keep(state)


@workflow("QRace")
async def racing(state: Doc) -> str:
    async def fast() -> str:
        return await hold(state, "fast")

    async def slow() -> str:
        return await hold(state, "slow")

    won = await first_of(named("fast", fast()), named("slow", slow()))
    await note(state, "after")
    match won:
        case Won("fast", value):
            return value
        case _:
            return "slow"


@workflow("QCounting")
async def counted(state: Doc) -> int:
    return await counting(3)


@workflow("QImpatient")
async def caught(state: Doc) -> str:
    try:
        return await impatient.with_(queue_timeout=timedelta(milliseconds=50))()
    except TimeoutError:
        return "no worker"


@workflow("QBlocks")
async def blocked(state: Doc) -> str:
    try:
        return await blocks(0.3)
    except TimeoutError as err:
        return str(err)


@workflow("QAbout")
async def abouts(state: Doc) -> list[object]:
    return await about()


@workflow("QDirects", automate_next=True)
async def directing(state: Doc) -> None:
    await directs(state)
    await note(state, "behind")


@workflow("QWants")
async def wanting(state: Doc) -> str:
    return await wants(state)


@workflow("QTurns")
async def turns(state: Doc) -> list[str]:
    found: list[str] = []
    for item in ["x", "y"]:
        told = await turn(item)
        found.append(told)
    return found


@workflow("QMany")
async def many(state: Doc) -> int:
    results = await gather(*(counting_one(n) for n in range(40)))
    return sum(results)


@step(queue="q")
async def counting_one(n: int) -> int:
    return n


@step(queue="q")
async def uses(token: str) -> int:
    return len(token)


@workflow("QSecret")
async def secretive(state: Doc) -> int:
    return await uses(secret("TOKEN"))


@workflow("QHttp")
async def asks(state: Doc) -> int:
    answer = await http.with_(queue="q")(
        "GET",
        f"https://example.test/{state.n}",
        headers={"Authorization": secret("TOKEN")},
        includes=("status", "body"),
    )
    return answer["status"]


WORKFLOWS = (
    holding,
    kept,
    tells,
    racing,
    counted,
    caught,
    blocked,
    abouts,
    directing,
    wanting,
    turns,
    many,
    secretive,
    asks,
)
