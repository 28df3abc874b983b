"""Workflows whose queued steps are counted by a key, for the tests of limits."""

import asyncio
from collections import Counter

from pydantic import BaseModel

from ruvon import gather, http, infer, step, wasm, workflow

__all__ = ["MOST", "NOW", "Order", "Place"]

NOW: Counter[str] = Counter()
"""The bodies that run, by key and altogether."""
MOST: Counter[str] = Counter()
"""The largest numbers of them."""


class Place(BaseModel):
    """Where an order goes."""

    city: str | None


class Order(BaseModel):
    """The state."""

    customer: str = "ann"
    places: list[Place] = []


async def _run(key: str) -> str:
    for name in (key, "all"):
        NOW[name] += 1
        MOST[name] = max(MOST[name], NOW[name])
    await asyncio.sleep(0.005)
    for name in (key, "all"):
        NOW[name] -= 1
    return key


@step(queue="q", concurrency_key="place.city")
async def send(place: Place) -> str:
    """Counted by a part of an argument."""
    return await _run(str(place.city))


@step(queue="q", concurrency_key="state.customer")
async def bill(state: Order) -> str:
    """Counted by a part of the state."""
    return await _run(state.customer)


@step(queue="q", concurrency_key="number")
async def count(number: int, label: str = "") -> str:
    """Counted by an argument."""
    return await _run(f"{number}{label}")


@workflow("LSend")
async def send_all(state: Order) -> list[str]:
    return await gather(*(send(place) for place in state.places))


@workflow("LBill")
async def bill_one(state: Order) -> str:
    return await bill(state)


@workflow("LCount")
async def count_all(state: Order) -> None:
    await gather(count(7), count(8), count.with_(concurrency_key=None)(7), count.with_(concurrency_key="label")(9))


@workflow("LAsk")
async def ask_all(state: Order) -> None:
    await gather(
        http.with_(queue="q", concurrency_key="json.to")("POST", "https://x.test", json={"to": state.customer}),
        http.with_(queue="q", concurrency_key="url", name="by address")("GET", f"https://x.test/{state.customer}"),
        infer.with_(queue="q", concurrency_key="model")("m@1", {"n": 1}),
        wasm.with_(queue="q", concurrency_key="state.customer")(f"sha256:{'0' * 64}", {"n": 1}),
    )
