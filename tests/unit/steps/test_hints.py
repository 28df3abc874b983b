"""What an author's exception may say about its repetition, by the engine and by `.local`."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from ruvon import Retry, World, run_local, step, workflow
from ruvon.builder import WorkflowBuilder
from ruvon.engine._error_records import ErrorRecord, record_error
from ruvon.engine._retry import next_attempt_us
from ruvon.ir._nodes import RetryPolicy
from ruvon.models._hints import is_outcome_unknown, is_retryable, wait_asked_us
from tests.support.engine_world import CountedIds, JumpingClock

CALLS: list[str] = []


class Box(BaseModel):
    """A state."""

    kind: str = "plain"


class Busy(Exception):
    """Asks to wait, as an author would write it."""

    def __init__(self, retry_after_us: object) -> None:
        super().__init__("busy")
        self.retry_after_us = retry_after_us


class Hopeless(ValueError):
    """Says that repeating cannot help."""

    retryable = False


class Worse(Hopeless):
    """A kind of it."""


class Broken(Exception):
    """Its properties fail."""

    @property
    def retryable(self) -> bool:
        raise RuntimeError("no")

    @property
    def retry_after_us(self) -> int:
        raise RuntimeError("no")


ERRORS = {"plain": ValueError("x"), "busy": Busy(10_000_000), "busier": Busy(90_000_000), "hopeless": Hopeless("x"), "worse": Worse("x"), "broken": Broken("x")}  # fmt: skip
MINUTE = Retry(max_attempts=3, delay=timedelta(seconds=2), max_delay=timedelta(minutes=1))


@step(retry=MINUTE)
async def fails(kind: str) -> None:
    """Fail as told."""
    CALLS.append(kind)
    raise ERRORS[kind]


@step(retry=Retry(max_attempts=3, delay=timedelta(0), on=(Hopeless,)))
async def fails_hopelessly(kind: str) -> None:
    """Fail as told; the policy names the class."""
    CALLS.append(kind)
    raise ERRORS[kind]


@workflow("HintedFailure")
async def hinted(state: Box) -> None:
    """One step that fails."""
    await fails(state.kind)


@workflow("HintedNamed")
async def named(state: Box) -> None:
    """One step that fails, with a policy that names the class."""
    await fails_hopelessly(state.kind)


async def by_engine(flow: Any, kind: str) -> tuple[int, int, str]:
    """Calls, seconds waited, and the error's class."""
    clock = JumpingClock()
    begun = clock.now_us()
    CALLS.clear()
    builder = WorkflowBuilder(clock=clock, ids=CountedIds(), plugins=False, import_roots=["tests"])
    builder.register(flow)
    made = await builder.create_workflow(flow.__ruvon_workflow__.workflow_type, Box(kind=kind))
    await made.run()
    return len(CALLS), (clock.now_us() - begun) // 1_000_000, type(made.error).__name__


async def by_local(flow: Any, kind: str) -> tuple[int, int, str]:
    """The same under CPython."""
    CALLS.clear()
    world = World()
    found = await run_local(flow, Box(kind=kind), world)
    return len(CALLS), int(sum(item.total_seconds() for item in world.slept)), type(found.error).__name__


@pytest.mark.parametrize(
    ("flow", "kind", "expected"),
    [
        (hinted, "plain", (3, 6, "ValueError")),
        (hinted, "busy", (3, 20, "Busy")),
        (hinted, "busier", (3, 120, "Busy")),
        (hinted, "hopeless", (1, 0, "Hopeless")),
        (hinted, "broken", (3, 6, "Broken")),
        (named, "hopeless", (3, 0, "Hopeless")),
        (named, "worse", (1, 0, "Worse")),
        (named, "plain", (1, 0, "ValueError")),
    ],
)
def test_hints_of_an_authors_exception(flow: Any, kind: str, expected: tuple[int, int, str]) -> None:
    """A wish to wait is granted up to `max_delay`; what cannot help is repeated only where the policy names that class."""
    assert asyncio.run(by_engine(flow, kind)) == expected
    assert asyncio.run(by_local(flow, kind)) == expected


@pytest.mark.parametrize(("asked", "wait"), [(5, 5), (0, 0), (-1, None), (True, None), ("5", None), (1.5, None), (None, None), (10**30, 365 * 86_400_000_000)])  # fmt: skip
def test_wishes_that_make_sense(asked: object, wait: int | None) -> None:
    """Only a whole number of microseconds counts, and no more than a year."""
    assert wait_asked_us(Busy(asked)) == wait


def test_an_exception_without_hints() -> None:
    """Nothing said: repeatable, no wish, no doubt."""
    plain = ValueError()

    assert (is_retryable(plain), wait_asked_us(plain), is_outcome_unknown(plain)) == (True, None, False)
    assert is_outcome_unknown(Broken()) is False


def test_hints_are_recorded() -> None:
    """They stand in the record, through storage; a record without them, of an older release, has the defaults."""

    class Codec:
        def encode(self, value: object, path: str = "", /) -> bytes:
            return b"[]"

        def decode(self, data: bytes, /) -> object:
            return []

    record = record_error(Busy(7), Codec())
    again = ErrorRecord.decode(record.encode())
    assert (again.retryable, again.retry_after_us) == (True, 7)
    assert ErrorRecord.decode(record_error(Hopeless(), Codec()).encode()).retryable is False
    tree = record_error(ValueError(), Codec()).to_tree()
    assert {"retryable", "retry_after_us"} & set(tree) == set()


def test_a_wish_beats_jitter() -> None:
    """The server's wish is a least wait: jitter shortens only what the policy adds."""
    record = ErrorRecord("m:E", ("m:E", "builtins:Exception"), "", retry_after_us=1_000)
    policy = RetryPolicy(delay_us=1_000, jitter=1.0)

    assert next_attempt_us(policy, record, 1, CountedIds()) == 1_000
