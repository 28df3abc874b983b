"""Workflows of devices that run for years: loops with a bounded history, and with one commit a turn."""

from datetime import timedelta

from pydantic import BaseModel

from ruvon import Retry, StepContext, compensate, gather, pure, receive, saga, sleep, step, workflow

DONE: list[str] = []
"""Effects in the order in which they happened, repetitions included."""

KEYS: dict[str, str] = {}
"""The same effects by idempotency key."""


class Device(BaseModel):
    """The state of every device."""

    until: int = 10
    turns: int = 0
    total: int = 0
    seen: str = ""


class Reading(BaseModel):
    """A message."""

    value: int


class Broken(Exception):
    """What ends a turn."""


def effect(context: StepContext, what: str) -> None:
    """Do something outside, once for each key."""
    DONE.append(what)
    KEYS.setdefault(context.idempotency_key, what)


@step
async def boot(state: Device, context: StepContext) -> str:
    effect(context, "boot")
    return "booted"


@compensate(boot)
async def shut_down(state: Device, context: StepContext) -> None:
    effect(context, f"shut down after {context.step_result}")


@step
async def measure(state: Device, context: StepContext) -> int:
    effect(context, f"measure {state.turns}")
    return state.turns * 2


@step
async def keep(state: Device, context: StepContext, value: int) -> None:
    effect(context, f"keep {value}")
    state.total += value
    state.turns += 1


@step
async def remember(state: Device, context: StepContext) -> None:
    """What the step before this one has returned."""
    state.seen = repr(context.previous_step_result)


@step
async def break_down(state: Device) -> None:
    raise Broken("worn out")


@step
async def reserve(state: Device, context: StepContext) -> str:
    effect(context, "reserve")
    return "slot"


@compensate(reserve)
async def release(state: Device, context: StepContext) -> None:
    effect(context, "release")


@step
async def give_back(state: Device, context: StepContext) -> None:
    effect(context, "give back")


@workflow("Logger", history=6)
async def logger(state: Device) -> int:
    await boot(state)
    while state.turns < state.until:
        value = await measure(state)
        await sleep(timedelta(seconds=1))
        await keep(state, value)
    return state.total


@workflow("Remembering", history=6)
async def remembering(state: Device) -> str:
    await boot(state)
    try:
        await measure(state)
        while state.turns < state.until:
            await sleep(timedelta(seconds=1))
            await keep(state, 1)
        await remember(state)
    finally:
        await keep(state, 0)
    inside = state.seen
    await remember(state)
    return f"{inside} {state.seen}"


@workflow("Listening", history=6)
async def listening(state: Device) -> int:
    while state.turns < state.until:
        reading = await receive(Reading)
        await keep(state, reading.value)
    return state.total


@workflow("Wearing", history=6, saga=True)
async def wearing(state: Device) -> None:
    await boot(state)
    while state.turns < state.until:
        await keep(state, 1)
    await break_down(state)


@workflow("Turning", history=8, commit="iteration")
async def turning(state: Device) -> int:
    await boot(state)
    while state.turns < state.until:
        value = await measure(state)
        for part in range(2):
            await keep(state, value + part)
        await sleep(timedelta(seconds=1))
        await measure(state)
    return state.total


@workflow("Guarded", commit="iteration")
async def guarded(state: Device) -> int:
    try:
        for number in range(state.until):
            await measure(state)
            await keep(state, number)
    finally:
        await remember(state)
    return state.total


@workflow("Undoing", commit="iteration")
async def undoing(state: Device) -> int:
    for number in range(3):
        try:
            async with saga():
                await reserve(state)
                await keep(state, number)
                await break_down(state)
        except Broken:
            state.seen = "undone"
    return state.total


@workflow("Fast", history=1000, commit="iteration")
async def fast(state: Device) -> int:
    while state.turns < state.until:
        await tick(state)
        await tock(state)
    return state.total


# Everything at once in a turn


@step
async def look(context: StepContext, number: int) -> int:
    effect(context, f"look {number}")
    if number % 4 == 3:
        raise Broken(f"blind at {number}")
    return number * 10


@step(retry=Retry(max_attempts=3, delay=timedelta(seconds=5)))
async def insist(state: Device, context: StepContext) -> None:
    """Works when it is asked for the second time."""
    effect(context, f"insist {state.turns}")
    if context.attempt < 2:
        raise Broken("not yet")
    state.seen = context.last_error or ""


@step
async def report(state: Device, context: StepContext) -> None:
    effect(context, f"report {state.turns}")
    context.publish("readings", Reading(value=state.turns))


@workflow("Rough", history=12, commit="iteration", saga=True)
async def rough(state: Device) -> list[int]:
    seen: list[int] = []
    await reserve(state)
    try:
        for number in range(20):
            try:
                one = await look(number)
                if number == 2:
                    continue
                both = await gather(look(number + 10), look(number + 20))
                seen.append(one + both[0])
            except Broken:
                await keep(state, 1)
                continue
            finally:
                await measure(state)
            if number >= state.until:
                break
            await insist(state)
            await report(state)
        else:
            await keep(state, 1000)
        await remember(state)
    finally:
        await report(state)
    return seen


@workflow("RoughSaga", history=5, commit="iteration", saga=True)
async def rough_saga(state: Device) -> None:
    await boot(state)
    while True:
        await reserve(state)
        got = await gather(look(state.turns), look(state.turns + 1))
        await keep(state, got[0])


@workflow("RoughScope", history=5, commit="iteration")
async def rough_scope(state: Device) -> int:
    try:
        async with saga():
            for number in range(6):
                await reserve(state)
                await keep(state, await_less(number))
                await look(number)
    except Broken:
        await remember(state)
    while state.turns < state.until:
        await keep(state, 1)
        if state.turns == state.until - 1:
            continue
        await report(state)
    return state.total


@pure
def await_less(number: int) -> int:
    return number + 1


@workflow("RoughCollect", history=4, commit="iteration")
async def rough_collect(state: Device) -> list[int]:
    first = [await tell(number) for number in range(5)]
    await keep(state, len(first))
    second = [await tell(number) for number in first if number != 20]
    return first + second


@step
async def tell(context: StepContext, number: int) -> int:
    effect(context, f"tell {number}")
    return number * 10


@workflow("RoughChild")
async def rough_child(state: Device) -> int:
    await measure(state)
    return state.turns + 7


@workflow("RoughParent", history=6, commit="iteration")
async def rough_parent(state: Device) -> int:
    while state.turns < state.until:
        got = await rough_child(Device(turns=state.turns))
        await keep(state, got)
        parts = await gather(*(tell(number) for number in range(3)), limit=2)
        await keep(state, sum(parts))
    return state.total


BY_HAND = """
workflow_type: ByHand
module: tests.support.device_flows
initial_state_model: Device
commit: iteration
saga_enabled: true
automate_next: true
steps:
  - while: state.turns < 2
    do:
      - {name: Reserve, function: reserve, compensate_function: give_back}
      - {name: Keep, function: keep, args: {value: 1}}
      - {name: Give back, function: give_back}
  - {name: Break, function: break_down}
"""
"""A workflow that undoes its steps itself."""


@step
async def tick(state: Device) -> None:
    state.total += 1


@step
async def tock(state: Device) -> None:
    state.turns += 1
