"""Webhooks of real servers: killed in the middle of a request, and two of them at a time."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.support.hooks import receiving
from tests.support.processes import BIN, Process

SECONDS = 60
FLOW = "workflow_type: Hello\nsteps:\n  - {name: greet, type: RETURN, value: hello}\n"


@contextmanager
def serving(folder: Path, name: str) -> Iterator[tuple[Process, httpx.Client]]:
    """`ruvon serve` on a SQLite file in a folder, which sends webhooks to this machine, and a client that asks it."""
    (folder / "hello.yaml").write_text(FLOW, encoding="utf-8")
    command = [str(BIN / "ruvon"), "serve", "--db", str(folder / "ruvon.db"), "--port", "0"]
    process = Process(
        [*command, "--workflows", str(folder / "hello.yaml")],
        folder / f"{name}.log",
        "Ruvon answers on ",
        {"RUVON_SERVER_WEBHOOK_ALLOW": "127.0.0.1"},
    )
    try:
        process.await_ready()
        url = re.findall(r"http://[\d.:]+", process.said())[0]
        with httpx.Client(base_url=url, timeout=SECONDS) as client:
            yield process, client
    finally:
        if process.child.poll() is None:
            process.stop()


def until(found: Callable[[], Any]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + SECONDS
    while not found():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.02)


def hook(client: httpx.Client, url: str) -> str:
    answer = client.post("/api/v1/webhooks", json={"url": url, "events": ["workflow.completed"]})
    assert answer.status_code == 201, answer.text
    return f"/api/v1/webhooks/{answer.json()['webhook_id']}/deliveries"


def start(client: httpx.Client) -> str:
    return str(client.post("/api/v1/workflows", json={"workflow_type": "Hello"}).json()["workflow_id"])


def test_nothing_is_lost_when_a_server_is_killed_while_it_sends(tmp_path: Path) -> None:
    """SIGKILL in the middle of requests: the next server makes all of them again, under the same ids."""

    async def silent(*_: Any) -> None:
        await asyncio.Event().wait()

    with receiving(behave=silent) as receiver:
        with serving(tmp_path, "first") as (process, client):
            path = hook(client, receiver.url)
            ids = {start(client) for _ in range(6)}
            until(lambda: receiver.came)
            process.kill()
        broken_off = set(receiver.ids)
        receiver.behave = None
        receiver.came = []
        with serving(tmp_path, "second") as (_, client):
            until(lambda: len(client.get(path, params={"status": "delivered"}).json()["items"]) == 6)
            told = client.get(path).json()["items"]

    assert {item["workflow_id"] for item in told} == ids
    assert broken_off <= set(receiver.ids)
    assert len(receiver.ids) == len(set(receiver.ids)) == 6


def test_two_servers_of_one_store_send_nothing_twice(tmp_path: Path) -> None:
    """Both run workflows, both send."""
    with (
        receiving() as receiver,
        serving(tmp_path, "one") as (_, one),
        serving(tmp_path, "other") as (_, other),
    ):
        path = hook(one, receiver.url)
        ids = {start(client) for _ in range(10) for client in (one, other)}
        until(lambda: len(other.get(path, params={"status": "delivered"}).json()["items"]) == 20)
        told = one.get(path).json()["items"]

    assert sorted(item["workflow_id"] for item in told) == sorted(ids)
    assert len(receiver.ids) == len(set(receiver.ids)) == 20
