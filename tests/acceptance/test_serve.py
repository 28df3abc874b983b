"""`ruvon serve` as a real process: started, killed, started again, ended."""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.support.processes import BIN, ROOT, Process

FLOW = ROOT / "tests" / "acceptance" / "served_flow.py"
SECONDS = 60


@contextmanager
def serving(folder: Path, name: str, *options: str) -> Iterator[tuple[Process, httpx.Client]]:
    """`ruvon serve` on a SQLite file in a folder, and a client that asks it."""
    command = [str(BIN / "ruvon"), "serve", "--db", str(folder / "ruvon.db"), "--port", "0", "--workflows", str(FLOW)]
    variables = {"RUVON_TEST_LEDGER": str(folder / "ledger.txt")}
    process = Process([*command, *options], folder / f"{name}.log", "Ruvon answers on ", variables)
    try:
        process.await_ready()
        url = re.findall(r"http://[\d.:]+", process.said())[0]
        with httpx.Client(base_url=url, timeout=SECONDS) as client:
            yield process, client
    finally:
        if process.child.poll() is None:
            process.stop()


def until(found: Callable[[], Any]) -> Any:
    """What something gives as soon as it gives anything."""
    end = time.monotonic() + SECONDS
    while not (value := found()):
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.02)
    return value


def messages(socket: ClientConnection) -> Iterator[str]:
    """What comes over a socket until it is closed."""
    with suppress(ConnectionClosed):
        while True:
            yield str(socket.recv(SECONDS, decode=True))


def lines(folder: Path) -> list[str]:
    ledger = folder / "ledger.txt"
    return ledger.read_text(encoding="utf-8").split() if ledger.exists() else []


def test_a_server_that_runs_no_steps_says_who_does(tmp_path: Path) -> None:
    """A workflow that stays where it is has a reason that was told; a server with a worker says nothing of the kind."""
    with serving(tmp_path, "alone", "--no-worker") as (alone, _):
        until(lambda: "steps are run by `ruvon worker` on the same database; this process runs none" in alone.said())
    with serving(tmp_path, "whole") as (whole, _):
        until(lambda: "/docs" in whole.said())
    assert "steps are run by" not in whole.said()


def test_a_workflow_survives_the_death_of_its_server(tmp_path: Path) -> None:
    """Started over HTTP, killed in the second step, it is finished by the next server; no committed step runs again."""
    with serving(tmp_path, "first") as (process, client):
        answer = client.post("/api/v1/workflows", json={"workflow_type": "Served", "data": {"number": "7"}})
        path = answer.headers["Location"]
        until(lambda: "stay" in lines(tmp_path))
        process.kill()
    (tmp_path / "go").touch()

    with serving(tmp_path, "second") as (_, client):
        found = until(lambda: now if (now := client.get(path).json())["result"] else None)

    assert (found["status"], found["result"]) == ("COMPLETED", "served 7")
    assert lines(tmp_path) == ["begin", "stay", "stay", "finish"]


def test_a_server_that_is_asked_to_end_lets_a_step_finish(tmp_path: Path) -> None:
    """SIGTERM with a request under way: the step ends within the grace, the request is answered, the status is 0."""
    with serving(tmp_path, "only", "--grace", "30") as (process, client):
        path = client.post("/api/v1/workflows", json={"workflow_type": "Served"}).headers["Location"]
        until(lambda: "stay" in lines(tmp_path))
        process.child.terminate()
        (tmp_path / "go").touch()
        assert process.child.wait(SECONDS) == 0

    with serving(tmp_path, "again") as (_, client):
        found = client.get(path).json()

    assert found["status"] in {"COMPLETED", "ACTIVE"}
    assert lines(tmp_path)[:2] == ["begin", "stay"]
    assert lines(tmp_path).count("stay") == 1


def test_a_port_that_is_taken_is_told_in_a_sentence(tmp_path: Path) -> None:
    """The second server on a port ends with the exit code 2 and no traceback."""
    with serving(tmp_path, "first") as (_, client):
        port = str(client.base_url.port)
        command = [str(BIN / "ruvon"), "serve", "--db", str(tmp_path / "other.db"), "--port", port]
        other = Process(command, tmp_path / "other.log", "never", {})

        assert other.child.wait(SECONDS) == 2

    assert "nothing can listen on 127.0.0.1" in other.said()
    assert "Traceback" not in other.said()


def test_a_server_that_is_asked_to_end_ends_its_streams(tmp_path: Path) -> None:
    """SIGTERM with streams open: each is told that the server ends, none is cut off, the status is 0."""
    with serving(tmp_path, "only", "--grace", "30") as (process, client):
        address = f"ws://127.0.0.1:{client.base_url.port}/api/v1/events"
        with client.stream("GET", "/api/v1/events") as stream, connect(address) as socket:
            told = (line for line in stream.iter_lines() if line.startswith("event: "))
            assert next(told) == "event: opened"
            assert json.loads(socket.recv(SECONDS))["event"] == "opened"
            process.child.terminate()
            assert list(told) == ["event: end"]
            assert [json.loads(text)["event"] for text in messages(socket)] == ["end"]
        assert process.child.wait(SECONDS) == 0

    assert "Traceback" not in process.said()
