"""Workflows whose `finally` takes its time under a cancel; what their code does is in `DONE`."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

from pydantic import BaseModel

from ruvon import compensate, first_of, gather, human, named, sleep, step, workflow

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
    notes: list[str] = []


class Go(BaseModel):
    ok: bool = True


@step
async def work(state: Job) -> None:
    """Runs until it is cancelled."""
    DONE.append("work")
    GATES.running.set()
    await GATES.hold.wait()


@step
async def hang_cleaning(state: Job) -> None:
    """A cleanup that never ends by itself."""
    DONE.append("clean")
    GATES.cleaning.set()
    try:
        await GATES.hold.wait()
    except asyncio.CancelledError:
        DONE.append("clean cut off")
        raise


@step
def never(state: Job) -> None:
    """Stands behind a cleanup that does not come to its end."""
    DONE.append("never")


@step
def tidy(state: Job) -> None:
    DONE.append("tidy")


@step
def arrange(state: Job) -> None:
    DONE.append("arrange")


@compensate(arrange)
def disarrange(state: Job) -> None:
    DONE.append("disarrange")


@workflow("CleanupStep", version="1", saga=True)
async def cleanup_step(state: Job) -> None:
    await arrange(state)
    try:
        try:
            await work(state)
        finally:
            await hang_cleaning(state)
            await never(state)
    finally:
        await tidy(state)


@workflow("CleanupSleep", version="1")
async def cleanup_sleep(state: Job) -> None:
    try:
        await work(state)
    finally:
        await sleep(timedelta(days=3))
        await never(state)


@workflow("CleanupHuman", version="1")
async def cleanup_human(state: Job) -> None:
    try:
        await work(state)
    finally:
        await human("sign off", form=Go)
        await never(state)


@workflow("CleanupBranches", version="1")
async def cleanup_branches(state: Job) -> None:
    try:
        await work(state)
    finally:
        await gather(hang_cleaning(state), tidy(state))
        await never(state)


@workflow("CleanupChild", version="1")
async def cleanup_child(state: Job) -> None:
    try:
        await work(state)
    finally:
        await hang_cleaning(state)
        await tidy(state)


@workflow("CleanupByChild", version="1")
async def cleanup_by_child(state: Job) -> None:
    """Its cleanup is a child of its own, which ends."""
    try:
        await work(state)
    finally:
        await short(Job())
        await tidy(state)


@workflow("CleanupByHangingChild", version="1")
async def cleanup_by_hanging_child(state: Job) -> None:
    try:
        await work(state)
    finally:
        await long(Job())
        await never(state)


@workflow("CleanupShort", version="1")
async def short(state: Job) -> None:
    await arrange(state)


@workflow("CleanupLong", version="1")
async def long(state: Job) -> None:
    await hang_cleaning(state)
    await never(state)


@workflow("CleanupLoser", version="1")
async def cleanup_loser(state: Job) -> None:
    """The branch that loses cleans up when the request comes."""

    async def slow() -> None:
        try:
            await human("decide", form=Go)
        finally:
            await hang_cleaning(state)

    async def quick() -> None:
        await sleep(timedelta(seconds=1))

    await first_of(named("slow", slow()), named("quick", quick()))
    await never(state)


@workflow("CleanupLoserSleeps", version="1")
async def cleanup_loser_sleeps(state: Job) -> None:
    """The branch that loses waits in its cleanup, for a moment and for a child."""

    async def slow() -> None:
        try:
            await human("decide", form=Go)
        finally:
            await sleep(timedelta(seconds=5))
            await short(Job())
            await tidy(state)

    async def quick() -> None:
        await sleep(timedelta(seconds=1))

    await first_of(named("slow", slow()), named("quick", quick()))
    await never(state)


@workflow("CleanupByStep", version="1", automate_next=False)
async def cleanup_by_step(state: Job) -> None:
    await arrange(state)
    try:
        await work(state)
    finally:
        await tidy(state)


@workflow("CleanupFirst", version="1")
async def cleanup_first(state: Job) -> None:
    """Nothing is committed when its first step runs."""
    try:
        await work(state)
    finally:
        await tidy(state)


@workflow("CleanupLater", version="1")
async def cleanup_later(state: Job) -> None:
    await arrange(state)
    try:
        await work(state)
    finally:
        await tidy(state)


ALL = (
    cleanup_step,
    cleanup_sleep,
    cleanup_human,
    cleanup_branches,
    cleanup_child,
    cleanup_by_child,
    cleanup_by_hanging_child,
    short,
    long,
    cleanup_loser,
    cleanup_loser_sleeps,
    cleanup_by_step,
    cleanup_first,
    cleanup_later,
)
