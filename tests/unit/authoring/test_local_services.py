"""The further fields of `http`, `infer` and `wasm` in `.local`: parts of answers, limits, fallbacks."""

from typing import Any

import pytest
from pydantic import BaseModel

from ruvon import HttpError, HttpResponse, World, http, infer, wasm, workflow
from tests.unit.authoring.support import ran, result_of

URL = "https://api.example/answer"


class Flow(BaseModel):
    """A state."""

    name: str = ""


class Answer(BaseModel):
    """A model's answer."""

    score: float = 0.0


@workflow("Parts")
async def parts(state: Flow) -> dict[str, object]:
    """A request whose result is parts of the answer."""
    return await http("GET", URL, query={"page": 1}, includes=("status", "body", "headers", "text"))


@workflow("Small")
async def small(state: Flow) -> HttpResponse:
    """A request with a limit."""
    return await http("GET", URL, max_bytes=4)


@workflow("Skipping")
async def skipping(state: Flow) -> list[Answer | None]:
    """Calls whose failure gives nothing."""
    first = await infer("m", {}, into=Answer, fallback_on_error="skip")
    second = await wasm("w", into=Answer, fallback_on_error="skip")
    return [first, second]


@workflow("Falling")
async def falling(state: Flow) -> list[Answer]:
    """Calls whose failure gives their default."""
    first = await infer("m", {}, into=Answer, threshold=0.5, default=Answer(score=1.0))
    second = await wasm("w", into=Answer, fallback_on_error="default", default=Answer(score=2.0))
    return [first, second]


@workflow("Failing")
async def failing(state: Flow) -> dict[str, object]:
    """A call whose failure is one, whatever stands beside it."""
    return await infer("m", {}, fallback_on_error="fail", default={"score": 1})


def broken() -> World:
    """Nothing answers."""
    return World(infer={"m": ValueError("no model")}, wasm={"w": ValueError("no module")})


@pytest.mark.parametrize(("text", "body"), [('{"a": 1}', {"a": 1}), ("plain", "plain")])
def test_parts_of_an_answer(text: str, body: Any) -> None:
    """`includes` gives a dict of the parts; the body is read as JSON where it is JSON."""
    world = World(http={URL: HttpResponse(200, {"x": "y"}, text)})

    assert result_of(parts, Flow(), world) == {"status": 200, "body": body, "headers": {"x": "y"}, "text": text}


def test_an_answer_over_the_limit() -> None:
    """A longer body than `max_bytes` is an `HttpError`; one of just that length is not."""
    error = ran(small, Flow(), World(http={URL: HttpResponse(200, {}, "12345")})).error

    assert isinstance(error, HttpError)
    assert "max_bytes=4" in str(error)
    assert result_of(small, Flow(), World(http={URL: HttpResponse(200, {}, "1234")})).text == "1234"


def test_skip_gives_none() -> None:
    """`fallback_on_error="skip"` turns a failure into None."""
    assert result_of(skipping, Flow(), broken()) == [None, None]


def test_defaults_stand_in() -> None:
    """A default is taken by itself and with `fallback_on_error="default"`."""
    assert result_of(falling, Flow(), broken()) == [Answer(score=1.0), Answer(score=2.0)]


def test_fail_is_stronger_than_a_default() -> None:
    """`fallback_on_error="fail"` raises the error."""
    assert isinstance(ran(failing, Flow(), broken()).error, ValueError)
