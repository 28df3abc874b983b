"""worker, workers, tasks, scan-zombies."""

import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.providers import TaskFilter, WorkerRecord
from tests.cli.conftest import RUVON, Command, Done

FLOW = Path(__file__).parent / "flows" / "cli_queued.py"
ROOTS = ("--import-root", str(FLOW.parent), "--workflows", str(FLOW))


@pytest.fixture(autouse=True)
def _queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUVON_EXECUTION", "queue")


def on_store(work: Callable[[SQLitePersistenceProvider], Any]) -> Any:
    """Do something with the database of the working folder."""

    async def whole() -> Any:
        store = SQLitePersistenceProvider("ruvon.db")
        await store.initialize()
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(whole())


def kill_workers(times: int) -> str:
    """Let workers die over the only task, until it is a dead letter after two deaths; its id."""

    async def work(store: SQLitePersistenceProvider) -> str:
        for _ in range(times):
            (task,) = await store.claim_tasks("dead-host", lease_us=1, now_us=2**60, queues=["net"])
            await store.reap_tasks(2**61, crash_budget=2)
        return task.task_id

    return str(on_store(work))


def begun(ruvon: Command) -> str:
    """A run that waits for a worker at its queued step; its id."""
    ruvon("start", str(FLOW), "-d", '{"n": 4}', "--auto", *ROOTS)
    return str(ruvon("list", "--json").json[0]["workflow_id"])


def test_a_started_run_is_a_workers_from_the_beginning(ruvon: Command) -> None:
    """With the setting `execution: queue`, `start` leaves a task that wakes a worker."""
    done = ruvon("start", str(FLOW), "-d", '{"n": 4}', *ROOTS)

    assert done.code == 0
    assert "a worker of the queue `default` runs it; see: ruvon logs " in done.out
    assert "ruvon resume" not in done.out
    (task,) = ruvon("tasks", "list", "--json").json
    assert (task["kind"], task["status"], task["queue"]) == ("wake", "pending", "default")


def test_a_run_stops_at_its_queued_step(ruvon: Command) -> None:
    """Whoever drives comes as far as the queue."""
    run = begun(ruvon)

    assert ruvon("show", run, "--json").json["status"] == "PENDING_ASYNC"
    assert "a worker goes on: ruvon worker --queue net" in ruvon("show", run, *ROOTS).out
    (task,) = ruvon("tasks", "list", "--queue", "net", "--json").json
    assert (task["workflow_id"], task["step"], task["kind"]) == (run, "fetch", "step")
    assert ruvon("tasks", "list", "--workflow-id", run[:8], "--json").json == [task]
    assert ruvon("tasks", "list", "--dead", "--json").json == []
    shown = ruvon("tasks", "show", task["task_id"], "--json").json
    assert (shown["step"], shown["lease_until"], shown["crashes"]) == ("fetch", None, 0)
    assert len(shown["digest"]) == 64
    assert "status          pending" in ruvon("tasks", "show", task["task_id"]).out


def test_a_worker_does_it_and_ends_on_a_signal(ruvon: Command, place: Path) -> None:
    """A real process: the run ends, the health file is gone, the worker is off the list, the exit code is 0."""
    run = begun(ruvon)
    health = place / "health.json"
    process = subprocess.Popen(
        [*RUVON, "worker", *ROOTS, "--queue", "net", "--health-file", str(health), "--worker-id", "w-1"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(os.environ["RUVON_IMPORT_ROOTS"].split(os.pathsep))},
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while ruvon("show", run, "--json").json["status"] != "COMPLETED":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    (told,) = ruvon("workers", "--json").json
    assert (told["worker_id"], told["queues"], told["pid"]) == ("w-1", ["net"], process.pid)
    assert told["silent_seconds"] < 60
    assert "silent seconds" in ruvon("workers").out
    assert "w-1" in ruvon("workers").out
    assert health.exists()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)

    assert (process.returncode, err.splitlines()[-1]) == (0, "stopped")
    assert ruvon("workers", "--json").json == []
    assert not health.exists()
    assert ruvon("tasks", "list", "--json").json == []


