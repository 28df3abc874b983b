"""Workflows for the tests of documented features."""

from datetime import timedelta

from pydantic import BaseModel

from ruvon import Retry, StepContext, compensate, gather, human, step, workflow


class Trip(BaseModel):
    """The state."""

    booked: list[str] = []
    cancelled: list[str] = []


class Part(BaseModel):
    """The state of a child."""

    n: int = 1


class Consent(BaseModel):
    """A person's answer."""

    given: bool


class CardRefused(Exception):
    """The payment failed."""


@step
async def book(state: Trip, what: str) -> dict[str, object]:
    return {"booked": [*state.booked, what]}


@compensate(book)
async def cancel_booking(state: Trip, context: StepContext, result: dict[str, object], what: str) -> None:
    if what == "stubborn hotel":
        raise ConnectionError("the hotel does not answer")
    state.cancelled.append(what)


@step(retry=Retry(max_attempts=2, delay=timedelta(seconds=1)))
async def pay() -> None:
    raise CardRefused("no money")


@step
async def twice(n: int) -> int:
    return 2 * n


@workflow("FeaturePart", version="1")
async def part(state: Part) -> int:
    return await twice(state.n)


@workflow("FeatureTrip", version="1")
async def trip(state: Trip) -> int:
    await book(state, what="flight")
    consent = await human("consent", form=Consent)
    left, right = await gather(twice(2), twice(3))
    found = await part(Part(n=left + right))
    return found if consent.given else 0


@workflow("FeatureRefused", version="1", saga=True)
async def refused(state: Trip) -> None:
    await book(state, what="flight")
    await book(state, what="hotel")
    await pay()


@workflow("FeatureStubborn", version="1", saga=True)
async def stubborn(state: Trip) -> None:
    await book(state, what="flight")
    await book(state, what="stubborn hotel")
    await pay()
