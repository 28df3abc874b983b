"""Workflows that schedules start; what their steps do is kept in ledgers."""

from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from ruvon import StepContext, sleep, step, workflow

DONE: list[Any] = []
FAILS: set[str] = set()


class Report(BaseModel):
    name: str = "daily"
    hours: int = 0


class Told(BaseModel):
    text: str


@step
async def make(state: Report, context: StepContext) -> None:
    """Keeps which report was made, for which planned moment."""
    if state.name in FAILS:
        raise ValueError(state.name)
    DONE.append((state.name, context.scheduled_for, context.idempotency_key))


@step
async def tell(state: Report, context: StepContext) -> None:
    """Publishes two events."""
    context.publish("told", Told(text=state.name))
    context.publish("told", Told(text=f"{state.name} again"))


@workflow("Daily")
async def daily(state: Report) -> None:
    """One step."""
    await make(state)


@workflow("Long")
async def long(state: Report) -> None:
    """A step, hours of nothing, a step."""
    await make(state)
    await sleep(timedelta(hours=state.hours))
    await make(state)


@workflow("Telling")
async def telling(state: Report) -> None:
    """Events."""
    await tell(state)


@workflow("RegionPlanner", version="1")
async def region_planner(state: Report) -> str:
    """Registers a schedule whose runs are kept elsewhere."""
    return await daily.with_(data_region="eu").schedule(Report(name="planned"), cron="0 9 * * MON", name="regional")


@workflow("Planner")
async def planner(state: Report) -> str:
    """Registers a named schedule."""
    return await daily.schedule(Report(name="planned"), cron="0 9 * * MON", tz="Europe/Rome", name="weekly")


@workflow("Nameless")
async def nameless(state: Report) -> str:
    """Registers a schedule without a name."""
    return await daily.schedule(Report(name="planned"), cron="0 9 * * *", overlap="buffer_one", catch_up=5)


class When(BaseModel):
    cron: str = "0 9 * * *"
    tz: str = "UTC"
    name: str | None = None


@workflow("Asked")
async def asked(state: When) -> str:
    """Registers what it is asked for, and tells what was wrong."""
    try:
        return await daily.schedule(Report(), cron=state.cron, tz=state.tz, name=state.name)
    except ValueError as err:
        return str(err)


@workflow("Declared", cron="30 2 * * *", tz="Europe/Rome", overlap="allow", catch_up=3, retention=timedelta(days=2))
async def declared(state: Report) -> None:
    """Started by its own declaration."""
    await make(state)


WORKFLOWS = (region_planner, daily, long, telling, planner, nameless, asked, declared)
