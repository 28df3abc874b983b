"""HTTP steps by the engine against real servers on loopback."""

import asyncio
import json
import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ruvon import HttpError, TimedOut
from ruvon.builder import WorkflowBuilder
from ruvon.implementations.egress import EgressPolicy, HttpEgress
from ruvon.implementations.observability.logging import LoggingObserver
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.ir import Definition, ImportRoots
from ruvon.models import WorkflowStatus
from ruvon.providers import EgressRefusedError
from ruvon_dsl import compile_function, compile_source, require, to_yaml
from tests.support import http_flows as flows
from tests.support.engine_world import JumpingClock
from tests.support.http_flows import Answer, Asking
from tests.support.http_server import Asked, answer, serving

OPEN = EgressPolicy(allow_networks=("127.0.0.1",), max_connections=200)
JSON = {"Content-Type": "application/json"}
SECRETS = {"TOKEN": "t0ken-value", "OTHER": "0ther-value", "KEY": "k3y-value"}


@cache
def definition(flow: Any) -> Definition:
    """A workflow, compiled once."""
    return require(compile_function(flow, roots=ImportRoots({"tests"})))[0].definition


def builder(*definitions: Definition, **options: Any) -> WorkflowBuilder:
    """A builder whose requests may go to loopback."""
    options.setdefault("egress", HttpEgress(OPEN))
    made = WorkflowBuilder(plugins=False, import_roots=["tests"], secrets=SECRETS.__getitem__, **options)
    made.register(*definitions)
    return made


def run(flow: Any, url: str, items: list[int] | None = None, **options: Any) -> Any:
    """Create an instance of a workflow and run it to its end."""

    async def main() -> Any:
        made = builder(flow if isinstance(flow, Definition) else definition(flow), **options)
        instance = await made.create_workflow(made.registered_types()[0], Asking(url=url, items=items or []))
        await instance.run()
        await made.close()
        return instance

    return asyncio.run(main())


def saying(status: int = 200, body: bytes = b"{}", headers: dict[str, str] | None = None) -> Callable[..., Any]:
    """A server that always says the same."""

    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        answer(writer, status, body, headers or JSON)

    return behave


def test_a_request_and_its_answer() -> None:
    """The query is joined, parts left out and repeated; the answer is the step's result."""
    with serving(saying(200, b'{"a": [1]}')) as server:
        found = run(flows.whole, server.url)

    assert (found.result.status, found.result.json) == (200, {"a": [1]})
    assert server.asked[0].path == "/whole?page=2&tags=a&tags=b+c&yes=true"


def test_a_body_as_json() -> None:
    """`json` is sent as JSON, and `into` makes a model of the answer."""
    with serving(saying(201, b'{"score": 3}')) as server:
        found = run(flows.typed, server.url, [1, 2])

    assert found.result == Answer(score=3)
    assert (server.asked[0].method, json.loads(server.asked[0].body)) == ("POST", {"items": [1, 2]})
    assert server.asked[0].headers["content-type"] == "application/json"


def test_a_hundred_at_once() -> None:
    """S4-062: a hundred requests lie at the server together; none waits for another."""
    everybody = asyncio.Event()

    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if server.at_once == 100:
            everybody.set()
        await everybody.wait()
        answer(writer, 200, b'{"score": %d}' % int(asked.path.rpartition("/")[2]), JSON)

    with serving(behave) as server:
        found = run(flows.all_at_once, server.url, list(range(100)))

    assert found.status is WorkflowStatus.COMPLETED
    assert [item.score for item in found.result] == list(range(100))
    assert server.most_at_once == 100


def test_the_idempotency_key() -> None:
    """Unsafe methods carry the key of their activation, the same for all attempts; safe ones none; one's own is kept."""

    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        answer(writer, 503 if len(server.asked) == 1 else 200)

    with serving(behave) as server:
        found = run(flows.keyed, server.url)

    first, second, own, safe = [item.headers.get("idempotency-key") for item in server.asked]
    assert found.status is WorkflowStatus.COMPLETED
    assert first == second is not None
    assert len(first or "") == 32
    assert (own, safe) == ("mine", None)


