"""Workflows that are cancelled while something of them runs; what their code does is in `DONE`."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from pydantic import BaseModel

from ruvon import compensate, gather, saga, step, workflow

DONE: list[str] = []
DURING: list[Callable[[], None]] = []
"""What happens elsewhere while `block_the_loop` runs."""


@dataclass
class Gates:
    """What a test waits for and lets go."""

    running: asyncio.Event = field(default_factory=asyncio.Event)
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    beside: asyncio.Event = field(default_factory=asyncio.Event)
    thread_runs: threading.Event = field(default_factory=threading.Event)
    thread_goes: threading.Event = field(default_factory=threading.Event)


GATES = Gates()


def fresh() -> Gates:
    """New gates and an empty list; called on the loop of the test."""
    global GATES  # noqa: PLW0603 - the steps of one test at a time look here
    DONE.clear()
    GATES = Gates()
    return GATES


class Job(BaseModel):
    notes: list[str] = []


@step
async def hang(state: Job) -> None:
    """Runs until it is cancelled, and cleans up."""
    gates = GATES
    DONE.append("hang")
    gates.running.set()
    try:
        await gates.hold.wait()
    finally:
        await asyncio.sleep(0)
        DONE.append("hang cleaned up")


@step(blocking=True)
def block(state: Job) -> None:
    """Runs in a thread, which nobody can cancel."""
    gates = GATES
    DONE.append("block")
    gates.thread_runs.set()
    gates.thread_goes.wait(30)
    state.notes.append("late")


@step
def block_the_loop(state: Job) -> None:
    """While it runs, nothing else of this process does."""
    DONE.append("block the loop")
    while DURING:
        DURING.pop()()


@step
def prepare(state: Job) -> None:
    DONE.append("prepare")
    state.notes.append("prepared")


@compensate(prepare)
async def undo(state: Job) -> None:
    gates = GATES
    DONE.append("undo")
    gates.running.set()
    await gates.hold.wait()
    DONE.append("undone")


@step
def arrange(state: Job) -> None:
    DONE.append("arrange")


@compensate(arrange)
def disarrange(state: Job) -> None:
    DONE.append("disarrange")


@step
def fails(state: Job) -> None:
    raise ValueError("no")


@step
def tidy(state: Job) -> None:
    DONE.append("tidy")
    state.notes.append("tidied")


@step
def quick(state: Job) -> None:
    DONE.append("quick")


@workflow("CancelStep", version="1")
async def cancel_step(state: Job) -> None:
    await prepare(state)
    try:
        await hang(state)
    finally:
        await tidy(state)
        await quick(state)


@workflow("CancelBlocked", version="1")
async def cancel_blocked(state: Job) -> None:
    await block(state)
    await quick(state)


@workflow("CancelBlocking", version="1")
async def cancel_blocking(state: Job) -> None:
    await block_the_loop(state)
    await quick(state)


@workflow("CancelBranches", version="1")
async def cancel_branches(state: Job) -> None:
    async def left() -> None:
        try:
            await hang(state)
        finally:
            await tidy(state)

    await gather(left(), hang(state))


@workflow("CancelGrandchild", version="1")
async def cancel_grandchild(state: Job) -> None:
    try:
        await hang(state)
    finally:
        await tidy(state)


@workflow("CancelChild", version="1")
async def cancel_child(state: Job) -> None:
    try:
        await cancel_grandchild(Job())
    finally:
        await quick(state)


@workflow("CancelFamily", version="1")
async def cancel_family(state: Job) -> None:
    await cancel_child(Job())


@workflow("CancelSaga", version="1", saga=True)
async def cancel_saga(state: Job) -> None:
    await arrange(state)
    await hang(state)


@workflow("CancelRollback", version="1", saga=True)
async def cancel_rollback(state: Job) -> None:
    await arrange(state)
    await prepare(state)
    await fails(state)


@workflow("CancelScope", version="1", saga=True)
async def cancel_scope(state: Job) -> None:
    """Is cancelled while a scope inside is rolled back, whose error would be handled."""
    await arrange(state)
    try:
        async with saga():
            await prepare(state)
            await fails(state)
    except ValueError:
        await quick(state)
    await quick(state)


@workflow("CancelScopeBranch", version="1", saga=True)
async def cancel_scope_branch(state: Job) -> None:
    """The same in a branch, beside another one that runs."""
    await arrange(state)

    async def left() -> None:
        try:
            async with saga():
                await prepare(state)
                await fails(state)
        except ValueError:
            await quick(state)
        await quick(state)

    await gather(left(), hang(state))


@workflow("CancelScopeFinal", version="1")
async def cancel_scope_final(state: Job) -> None:
    """A `finally` stands around the scope."""
    try:
        async with saga():
            await prepare(state)
            await fails(state)
    finally:
        await tidy(state)
    await quick(state)


@workflow("CancelPrepared", version="1")
async def cancel_prepared(state: Job) -> None:
    await prepare(state)


@workflow("CancelScopeChild", version="1", saga=True)
async def cancel_scope_child(state: Job) -> None:
    """What the scope undoes is a child."""
    await arrange(state)
    try:
        async with saga():
            await cancel_prepared(Job())
            await fails(state)
    except ValueError:
        await quick(state)
    await quick(state)


@step
async def fails_late(state: Job) -> None:
    """Fails when something is being undone."""
    await GATES.running.wait()
    raise KeyError("late")


@workflow("ScopeBesideFailure", version="1", saga=True)
async def scope_beside_failure(state: Job) -> None:
    """A branch fails while another one rolls a scope of its own back."""

    async def left() -> None:
        try:
            async with saga():
                await arrange(state)
                await prepare(state)
                await fails(state)
        except ValueError:
            await quick(state)
        await quick(state)

    await gather(left(), fails_late(state))
    await quick(state)


@step
async def linger(state: Job) -> None:
    """Takes its time with cleaning up."""
    DONE.append("linger")
    await GATES.hold.wait()


@step
async def pass_by(state: Job) -> None:
    """Runs beside, for as long as the test wants."""
    DONE.append("pass by")
    await GATES.beside.wait()
    DONE.append("passed by")


@workflow("CancelLingering", version="1")
async def cancel_lingering(state: Job) -> None:
    try:
        await hang(state)
    finally:
        await linger(state)


@workflow("CancelBeside", version="1")
async def cancel_beside(state: Job) -> None:
    async def beside() -> None:
        try:
            await pass_by(state)
            await prepare(state)
        finally:
            await tidy(state)

    await gather(cancel_lingering(Job()), beside())


ALL = (
    cancel_lingering,
    cancel_beside,
    cancel_scope,
    cancel_scope_branch,
    cancel_scope_final,
    cancel_prepared,
    cancel_scope_child,
    scope_beside_failure,
    cancel_step,
    cancel_blocked,
    cancel_blocking,
    cancel_branches,
    cancel_grandchild,
    cancel_child,
    cancel_family,
    cancel_saga,
    cancel_rollback,
)
