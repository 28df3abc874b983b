"""What a command says when a server refuses, cannot be reached, or is somebody else's: a sentence and an exit code each."""

from collections.abc import Callable

import httpx
import pytest

import ruvon_server.client
from ruvon_server.client import Client
from tests.cli.conftest import Command

URL = "http://ruvon.test:8000"
Answer = Callable[[httpx.Request], httpx.Response]


def problem(status: int, code: str, detail: str, retry_after: str = "", **more: object) -> Answer:
    """A server that refuses everything."""
    body = {
        "type": f"urn:ruvon:problem:{code}",
        "title": "t",
        "instance": "/",
        "status": status,
        "code": code,
        "detail": detail,
        **more,
    }
    headers = {"Content-Type": "application/problem+json", **({"Retry-After": retry_after} if retry_after else {})}
    return lambda _: httpx.Response(status, json=body, headers=headers)


def raising(error: Exception) -> Answer:
    """A server that is not there."""

    def fail(_: httpx.Request) -> httpx.Response:
        raise error

    return fail


def page(status: int, body: bytes, **headers: str) -> Answer:
    """Something else that answers."""
    return lambda _: httpx.Response(status, content=body, headers={"Content-Type": "text/html", **headers})


@pytest.fixture
def against(ruvon: Command, monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], Command]:
    """A command line whose server answers like this."""

    def over(answer: Answer) -> Command:
        http = httpx.Client(transport=httpx.MockTransport(answer), base_url=URL)
        monkeypatch.setattr(ruvon_server.client, "Client", lambda url, *, api_key: Client(http=http, attempts=1))
        monkeypatch.setenv("RUVON_SERVER_URL", URL)
        return ruvon

    return over


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (problem(401, "not-authenticated", "nobody says who asks"), 1, "the key of this command line is the variable"),
        (problem(403, "not-allowed", "it takes queues:read"), 1, "it takes queues:read; the key of this command line"),
        (problem(404, "task-not-found", "there is no task x"), 4, "there is no task x"),
        (problem(409, "workflow-busy", "somebody else drives it"), 1, "somebody else drives it"),
        (problem(410, "history-forgotten", "it is not kept"), 4, "it is not kept"),
        (
            problem(422, "invalid-request", "it does not fit", errors=[{"place": "limit", "detail": "is too large"}]),
            1,
            "limit: is too large",
        ),
        (problem(422, "invalid-limits", "the limits cannot be"), 2, "the limits cannot be"),
        (problem(429, "too-many-requests", "you ask too often", "45"), 1, "you ask too often; try it again in 45 s"),
        (problem(429, "too-many-requests", "you ask too often"), 1, "you ask too often; try it later"),
        (problem(500, "internal", "the server failed"), 3, "the server failed"),
        (problem(503, "store-unavailable", "the store is away"), 3, "the store is away"),
        (raising(httpx.ConnectError("Connection refused")), 3, "is the server up, and the address right?"),
        (raising(httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed")), 3, "CERTIFICATE_VERIFY_FAILED"),
        (raising(httpx.ReadTimeout("")), 3, "ReadTimeout"),
        (raising(httpx.DecodingError("incorrect header check")), 3, "incorrect header check"),
        (page(200, b"<html>welcome</html>"), 3, "in a way that no Ruvon server does"),
        (page(404, b"<html>not here</html>"), 3, "in a way that no Ruvon server does"),
        (page(302, b"", Location="https://elsewhere.test"), 3, "in a way that no Ruvon server does"),
    ],
)
@pytest.mark.parametrize("args", ["workers", "human-tasks list"])
def test_a_refusal_is_a_sentence(
    against: Callable[[Answer], Command], args: str, answer: Answer, code: int, said: str
) -> None:
    """With what is wrong and what to do, on standard error, and never a traceback."""
    done = against(answer)(*args.split())

    assert (done.code, done.out, said in done.err) == (code, "", True), done.text
    assert done.err.startswith("error: ")


@pytest.mark.parametrize("url", ["ruvon.test", "ftp://ruvon.test", "http://", "http://[::1"])
def test_an_address_that_is_none_is_a_sentence(ruvon: Command, url: str) -> None:
    """Nothing is asked."""
    done = ruvon("list", "--server", url)

    assert (done.code, done.err.startswith("error: ")) == (2, True), done.text


def test_a_key_that_is_none_is_a_sentence(ruvon: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line break in the variable sends nothing."""
    monkeypatch.setenv("RUVON_API_KEY", "one\ntwo")

    done = ruvon("list", "--server", URL)

    assert (done.code, "API key" in done.err, "two" in done.err) == (2, True, False)


@pytest.mark.parametrize(
    "args",
    [
        "keys list",
        "keys create ci",
        "keys rotate k",
        "keys revoke k",
        "webhooks list",
        "webhooks show w",
        "webhooks add https://shop.example",
        "webhooks update w",
        "webhooks enable w",
        "webhooks disable w",
        "webhooks remove w",
        "webhooks rotate w",
        "webhooks test w",
        "webhooks deliveries w",
        "webhooks replay w 1",
        "webhooks recover w --since 2026-11-20T08:00:00Z",
        "changes",
        "human-tasks link t",
        "definitions upload f.yaml",
    ],
)
def test_what_only_a_server_can_do_asks_for_one(ruvon: Command, args: str) -> None:
    """A sentence that names the option and the variable."""
    done = ruvon(*args.split())

    assert (done.code, "--server URL" in done.err, "RUVON_SERVER_URL" in done.err) == (2, True, True)