def test_a_dead_letter_is_looked_at_and_queued_again(ruvon: Command) -> None:
    """The run fails as FAILED_WORKER_CRASH; `requeue` retries it and forgets the letter."""
    run = begun(ruvon)
    task_id = kill_workers(2)
    ruvon("resume", run, *ROOTS)
    assert ruvon("show", run, "--json").json["status"] == "FAILED_WORKER_CRASH"
    (dead,) = ruvon("tasks", "list", "--dead", "--json").json
    assert (dead["task_id"], dead["crashes"]) == (task_id, 2)

    done = ruvon("tasks", "requeue", task_id, "--reason", "more memory", *ROOTS)

    assert (done.code, done.out.strip()) == (0, f"{run} is PENDING_ASYNC")
    (fresh,) = ruvon("tasks", "list", "--json").json
    assert (fresh["status"], fresh["crashes"]) == ("pending", 0)
    assert fresh["task_id"] != task_id


def test_a_dead_letter_is_forgotten(ruvon: Command) -> None:
    """The run stays as it is."""
    begun(ruvon)
    task_id = kill_workers(2)

    assert ruvon("tasks", "discard", task_id).code == 0
    assert ruvon("tasks", "list", "--json").json == []


def test_only_a_dead_letter_is_discarded(ruvon: Command) -> None:
    """A sentence that says what to do instead; an unknown id has the exit code of what is not found."""
    begun(ruvon)
    (task,) = ruvon("tasks", "list", "--json").json

    done = ruvon("tasks", "discard", task["task_id"])
    assert (done.code, "only a dead letter" in done.err, "cancel its run" in done.err) == (1, True, True)
    assert ruvon("tasks", "requeue", task["task_id"], *ROOTS).code == 1
    assert ruvon("tasks", "show", "nothing").code == 4


def test_zombies_are_found_and_mended(ruvon: Command) -> None:
    """Without --fix nothing is changed; with it the task is pending again."""
    begun(ruvon)

    async def claim(store: SQLitePersistenceProvider) -> None:
        await store.claim_tasks("dead-host", lease_us=0, now_us=2**60, queues=["net"])
        connection = store._connection
        assert connection is not None
        connection.execute("UPDATE tasks SET lease_us = 5 WHERE status = 'claimed'")

    on_store(claim)
    (found,) = ruvon("scan-zombies", *ROOTS, "--json").json
    assert (found["worker_id"], found["step"], found["outcome"]) == ("dead-host", "fetch", "found")
    (mended,) = ruvon("scan-zombies", "--fix", *ROOTS, "--json").json
    assert mended["outcome"] == "requeued"
    assert ruvon("scan-zombies", "--fix", *ROOTS).out == "no zombies\n"
    (task,) = ruvon("tasks", "list", "--json").json
    assert (task["status"], task["crashes"]) == ("pending", 1)


def told(done: Done) -> list[tuple[str, ...]]:
    """What the observer `logging` was told of statuses and ends."""
    lines = [json.loads(line) for line in done.err.splitlines() if line.startswith("{")]
    wanted = {"status_changed": ("old", "new"), "workflow_failed": ("error",)}
    return [
        (line["event"], *(line[name] for name in wanted[line["event"]]))
        for line in lines
        if line.get("event") in wanted
    ]


