"""The command line on Redis: whatever works with `--db FILE` works with `--db redis://...`."""

import asyncio
import json
import re
from collections.abc import Generator
from pathlib import Path

import pytest

from ruvon.implementations.persistence.redis import RedisPersistenceProvider
from tests.cli.conftest import FLOWS, Command, place, ruvon
from tests.support.redis import Server, client, private_server

__all__ = ["place", "ruvon"]


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    """A server of its own: the command line uses the default prefix."""
    folder = tmp_path_factory.mktemp("redis")
    with private_server(Path(folder), "--appendonly", "yes", "--appendfsync", "always") as far:
        yield far


@pytest.fixture(autouse=True)
def url(far: Server, place: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Its URL, in the setting; empty."""
    with client(far.url) as asked:
        asked.flushdb()
    monkeypatch.setenv("RUVON_DB_URL", far.url)
    return far.url


def started(ruvon: Command, workflow: str, data: object, *options: str) -> str:
    """Start a workflow of the test flows and give its id."""
    done = ruvon("start", str(FLOWS), "--workflow", workflow, "-d", json.dumps(data), "--json", *options)
    assert done.code in {0, 1}, done.text
    return str(done.json["workflow_id"])


def test_a_run_from_start_to_end(ruvon: Command) -> None:
    """Start, list, show, logs, and what is counted; found by the first letters of its id too."""
    run = started(ruvon, "Timer", {}, "--auto")

    assert [row["workflow_id"] for row in ruvon("list", "--json").json] == [run]
    assert ruvon("show", run[:18], "--json").json["status"] == "COMPLETED"
    assert "COMPLETED" in ruvon("show", run).out
    assert ruvon("logs", run).code == 0
    assert ruvon("metrics", "--json").code == 0
    assert ruvon("definitions", "list").code == 0
    assert ruvon("db", "stats", "--json").json["by_status"] == {"COMPLETED": 1}
    assert "COMPLETED" in ruvon("db", "stats").out
    assert ruvon("db", "validate").out.startswith("sound: 1 workflows")


def test_the_database_is_named_by_the_option(ruvon: Command, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--db URL`, without the setting."""
    monkeypatch.delenv("RUVON_DB_URL")
    started(ruvon, "Timer", {}, "--db", url)

    assert len(ruvon("list", "--json", "--db", url).json) == 1


def test_status_says_what_is_there(ruvon: Command, far: Server) -> None:
    """Address, layout, durability, memory, server; a lesser promise with its warning."""
    found = ruvon("db", "status", "--json").json
    text = ruvon("db", "status").out
    with client(far.url) as asked:
        asked.config_set("appendfsync", "everysec")
        lesser = ruvon("db", "status")
        asked.config_set("appendfsync", "always")

    assert (found["schema_version"], found["current_schema_version"], found["durability"]) == ("1", "1", "FULL")
    assert found["reached"] == "fsync"
    assert re.search(r"^database +redis://127", text, re.MULTILINE)
    assert re.search(r"^kept by +appendonly yes, appendfsync always", text, re.MULTILINE)
    assert "FULL: what is committed survives a power cut" in text
    assert "warning" not in text
    assert found["waits_for_disk"] or "warning: appendfsync is everysec" in lesser.out


def test_damage_is_found(ruvon: Command, url: str) -> None:
    """A log entry that is missing ends `db validate` with the code for databases."""
    run = started(ruvon, "Timer", {}, "--auto")
    with client(url) as asked:
        (log,) = list(asked.scan_iter(match="{ruvon}:l:*"))
        asked.xdel(log, "1-0")
    done = ruvon("db", "validate")

    assert done.code == 3
    assert run in done.out


def test_there_is_nothing_to_migrate(ruvon: Command) -> None:
    """Commands about tables say so; all are harmless twice."""
    dry = ruvon("db", "migrate", "--dry-run")
    made = ruvon("db", "init", "--json").json
    kept = ruvon("db", "init", "--json").json

    assert dry.out.startswith("nothing to do")
    assert (made["created"], kept["created"]) == (True, False)
    assert "up to date, schema version 1" in ruvon("db", "migrate").out


def test_a_dead_letter_is_queued_again_and_forgotten(ruvon: Command, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """S3-033: `tasks`, `requeue`, `discard`, `scan-zombies` and `workers` on what workers have died over."""
    monkeypatch.setenv("RUVON_EXECUTION", "queue")
    flow = FLOWS.parent / "cli_queued.py"
    roots = ("--import-root", str(flow.parent), "--workflows", str(flow))
    ruvon("start", str(flow), "-d", '{"n": 4}', "--auto", *roots)
    (run,) = (row["workflow_id"] for row in ruvon("list", "--json").json)
    task_id = asyncio.run(died_over(url))
    assert ruvon("resume", run, *roots).code == 1
    assert ruvon("show", run, "--json").json["status"] == "FAILED_WORKER_CRASH"
    (dead,) = ruvon("tasks", "list", "--dead", "--json").json

    done = ruvon("tasks", "requeue", task_id, "--reason", "more memory", *roots)
    (fresh,) = ruvon("tasks", "list", "--json").json
    again = asyncio.run(died_over(url))

    assert (dead["task_id"], dead["crashes"]) == (task_id, 2)
    assert (done.code, done.out.strip()) == (0, f"{run} is PENDING_ASYNC")
    assert (fresh["task_id"], fresh["status"], fresh["crashes"]) == (again, "pending", 0)
    assert ruvon("tasks", "discard", again).code == 0
    assert ruvon("tasks", "list", "--json").json == []
    assert ruvon("scan-zombies", *roots).text == "no zombies\n"
    assert ruvon("workers", "--json").json == []


async def died_over(url: str) -> str:
    """Let workers die over the only task of the queue, until it is a dead letter after two deaths; its id."""
    store = RedisPersistenceProvider(url)
    await store.initialize()
    for _ in range(2):
        (task,) = await store.claim_tasks("dead-host", lease_us=1, now_us=2**52, queues=["net"])
        await store.reap_tasks(2**52 + 1, crash_budget=2)
    await store.close()
    return task.task_id


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("redis://ann:s3cret@127.0.0.1:1/0", "it cannot be reached"),
        ("redis://ann:s3cret@127.0.0.1:1/shop", "a database of Redis is a number"),
        ("mysql://localhost/shop", "or Redis"),
    ],
)
def test_a_database_that_cannot_be_used_is_a_sentence(ruvon: Command, name: str, says: str) -> None:
    """With the address, without the password."""
    done = ruvon("list", "--db", name)

    assert done.code != 0
    assert says in done.err
    assert "s3cret" not in done.text
    assert "Traceback" not in done.text
