"""Messages of Celery that nobody of ours has sent: a worker lets them go, whatever they are, and does its work."""

import asyncio
import base64
import json
import secrets
from pathlib import Path
from typing import Any

from ruvon.implementations.execution.celery import RUN_TASK, CeleryExecutionProvider
from ruvon.testing.contracts._execution import builder_with, ended, eventually
from tests.acceptance.test_celery import TURNS, _begun
from tests.support.brokers import redis_broker
from tests.support.postgres import database, emptied, needs_postgres, store
from tests.support.processes import celery_worker

pytestmark = needs_postgres

UNKNOWN = f"{'0' * 32}.{'0' * 20}"
ARGUMENTS: list[Any] = [
    [None],
    [1, 2.5, True],
    [{}],
    [[UNKNOWN]],
    [""],
    ["\0"],
    ["\ud800"],
    ["x" * 1_000_000],
    [UNKNOWN],
    [UNKNOWN] * 100_000,
    "text",
    {},
    None,
    7,
]
BODIES: list[Any] = [
    *([item, {}, {}] for item in ARGUMENTS),
    [[], {"message": 1}, {}],
    [],
    {},
    None,
    7,
    "text",
    [[]],
    [[UNKNOWN], 5, 5],
]
HEADERS: list[dict[str, Any]] = [
    {"task": "nobody.knows"},
    {"task": None},
    {"task": {}},
    {"id": None},
    {"eta": "never"},
    {"eta": 5},
    {"expires": "x"},
    {"retries": "x"},
    {"timelimit": "x"},
    {"group": {}, "root_id": 5, "parent_id": []},
]


def envelope(namespace: str, body: Any, **headers: Any) -> bytes:
    """A message as it lies in the broker."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {"lang": "py", "task": RUN_TASK, "id": secrets.token_hex(8), **headers}
    properties = {
        "correlation_id": "c",
        "delivery_info": {"exchange": "", "routing_key": namespace},
        "delivery_tag": secrets.token_hex(8),
        "body_encoding": "base64",
    }
    return json.dumps(
        {
            "body": base64.b64encode(text).decode(),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": named,
            "properties": properties,
        }
    ).encode()


def hostile(namespace: str) -> list[bytes]:
    """Messages of every strange kind."""
    ours = [[UNKNOWN], {}, {}]
    return [
        *(envelope(namespace, body) for body in BODIES),
        *(envelope(namespace, ours, **headers) for headers in HEADERS),
        envelope(namespace, b"\xff\x00"),
        envelope(namespace, b"[" * 100_000),
        envelope(namespace, ours).replace(b"application/json", b"application/x-python-serialize"),
        envelope(namespace, ours).replace(b"application/json", b"no/type"),
    ]


def test_strange_messages_are_let_go_and_the_work_is_done(tmp_path: Path) -> None:
    """Of other kinds, of any size, unknown and unreadable: afterwards the queue is empty and workflows end."""
    emptied()
    namespace = f"ruvon-test-{secrets.token_hex(4)}"
    ledger = tmp_path / "ledger.txt"

    async def scene() -> Any:
        execution = CeleryExecutionProvider(redis_broker(), namespace=namespace)
        async with asyncio.timeout(150), builder_with(execution, persistence_provider=store()) as builder:
            with execution.app.connection_for_write() as connection:
                connection.default_channel.client.rpush(namespace, *hostile(namespace))
            with celery_worker(tmp_path, database(), redis_broker(), namespace, "-c", "2"):
                runs = [await _begun(builder, ledger) for _ in range(2)]
                for run in runs:
                    await ended(run)
                await eventually(lambda: execution.depth() == 0)
            return [run.result for run in runs]

    assert asyncio.run(scene()) == [sum(range(TURNS))] * 2