def test_the_end_that_a_scan_brings_is_told(ruvon: Command, shell: Command) -> None:
    """`scan-zombies --fix` over a used-up crash budget tells the observers of the settings of the failure; a look does not."""
    begun(ruvon)

    async def die_for_the_last_time(store: SQLitePersistenceProvider) -> None:
        await store.claim_tasks("dead-host", lease_us=0, now_us=2**60, queues=["net"])
        connection = store._connection
        assert connection is not None
        connection.execute("UPDATE tasks SET lease_us = 5, crashes = 4 WHERE status = 'claimed'")

    on_store(die_for_the_last_time)
    looked = shell("scan-zombies", *ROOTS, RUVON_OBSERVERS="logging")
    mended = shell("scan-zombies", "--fix", "--json", *ROOTS, RUVON_OBSERVERS="logging")

    assert told(looked) == []
    assert mended.json[0]["outcome"] == "dead"
    changed, failed = told(mended)
    assert changed == ("status_changed", "PENDING_ASYNC", "FAILED_WORKER_CRASH")
    assert failed[0] == "workflow_failed"
    assert failed[1].startswith("WorkerCrashError: ")


def test_a_dead_letter_that_is_queued_again_is_told(ruvon: Command, shell: Command) -> None:
    """The observers of the settings hear that the run goes on."""
    run = begun(ruvon)
    task_id = kill_workers(2)
    ruvon("resume", run, *ROOTS)

    done = shell("tasks", "requeue", task_id, *ROOTS, RUVON_OBSERVERS="logging")

    changes = [line[1:] for line in told(done)]
    assert (changes[0][0], changes[-1][-1]) == ("FAILED_WORKER_CRASH", "PENDING_ASYNC"), done.text


def test_mistakes_are_named(ruvon: Command, place: Path) -> None:
    """A health file nowhere, a queue without a name, an execution that does not exist."""
    done = ruvon("worker", "--health-file", str(place / "no" / "file"), *ROOTS)
    assert (done.code, "there is no folder" in done.err) == (2, True)
    done = ruvon("worker", "--queue", "", *ROOTS)
    assert (done.code, "--queue is empty" in done.err) == (2, True)
    done = ruvon("start", str(FLOW), "-d", '{"n": 4}', "--execution", "postgres", *ROOTS)
    assert (done.code, "and the store is a SQLitePersistenceProvider" in done.err) == (1, True)
    assert ruvon("config", "set-execution", "celery-ish").code == 2


def test_workers_are_listed(ruvon: Command) -> None:
    """What they serve and when they were seen last."""

    async def tell(store: SQLitePersistenceProvider) -> None:
        await store.put_worker(WorkerRecord("w", "host", 7, (), 4, 10, 20, ("t",), draining=True))
        assert await store.find_tasks(TaskFilter()) == []

    on_store(tell)
    (found,) = ruvon("workers", "--json").json
    assert found.pop("silent_seconds") > 0
    assert [found] == [
        {
            "worker_id": "w",
            "host": "host",
            "pid": 7,
            "queues": [],
            "concurrency": 4,
            "running": 1,
            "draining": True,
            "started": "1970-01-01T00:00:00.000Z",
            "seen": "1970-01-01T00:00:00.000Z",
            "looks_dead_since": None,
        }
    ]


def test_one_that_is_silent_for_longer_than_its_lease_looks_dead(ruvon: Command) -> None:
    """Since its lease ran out; one that lives, or whose lease nobody knows, does not."""

    async def tell(store: SQLitePersistenceProvider) -> None:
        now_us = time.time_ns() // 1_000
        await store.put_worker(WorkerRecord("dead", seen_us=1_000_000, lease_us=30_000_000))
        await store.put_worker(WorkerRecord("living", seen_us=now_us, lease_us=3_600_000_000))
        await store.put_worker(WorkerRecord("older", seen_us=1_000_000))

    on_store(tell)
    found = {row["worker_id"]: row["looks_dead_since"] for row in ruvon("workers", "--json").json}
    heading, *lines = ruvon("workers").out.splitlines()

    assert found == {"dead": "1970-01-01T00:00:31.000Z", "living": None, "older": None}
    assert heading.endswith("looks dead since")
    assert [line.split()[-1] for line in lines] == ["1970-01-01T00:00:31.000Z", "-", "-"]
