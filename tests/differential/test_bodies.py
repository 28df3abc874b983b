"""What a step function may return and raise, and what becomes of it by both roads."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import pytest
from pydantic import BaseModel

from ruvon import Retry, compensate, step, workflow
from ruvon.builder import WorkflowBuilder
from ruvon.models import AwaitableResultError, BodyCancelledError
from tests.differential.real import by_both

P = ParamSpec("P")
R = TypeVar("R")
CALLS: list[str] = []


class Doc(BaseModel):
    n: int = 0
    notes: list[str] = []


@step
async def cancels(number: int) -> int:
    """Awaits what somebody else has cancelled."""
    CALLS.append("cancels")
    lost = asyncio.get_running_loop().create_future()
    lost.cancel()
    return int(await lost)


@step(timeout=timedelta(seconds=30))
async def cancels_in_time(number: int) -> int:
    raise asyncio.CancelledError


@step(retry=Retry(max_attempts=3, delay=timedelta(0)))
def cancels_thrice(number: int) -> int:
    CALLS.append("cancels_thrice")
    raise asyncio.CancelledError


@step
async def note(state: Doc, text: str) -> None:
    state.notes.append(text)


@compensate(note)
async def unnote(state: Doc) -> None:
    raise asyncio.CancelledError


@workflow("BodyCancels")
async def body_cancels(state: Doc) -> int:
    return await cancels(state.n)


@workflow("BodyCancelsLate")
async def body_cancels_late(state: Doc) -> int:
    return await cancels_in_time(state.n)


@workflow("BodyCancelsCaught")
async def body_cancels_caught(state: Doc) -> str:
    try:
        await cancels_thrice(state.n)
    except BodyCancelledError as err:
        await note(state, str(err))
    return "went on"


@workflow("BodyCancelsInBranch")
async def body_cancels_in_branch(state: Doc) -> str:
    return "went on"


@workflow("BodyUndoCancels", saga=True)
async def body_undo_cancels(state: Doc) -> None:
    await note(state, "x")
    raise ValueError("no")


@pytest.mark.parametrize("flow", [body_cancels, body_cancels_late], ids=["plain", "timeout"])
def test_a_step_that_raises_cancelled_error_fails(flow: Any) -> None:
    """Nobody cancelled it, so the step fails with a typed error and the instance has ended."""
    ended = by_both(flow, Doc())
    assert ended.status == "FAILED"
    assert isinstance(ended.error, BodyCancelledError)


def test_a_body_catches_a_step_that_cancels_itself() -> None:
    """The error is one like any other: it is retried, and a handler sees it."""
    CALLS.clear()
    ended = by_both(body_cancels_caught, Doc())
    assert (ended.status, ended.result) == ("COMPLETED", "went on")
    assert "asyncio.CancelledError" in ended.state.notes[0]
    assert CALLS == ["cancels_thrice"] * 6


STARTED = asyncio.Event()


@step
async def hangs(number: int) -> int:
    CALLS.append("hangs")
    STARTED.set()
    await asyncio.Event().wait()
    return number


@workflow("BodyHangs")
async def body_hangs(state: Doc) -> int:
    await note.with_(compensate=None)(state, "before")
    return await hangs(state.n)


def test_a_cancelled_drive_writes_nothing() -> None:
    """Cancelling the task that drives goes out of `run()`; the step has left no trace, and runs with the next call."""

    async def scenario() -> tuple[str, list[str], list[str]]:
        STARTED.clear()
        builder = WorkflowBuilder()
        builder.register(body_hangs)
        run = await builder.create_workflow("BodyHangs", Doc())
        drive = asyncio.ensure_future(run.run())
        await STARTED.wait()
        drive.cancel()
        with pytest.raises(asyncio.CancelledError):
            await drive
        again = await builder.load_workflow(run.id)
        log = await builder.persistence.read_log(again._run.record.workflow_id)
        return str(again.status.value), again.state.notes, [entry.node for entry in log if entry.node]

    assert asyncio.run(scenario()) == ("ACTIVE", ["before"], ["note"])


def test_a_compensation_that_cancels_itself_has_failed() -> None:
    """The rollback ends, and says which compensation did not work."""
    ended = by_both(body_undo_cancels, Doc())
    assert ended.status == "FAILED"
    assert "`note`" in str(ended.error)


async def _later() -> int:
    return 3


@step
def forgets_async(number: int) -> Any:
    """Is not `async`, and returns a coroutine."""
    return _later()


@step(blocking=True)
def forgets_async_blocking(number: int) -> Any:
    return _later()


def counted(function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """A decorator that is not `async` around a function that is."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> Awaitable[R]:
        CALLS.append("counted")
        return function(*args, **kwargs)

    return call


@step
@counted
async def decorated(number: int) -> int:
    return number + 1


@workflow("BodyForgets")
async def body_forgets(state: Doc) -> object:
    return await forgets_async(state.n)


@workflow("BodyForgetsBlocking")
async def body_forgets_blocking(state: Doc) -> object:
    return await forgets_async_blocking(state.n)


@workflow("BodyDecorated")
async def body_decorated(state: Doc) -> int:
    return await decorated(state.n)


@pytest.mark.parametrize("flow", [body_forgets, body_forgets_blocking], ids=["inline", "blocking"])
def test_a_plain_step_that_returns_a_coroutine_fails(flow: Any) -> None:
    """What is declared `async def` is awaited; of anything else the result must be a value."""
    ended = by_both(flow, Doc())
    assert ended.status == "FAILED"
    assert isinstance(ended.error, AwaitableResultError)
    assert "async def" in str(ended.error)


def test_an_async_step_below_a_decorator_is_awaited() -> None:
    """`functools.wraps` tells what is below a decorator."""
    assert by_both(body_decorated, Doc(n=4)).result == 5
