"""Bad requests and broken servers: problem details, bounded, without a traceback."""

import logging
from typing import Any

import pytest

from ruvon.providers import PersistenceError
from tests.support.serving import Client, asked, new_app, new_builder

WORKFLOWS = "/api/v1/workflows"
JSON = {"Content-Type": "application/json"}


def posted(body: bytes, headers: dict[str, str] | None = None, **settings: Any) -> tuple[int, dict[str, Any]]:
    """The answer to a body as it is."""

    async def talk(client: Client) -> tuple[int, dict[str, Any]]:
        answer = await client.post(WORKFLOWS, content=body, headers=headers if headers is not None else JSON)
        assert answer.headers["Content-Type"] == "application/problem+json", answer.text
        return answer.status_code, answer.json()

    return asked(talk, new_app(**settings))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "line 1"),
        (b"\xff\xfe", "not UTF-8"),
        (b'{"workflow_type": "a\x00b"}', "control character"),
        (rb'{"workflow_type": "a\u0000b"}', "NUL"),
        (rb'{"workflow_type": "\ud800"}', "half a character"),
        (b'{"workflow_type": "a", "workflow_type": "b"}', "more than once"),
        (b'{"data": {"amount": NaN}}', "NaN"),
        (b'{"data": {"amount": 1e999}}', "too large"),
        (b'{"data": {"amount": ' + b"9" * 5_000 + b"}}", "digits"),
        (b"[" * 100_000, "deeper"),
        (b'{"data":' * 100 + b"1" + b"}" * 100, "deeper"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(body: bytes, said: str) -> None:
    """Broken, doubled, too deep and endless JSON is answered with 400, and the reason."""
    status, problem = posted(body)

    assert (status, problem["code"]) == (400, "bad-json")
    assert said in problem["detail"]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'"text"', b"null", b"7", b"{}", b'{"workflow_type": 7}', b'{"workflow_type": "x", "more": 1}']
)
def test_a_body_of_another_shape_is_refused(body: bytes) -> None:
    """JSON that is no such object is answered with 422."""
    status, problem = posted(body)

    assert (status, problem["code"]) == (422, "invalid-request")


def test_the_problem_names_the_field() -> None:
    """Each field that does not fit is an item with its place."""
    _, problem = posted(b'{"workflow_type": "x", "priority": "high", "wait_s": -1}')

    assert {item["place"] for item in problem["errors"]} == {"body.priority", "body.wait_s"}


def test_a_large_body_is_refused() -> None:
    """What is beyond the limit is answered with 413."""
    status, problem = posted(b'{"workflow_type": "' + b"x" * 4_000 + b'"}', body_limit_bytes=2_048)

    assert (status, problem["code"]) == (413, "body-too-large")


def test_a_body_of_another_type_is_refused() -> None:
    """A form is no JSON, whatever it holds."""
    status, problem = posted(b'{"workflow_type": "Greeting"}', {"Content-Type": "text/plain"})

    assert (status, problem["code"]) == (415, "unsupported-media-type")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not-found"),
        ("GET", f"{WORKFLOWS}/no-uuid", 404, "not-found"),
        ("DELETE", WORKFLOWS, 405, "method-not-allowed"),
        ("GET", f"{WORKFLOWS}?status=SLEEPING", 422, "invalid-request"),
        ("GET", f"{WORKFLOWS}?limit=0", 422, "invalid-request"),
        ("GET", f"{WORKFLOWS}?limit=ten", 422, "invalid-request"),
        ("GET", f"{WORKFLOWS}?created_after=yesterday", 422, "invalid-request"),
        ("GET", f"{WORKFLOWS}?metadata=nothing", 422, "bad-filter"),
        ("GET", f"{WORKFLOWS}?cursor=!!!", 400, "bad-cursor"),
        ("GET", f"{WORKFLOWS}?cursor=WzEsMl0x", 400, "bad-cursor"),
        ("GET", f"{WORKFLOWS}?cursor=WzEsIjIiXQ", 400, "bad-cursor"),
    ],
)
def test_a_request_that_does_not_fit_is_refused(method: str, path: str, status: int, code: str) -> None:
    """Paths, methods and parameters that are none are answered with their codes."""

    async def talk(client: Client) -> tuple[int, str]:
        answer = await client.request(method, path)
        return answer.status_code, answer.json()["code"]

    assert asked(talk) == (status, code)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (f"{WORKFLOWS}?status=DONE", "'DONE'; it is one of ACTIVE, "),
        ("/api/v1/webhooks/411c4471d1bea377/deliveries?status=DONE", "it is one of pending, delivered, failed"),
        ("/nothing", "no operation has this path"),
        (f"{WORKFLOWS}/no-uuid", "/docs has every operation"),
    ],
)
def test_a_refusal_says_what_would_fit(path: str, said: str) -> None:
    """A value that is none is answered with those that there are, a path that is none with where they all are."""

    async def talk(client: Client) -> str:
        return str((await client.get(path)).json()["detail"])

    assert said in asked(talk)


def test_a_refusal_is_a_sentence_of_ours() -> None:
    """What a validator says is told without the name of its exception."""

    async def talk(client: Client) -> str:
        answer = await client.post("/api/v1/webhooks", json={"url": "https://shop.example/hook", "events": ["stepp"]})
        return str(answer.json()["detail"])

    assert asked(talk).startswith("body.events.0: no event is called that")


def test_an_error_that_nobody_foresaw_tells_nothing_but_its_id(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer has an id and no word of the error; the log has both."""
    builder = new_builder()

    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("the password is hunter2")

    monkeypatch.setattr(builder.persistence, "find_instances", broken)

    async def talk(client: Client) -> tuple[int, dict[str, Any], str]:
        answer = await client.get(WORKFLOWS)
        return answer.status_code, answer.json(), answer.text

    with caplog.at_level(logging.ERROR, "ruvon.server"):
        status, problem, text = asked(talk, new_app(builder))

    assert (status, problem["code"]) == (500, "internal")
    assert "hunter2" not in text
    assert "Traceback" not in text
    assert problem["instance"].startswith("urn:uuid:")
    assert problem["instance"] in caplog.text
    assert "hunter2" in caplog.text


def test_a_store_that_is_away_is_told_with_a_time_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is answered with 503 and Retry-After, without the words of the store."""
    builder = new_builder()

    async def away(*_: object, **__: object) -> None:
        raise PersistenceError("postgresql://ruvon:hunter2@db is away")

    monkeypatch.setattr(builder.persistence, "find_instances", away)

    async def talk(client: Client) -> tuple[int, str, str, str, int]:
        answer = await client.get(WORKFLOWS)
        ready = await client.get("/ready")
        return answer.status_code, answer.json()["code"], answer.headers["Retry-After"], answer.text, ready.status_code

    status, code, after, text, ready = asked(talk, new_app(builder))

    assert (status, code, after, ready) == (503, "store-unavailable", "5", 503)
    assert "hunter2" not in text
