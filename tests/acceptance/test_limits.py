"""Limits of a queue with real processes on every store that several processes share, one of them killed with its slots."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ruvon.providers import QueueLimits, TaskFilter
from ruvon.testing.contracts._queue import blank, queued
from tests.acceptance.claimer import LIMIT, PER_KEY, TASKS, opened
from tests.support import postgres, redis

ROOT = Path(__file__).parents[2]
SECONDS = 120


def place(kind: str, folder: Path) -> str:
    """An empty store of this kind."""
    if kind == "sqlite":
        return str(folder / "tasks.db")
    return postgres.emptied() if kind == "postgres" else f"{redis.emptied()}|{redis.prefix()}"


def start(kind: str, where: str, name: str, log: Path, *options: str) -> "subprocess.Popen[str]":
    """A claimer."""
    command = [sys.executable, "-m", "tests.acceptance.claimer", kind, where, name, str(log), *options]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def lines(log: Path) -> list[list[str]]:
    """What the claimers have written down."""
    return [line.split() for line in log.read_text().splitlines()] if log.exists() else []


def until(log: Path, count: int, *children: "subprocess.Popen[str]") -> None:
    """Until so much has been written down."""
    deadline = time.monotonic() + SECONDS
    while len(lines(log)) < count:
        assert time.monotonic() < deadline, lines(log)
        assert any(child.poll() is None for child in children), [child.communicate() for child in children]
        time.sleep(0.02)


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=postgres.needs_postgres), "redis"])
def test_processes_never_run_more_than_the_limits_say(tmp_path: Path, kind: str) -> None:
    """Four processes, one of which dies over the slots that it has: they are free when it is reaped, and not before."""
    where, log = place(kind, tmp_path), tmp_path / "log"

    async def on_store(work: Any) -> Any:
        store = opened(kind, where)
        await store.initialize()
        try:
            return await work(store)
        finally:
            await store.close()

    async def fill(store: Any) -> None:
        await store.put_limits(QueueLimits(queue="q", concurrency=LIMIT, per_key=PER_KEY))
        keys = ["a", "b", "c", None]
        tasks = [
            blank(f"t{number}", queue="q", available_us=number, concurrency_key=keys[number % 4])
            for number in range(TASKS)
        ]
        await queued(store, *tasks)

    async def bury(store: Any) -> list[str]:
        """What the dead process still has is written down as ended, and taken from it."""
        dead = await store.find_tasks(TaskFilter(worker_id="dead", statuses=("claimed",)))
        with log.open("a") as file:
            file.writelines(f"- dead {task.task_id} {task.concurrency_key}\n" for task in dead)
        reaped = await store.reap_tasks(time.time_ns() // 1000)
        return [task.task_id for task in reaped]

    asyncio.run(on_store(fill))
    doomed = start(kind, where, "dead", log, "held")
    until(log, PER_KEY, doomed)
    others = [start(kind, where, f"w{number}", log) for number in range(3)]
    until(log, 40, *others)
    os.kill(doomed.pid, signal.SIGKILL)
    doomed.communicate()
    assert len(asyncio.run(on_store(bury))) == PER_KEY
    for child in others:
        _, err = child.communicate(timeout=SECONDS)
        assert child.returncode == 0, err

    running: Counter[str] = Counter()
    for sign, _, _, key in lines(log):
        for name in ("all", key):
            running[name] += 1 if sign == "+" else -1
        assert running["all"] <= LIMIT
        assert all(running[name] <= PER_KEY for name in ("a", "b", "c"))
    done = [line[2] for line in lines(log) if line[0] == "-" and line[1] != "dead"]
    assert sorted(done) == sorted(f"t{number}" for number in range(TASKS))