def test_secrets_are_sent_and_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """Credentials reach the server and stand in no error, no log line and no stored row, though the server repeats them."""
    caplog.set_level(logging.DEBUG)

    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        echo = f"{asked.path} {asked.headers}".encode()
        answer(writer, 401, echo, {"X-Echo": asked.headers["authorization"], "WWW-Authenticate": "Basic"})

    async def main(url: str) -> tuple[Any, str]:
        made = builder(definition(flows.with_secrets), observers=[LoggingObserver()])
        instance = await made.create_workflow("HttpSecrets", Asking(url=url))
        await instance.run()
        rows = await made.persistence.read_log(instance._run.record.workflow_id)
        await made.close()
        return instance, repr(rows)

    with serving(behave) as server:
        found, rows = asyncio.run(main(server.url))

    asked = server.asked[0]
    assert asked.headers["authorization"] == "Bearer t0ken-value"
    assert asked.headers["x-other"] == "0ther-value"
    assert asked.path == "/private?key=k3y-value"
    assert isinstance(found.error, HttpError)
    assert "***" in found.error.body
    shown = f"{found.error!r} {found.error.__dict__} {rows} {caplog.text}"
    assert [shown[max(shown.index(text) - 90, 0) :][:120] for text in SECRETS.values() if text in shown] == []


def test_a_refused_target_fails_at_once() -> None:
    """What the policy closes is asked by nobody, and a policy of retries does not help."""
    with serving(saying()) as server:
        found = run(flows.typed, server.url, egress=HttpEgress(EgressPolicy()))

    assert isinstance(found.error, EgressRefusedError)
    assert "RUVON_EGRESS_ALLOW" in str(found.error)
    assert server.connections == 0


def test_the_environment_opens_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A builder without `egress=` takes the policy of `RUVON_EGRESS_ALLOW`."""
    monkeypatch.setenv("RUVON_EGRESS_ALLOW", "127.0.0.1")
    with serving(saying(200, b'{"score": 1}')) as server:
        assert run(flows.typed, server.url, egress=None).result == Answer(score=1)


class Disconnected:
    """A device without a network."""

    def is_online(self) -> bool:
        return False


def test_offline_is_said_at_once() -> None:
    """Without a network a step raises `Offline`, which no policy repeats unless it names that class."""
    clock = JumpingClock()
    begun = clock.now_us()
    found = run(
        flows.offline, "http://shop.test/?key=k3y", egress=HttpEgress(OPEN, connectivity=Disconnected()), clock=clock
    )

    assert found.result == "later: there is no network to reach http://shop.test/?key=***"
    assert clock.now_us() == begun


def test_a_step_in_time() -> None:
    """The step's timeout ends the request."""

    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    with serving(behave) as server:
        found = run(flows.careful, server.url)

    assert isinstance(found.error, TimedOut)
    assert str(found.error) == "`http` did not end within 0:00:00.300000"


def test_an_attempt_that_waits_survives_its_process(tmp_path: Path) -> None:
    """`Retry-After` stands in the recorded wait; another process goes on with the same key when it is over."""

    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        answer(writer, 429 if len(server.asked) == 1 else 200, b"{}", {"Retry-After": "30", **JSON})

    clock = JumpingClock()

    def opened() -> WorkflowBuilder:
        store = SQLitePersistenceProvider(tmp_path / "flows.db", clock=clock)
        return builder(definition(flows.retried), persistence_provider=store, clock=clock)

    async def first(url: str) -> tuple[str, int]:
        made = opened()
        await made.initialize()
        instance = await made.create_workflow("HttpRetried", Asking(url=url))
        await instance.next_step()
        row = await made.persistence.load_instance(instance._run.record.workflow_id)
        await made.close()
        return instance.id, (row.due_us or 0) - clock.now_us()

    async def second(key: str) -> Any:
        made = opened()
        await made.initialize()
        instance = await made.load_workflow(key)
        await instance.run()
        await made.close()
        return instance

    with serving(behave) as server:
        key, waits_us = asyncio.run(first(server.url))
        asked = len(server.asked)
        found = asyncio.run(second(key))

    assert (asked, waits_us) == (1, 30_000_000)
    assert found.status is WorkflowStatus.COMPLETED
    assert server.asked[0].headers["idempotency-key"] == server.asked[1].headers["idempotency-key"]
    assert server.asked[1].body == b"text"


