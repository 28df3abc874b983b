"""Workflows with HTTP steps; the address of their server stands in the state."""

from datetime import timedelta

from pydantic import BaseModel

from ruvon import (
    HttpError,
    HttpResponse,
    Offline,
    Retry,
    StepContext,
    compensate,
    compensation,
    gather,
    http,
    secret,
    step,
    workflow,
)

__all__ = [
    "Answer",
    "Asking",
    "all_at_once",
    "alone",
    "attempted",
    "careful",
    "caught",
    "expecting",
    "keyed",
    "listed",
    "offline",
    "parts",
    "retried",
    "small",
    "typed",
    "typed_parts",
    "undone",
    "whole",
    "with_secrets",
]  # fmt: skip

RETRY = Retry(max_attempts=3, delay=timedelta(seconds=2), max_delay=timedelta(seconds=60))


class Asking(BaseModel):
    """Where to ask, and what came of it."""

    url: str = "https://shop.test"
    items: list[int] = []
    note: str = ""


class Answer(BaseModel):
    """What the server is expected to say."""

    score: int
    name: str = ""


class Parts(BaseModel):
    """Parts of an answer."""

    status: int
    body: Answer


@workflow("HttpWhole")
async def whole(state: Asking) -> HttpResponse:
    """The answer as it is."""
    return await http("GET", f"{state.url}/whole", query={"page": 2, "tags": ["a", "b c"], "no": None, "yes": True})


@workflow("HttpTyped")
async def typed(state: Asking) -> Answer:
    """The body as a model."""
    return await http("POST", f"{state.url}/typed", into=Answer, json={"items": state.items}, retry=RETRY)


@workflow("HttpParts")
async def parts(state: Asking) -> dict[str, object]:
    """Parts of the answer."""
    return await http("GET", f"{state.url}/parts", includes=("status", "body", "headers", "text"))


@workflow("HttpTypedParts")
async def typed_parts(state: Asking) -> Parts:
    """Parts of the answer, as a model."""
    return await http("GET", f"{state.url}/parts", into=Parts, includes=("status", "body"))


@workflow("HttpExpecting")
async def expecting(state: Asking) -> int:
    """A status of 404 or 503 is an answer."""
    found = await http("DELETE", f"{state.url}/gone", expect=(404, 503))
    return found.status


@workflow("HttpSmall")
async def small(state: Asking) -> HttpResponse:
    """A short answer."""
    return await http("GET", f"{state.url}/small", max_bytes=8)


@workflow("HttpRetried")
async def retried(state: Asking) -> HttpResponse:
    """An answer that may take several attempts."""
    return await http("POST", f"{state.url}/later", body="text", headers={"X-A": "b"}, retry=RETRY)


@workflow("HttpListed")
async def listed(state: Asking) -> HttpResponse:
    """Every error of HTTP is named, so every status is repeated."""
    return await http("GET", f"{state.url}/later", retry=Retry(max_attempts=3, delay=timedelta(0), on=(HttpError,)))


@workflow("HttpCaught")
async def caught(state: Asking) -> str:
    """An error is looked at by the body."""
    try:
        await http("GET", f"{state.url}/caught?token=abc")
    except HttpError as err:
        return f"{err.status} {err.body} {err}"
    return "no error"


@workflow("HttpOffline")
async def offline(state: Asking) -> str:
    """Without a network the workflow goes another way, at once."""
    try:
        await http("GET", f"{state.url}/x", retry=Retry(max_attempts=9, delay=timedelta(days=1), on=(ConnectionError,)))
    except Offline as err:
        return f"later: {err}"
    return "now"


@workflow("HttpSecrets")
async def with_secrets(state: Asking) -> HttpResponse:
    """Credentials in every place that can have them."""
    return await http(
        "GET",
        f"{state.url}/private",
        headers={"Authorization": f"Bearer {secret('TOKEN')}", "X-Other": secret("OTHER")},
        query={"key": secret("KEY")},
    )


@workflow("HttpKeyed")
async def keyed(state: Asking) -> None:
    """Unsafe methods carry a key of their activation; a key of the author's own is kept."""
    await http("POST", f"{state.url}/a", json={}, retry=Retry(max_attempts=2, delay=timedelta(0)))
    await http("PUT", f"{state.url}/b", headers={"idempotency-key": "mine"})
    await http("GET", f"{state.url}/c")


@workflow("HttpAllAtOnce")
async def all_at_once(state: Asking) -> list[Answer]:
    """Many requests side by side."""
    return await gather(*(http("GET", f"{state.url}/slow/{item}", into=Answer) for item in state.items))


@workflow("HttpAlone")
async def alone(state: Asking) -> str:
    """A request whose result nobody takes merges nothing."""
    await http("GET", f"{state.url}/alone", includes=("body",))
    return state.note


@step
async def remember(state: Asking, url: str) -> str:
    """Put a trace into the state."""
    state.note += f"remember {url};"
    return url


@compensate(remember)
async def unremember(state: Asking, context: StepContext) -> None:
    """Take it back."""
    state.note += f"undone {context.step_result};"


@workflow("HttpUndone", saga=True)
async def undone(state: Asking) -> None:
    """A failed request rolls back what was done."""
    await remember(state, state.url)
    await http("POST", f"{state.url}/fails", json={"a": 1})


async def cancel_order(state: Asking, result: HttpResponse | None, url: str, json: object) -> None:
    """Cancel what may have been ordered."""
    state.note += f"cancelled {url} {json} {result.status if result is not None else None};"


@workflow("HttpAttempted", saga=True)
async def attempted(state: Asking) -> None:
    """A request whose outcome may be unknown."""
    await http.with_(compensate=compensation(cancel_order, attempted=True))(
        "POST", f"{state.url}/order", json={"a": 1}, retry=RETRY
    )
    raise ValueError("changed my mind")


@workflow("HttpCareful")
async def careful(state: Asking) -> HttpResponse:
    """A request with a limit of time."""
    return await http("GET", f"{state.url}/careful", timeout=timedelta(milliseconds=300))
