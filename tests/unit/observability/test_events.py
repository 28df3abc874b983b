"""Events in a stream of a Redis server: envelopes, secrets, limits, and a server that is not there."""

import asyncio
import json
from collections.abc import Callable, Generator
from typing import Any
from uuid import uuid4

import pytest
import redis

from ruvon.implementations.observability.events import EVENT_TYPES, EventPublisherObserver, RedisStreamObserver
from ruvon.providers.observer import HOOKS
from tests.support.redis import server

NOBODY = "redis://localhost:1/0"


@pytest.fixture
def stream() -> Generator[str]:
    """A key of this test's own, deleted behind it."""
    name = f"ruvon-test:{uuid4()}"
    yield name
    with redis.Redis.from_url(server()) as client:
        client.delete(name)


def entries(stream: str) -> list[dict[str, Any]]:
    """All entries, their data parsed."""
    with redis.Redis.from_url(server(), decode_responses=True) as client:
        found = [fields for _, fields in client.xrange(stream)]
    return [{**fields, "data": json.loads(fields["data"])} for fields in found]


def test_every_event_is_an_entry(stream: str, played: Callable[..., Any]) -> None:
    """S2-065: in order, in the envelope of CloudEvents, each with an id of its own."""
    run = played(RedisStreamObserver(server(), stream=stream), fails=True)
    found = entries(stream)
    assert {item["type"] for item in found} == set(EVENT_TYPES.values())
    own = [item for item in found if item["subject"] == run.id]
    assert [item["type"].removeprefix("ruvon.") for item in own[:3]] == [
        "workflow.started",
        "step.executed",
        "workflow.child_started",
    ]
    assert own[-1]["type"] == "ruvon.workflow.failed"
    assert own[-1]["data"]["error"] == {"type": "ValueError", "message": "no good"}
    assert len({item["id"] for item in found}) == len(found)
    first = own[0]
    envelope = {
        key: first[key] for key in ("specversion", "source", "datacontenttype", "workflowtype", "workflowversion")
    }
    assert envelope == {
        "specversion": "1.0",
        "source": "/ruvon",
        "datacontenttype": "application/json",
        "workflowtype": "Traced",
        "workflowversion": "1.0.0",
    }
    assert first["time"].endswith("Z")
    assert set(EVENT_TYPES) == set(HOOKS)


def test_secrets_are_masked(stream: str, played: Callable[..., Any]) -> None:
    """Of a marked field of the state, in states and in a step's plain dict."""
    played(RedisStreamObserver(server(), stream=stream))
    found = entries(stream)
    assert "4111-1111" not in str(found)
    done = next(
        item for item in found if item["type"] == "ruvon.step.executed" and item["data"]["step_name"] == "charge"
    )
    assert done["data"]["result"] == {"number": 1, "status": "charged", "pan": "***"}


def test_results_can_be_left_out(stream: str, played: Callable[..., Any]) -> None:
    """All of them, or those of events that would be too large; `omitted` says what is missing."""
    played(RedisStreamObserver(server(), stream=stream, payloads=False))
    played(RedisStreamObserver(server(), stream=stream, max_data_bytes=10))
    data = [item["data"] for item in entries(stream) if item["type"] == "ruvon.step.executed"]
    assert all("result" not in item and item["omitted"] == ["result"] for item in data)


def test_the_stream_is_trimmed(stream: str) -> None:
    """About `maxlen` entries are kept; Redis trims whole nodes of a hundred."""

    async def work() -> None:
        observer = RedisStreamObserver(server(), stream=stream, maxlen=100)
        for number in range(2000):
            await observer.on_workflow_started(f"id-{number}", "Type")
        await observer.close()

    asyncio.run(work())
    assert 100 <= len(entries(stream)) <= 300


def test_a_server_that_is_not_there_harms_nothing(played: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    """Events are dropped and counted, and said once."""
    observer = RedisStreamObserver(NOBODY)
    assert played(observer).status == "COMPLETED"
    assert observer.dropped > 10
    texts = [record.getMessage() for record in caplog.records if record.name == "ruvon.observers"]
    assert sum("cannot be written" in text for text in texts) == 1


def test_what_was_lost_is_said_in_the_stream(stream: str) -> None:
    """Beyond the queue's limit events are dropped; behind the next ones the stream says how many."""

    async def work() -> RedisStreamObserver:
        observer = RedisStreamObserver(server(), stream=stream, most_queued=1)
        with observer._sender._wake:  # the thread takes nothing meanwhile
            for number in range(5):
                await observer.on_workflow_started(f"id-{number}", "Type")
        await observer.close()
        return observer

    observer = asyncio.run(work())
    assert observer.dropped == 4
    assert [(item["type"], item["data"].get("count")) for item in entries(stream)] == [
        ("ruvon.workflow.started", None),
        ("ruvon.events.dropped", 4),
    ]


def test_it_can_be_closed_and_told_again(stream: str) -> None:
    """Two builders may share one observer."""

    async def work() -> None:
        observer = EventPublisherObserver(server(), stream=stream)
        await observer.close()
        for number in range(2):
            await observer.on_workflow_started(f"id-{number}", "Type")
            await observer.close()

    asyncio.run(work())
    assert [item["subject"] for item in entries(stream)] == ["id-0", "id-1"]