def test_synchronous_callers() -> None:
    """`run_sync` uses the background loop; its connections are the loop's own."""
    with serving(saying(200, b'{"score": 1}')) as server:
        made = builder(definition(flows.typed))
        instance = made.create_workflow_sync("HttpTyped", Asking(url=server.url))
        instance.run_sync()
        from ruvon._bridge import run_coroutine_sync

        run_coroutine_sync(made.close())

    assert instance.result == Answer(score=1)


YAML = """
workflow_type: HttpYaml
initial_state_model: tests.support.http_flows:Asking
automate_next: true
result_model: tests.support.http_flows:Parts
uses: {Parts: "tests.support.http_flows:Parts"}
steps:
  - name: Ask
    type: HTTP
    http_config:
      method: post
      url: "{{ state.url }}/orders/{{ len(state.items) }}"
      headers: {accept: application/json, X-Count: "n{{ len(state.items) }}", authorization: "=secret('TOKEN')"}
      query_params: {page: 2, note: "=state.note"}
      body: {items: "=state.items", nested: {a: [1, null]}}
      expected_status: [404, 409]
      includes: [status_code, body]
      max_bytes: 100000
      timeout: 5
      retry_policy: {max_attempts: 3, delay: 0}
      output_key: found
      output_model: Parts
  - name: Note
    set: {state.note: "=str(found.body.score)"}
  - return: =found
"""


@pytest.mark.parametrize("again", [False, True], ids=["as written", "printed"])
def test_every_key_of_yaml_runs(again: bool) -> None:
    """S2-075: templates feed url, headers, query and body; every documented key does what it says, printed again too."""

    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        answer(writer, 500 if len(server.asked) == 1 else 409, b'{"score": 5}', JSON)

    made = require(compile_source(YAML, kind="yaml", roots=ImportRoots({"tests"})))[0].definition
    if again:
        made = require(compile_source(to_yaml(made), kind="yaml", roots=ImportRoots({"tests"})))[0].definition
    with serving(behave) as server:
        found = run(made, server.url, [7, 8])

    first, second = server.asked
    assert found.error is None
    assert (found.result.status, found.result.body, found.state.note) == (409, Answer(score=5), "5")
    assert (first.method, first.path) == ("POST", "/orders/2?page=2&note=")
    assert (first.headers["accept"], first.headers["x-count"]) == ("application/json", "n2")
    assert first.headers["authorization"] == "t0ken-value"
    assert json.loads(first.body) == {"items": [7, 8], "nested": {"a": [1, None]}}
    assert first == second


def test_untrusted_values_stay_values() -> None:
    """A line break in a templated header or address sends nothing."""
    text = YAML.replace("n{{ len(state.items) }}", "{{ state.note }}")
    made = require(compile_source(text, kind="yaml", roots=ImportRoots({"tests"})))[0].definition

    async def main(url: str) -> Any:
        here = builder(made)
        instance = await here.create_workflow("HttpYaml", Asking(url=url, note="a\r\nHost: evil"))
        await instance.run()
        await here.close()
        return instance.error

    with serving(saying()) as server:
        error = asyncio.run(main(server.url))

    assert isinstance(error, EgressRefusedError)
    assert server.connections == 0
