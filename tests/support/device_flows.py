"""Workflows of devices that run for years: loops with a bounded history, and with one commit a turn."""

from datetime import timedelta

from pydantic import BaseModel

from ruvon import StepContext, compensate, receive, saga, sleep, step, workflow

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
