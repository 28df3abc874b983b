"""Steps and workflows that the tests of `.local` run; module-level, because steps are found by their path."""

import asyncio
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, Field

from ruvon import (
    Retry,
    StepContext,
    new_id,
    now,
    pure,
    random,
    step,
    workflow,
)


class Line(BaseModel):
    sku: str
    qty: int = Field(default=1, ge=0)


class Job(BaseModel):
    n: int = Field(default=0, lt=1000)
    a: int = 0
    b: int = 0
    text: str = ""
    notes: list[str] = []
    lines: list[Line] = []
    meta: dict[str, int] = {}


class Answer(BaseModel):
    ok: bool
    why: str = Field(default="", max_length=10)


class Ping(BaseModel):
    text: str


class Gateway:
    def __init__(self, name: str) -> None:
        self.name = name


class Declined(Exception):
    """A keyword-only argument, as authors write them."""

    def __init__(self, *, code: int) -> None:
        self.code = code
        super().__init__(f"declined with {code}")


# --- steps ------------------------------------------------------------------------------------------------------------


@step
def add(a: int, b: int = 1) -> int:
    return a + b


@step
async def double(n: int) -> int:
    await asyncio.sleep(0)
    return n * 2


@step
def grow(lines: list[Line]) -> int:
    lines.append(Line(sku="grown"))
    return len(lines)


@step
def set_n(state: Job, n: int) -> None:
    state.n = n


@step
def set_a(state: Job, value: int) -> None:
    state.a = value


@step
def set_b(state: Job, value: int) -> None:
    state.b = value


@step
def note(state: Job, text: str) -> None:
    state.notes.append(text)


@step
def returns_keys(state: Job, n: int) -> dict[str, object]:
    state.text = "assigned"
    return {"n": n}


@step
def returns_unknown(state: Job) -> dict[str, object]:
    state.text = "lost"
    return {"totl": 3}


@step(strict=False)
def returns_extra(state: Job) -> dict[str, object]:
    return {"n": 7, "other": 3}


@step
def returns_state(state: Job) -> Job:
    state.n += 1
    return state


@step
def fails_late(state: Job) -> None:
    state.n = 99
    state.notes.append("never")
    raise Declined(code=51)


@step
def takes_dict(state: dict[str, Any]) -> dict[str, object]:
    return {"n": len(state)}


@step
def wrong_result() -> int:
    return "no number"  # type: ignore[return-value]


@step(retry=Retry(max_attempts=3, delay=timedelta(seconds=10), backoff=2.0, never=(KeyError,)))
async def flaky(context: StepContext, state_of: str) -> str:
    raise ValueError(f"{state_of} {context.attempt} {context.idempotency_key}")


@step(timeout=timedelta(seconds=5))
async def slow(n: int) -> int:
    return n


@step(timeout=timedelta(milliseconds=20))
async def really_slow() -> None:
    await asyncio.Event().wait()


@step
def asks_context(state: Job, context: StepContext, topic: str) -> str:
    context.publish(topic, Ping(text=context.get(Gateway).name))
    return f"{context.step_name} {context.attempt} {context.random()} {context.now().isoformat()} {context.new_id()}"


@step
def previous(context: StepContext) -> str:
    return str(context.previous_step_result)


@step
async def calls_another() -> int:
    return await add(1)


# --- bodies of one construct ------------------------------------------------------------------------------------------


@workflow("Arguments")
async def arguments(state: Job) -> int:
    before = await grow(state.lines)
    return before * 10 + len(state.lines)


@workflow("Merging")
async def merging(state: Job) -> int:
    await returns_keys(state, 5)
    await note(state, "one")
    await note(state, text="two")
    return await add(state.n, b=await_free(state.n))


@pure
def await_free(n: int) -> int:
    return n + 100


@workflow("Raising")
async def raising(state: Job) -> str:
    try:
        await fails_late(state)
    except Declined as err:
        return f"{err.code} {state.n} {state.notes}"
    return "unreachable"


@workflow("Strict")
async def strict(state: Job) -> None:
    await returns_unknown(state)


@workflow("Lenient", strict_results=False)
async def lenient(state: Job) -> dict[str, object]:
    return await returns_unknown(state)


@workflow("LenientStep")
async def lenient_step(state: Job) -> dict[str, object]:
    return await returns_extra(state)


@workflow("Rebinding")
async def rebinding(state: Job) -> int:
    state = await returns_state(state)
    state = await returns_state(state)
    return state.n


@workflow("AsDict")
async def as_dict(state: Job) -> int:
    await takes_dict(state)  # type: ignore[arg-type]
    return state.n


@workflow("WrongResult")
async def wrong(state: Job) -> int:
    return await wrong_result()


@workflow("Flaky")
async def flaky_flow(state: Job) -> str:
    return await flaky("x")


@workflow("Slow")
async def slow_flow(state: Job) -> int:
    return await slow(3)


@workflow("ReallySlow")
async def really_slow_flow(state: Job) -> None:
    await really_slow()


@workflow("Context")
async def context_flow(state: Job) -> str:
    return await asks_context(state, "topic")


@workflow("Previous")
async def previous_flow(state: Job) -> str:
    await add(1, 2)
    return await previous()


@workflow("Nested")
async def nested_call(state: Job) -> int:
    return await calls_another()


@workflow("Assigning")
async def assigning(state: Job) -> str:
    state.n = "12"  # type: ignore[assignment]
    state.notes.append("in place")
    if state.lines:
        state.lines[0].qty = 4
    return f"{state.n + 1} {isinstance(state, Job)} {type(state).__name__}"


@workflow("AssigningBadly")
async def assigning_badly(state: Job) -> None:
    state.n = 5000


@workflow("InPlaceBadly")
async def in_place_badly(state: Job) -> None:
    state.lines[0].qty = -1
    await add(1)


@workflow("RecordedValues")
async def recorded(state: Job) -> str:
    moment = now()
    ident = new_id()
    chance = random()
    return f"{moment.isoformat()} {ident} {chance}"


@workflow("PassesState")
async def passes_state(state: Job) -> Job:
    return await keeps(state)


@step
def keeps(job: Job) -> Job:
    job.n = 77
    return job
