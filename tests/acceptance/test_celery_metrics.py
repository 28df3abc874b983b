"""Prometheus over the processes of a Celery pool: one endpoint tells of all of them."""

import asyncio
import re
import secrets
import socket
from collections import Counter
from pathlib import Path
from urllib.request import urlopen

import pytest

from ruvon.implementations.execution.celery import CeleryExecutionProvider
from ruvon.testing.contracts._execution import builder_with, ended
from tests.support.brokers import redis_broker
from tests.support.postgres import database, emptied, needs_postgres, store
from tests.support.processes import celery_worker

pytestmark = needs_postgres

RUNS = 12
TURNS = 5


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@pytest.mark.parametrize("pool", [("prefork", "2"), ("threads", "4")], ids=["prefork", "threads"])
def test_one_endpoint_tells_of_all_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pool: tuple[str, str]
) -> None:
    """Two processes run the steps, the main process serves the sum; with threads it is one process, all the same."""
    emptied()
    port, namespace = free_port(), f"ruvon-test-{secrets.token_hex(4)}"
    monkeypatch.setenv("RUVON_OBSERVERS", "prometheus")
    monkeypatch.setenv("RUVON_METRICS_PORT", str(port))
    monkeypatch.setenv("RUVON_CELERY_BATCH", "1")  # a message, a task: none takes those of the others along
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    ledger = tmp_path / "ledger.txt"
    ledger.touch()
    kind, size = pool
    with celery_worker(tmp_path, database(), redis_broker(), namespace, "-P", kind, "-c", size) as (worker,):
        asyncio.run(_run(namespace, ledger))
        text = _scraped(port)
        said = worker.said()

    processes = Counter(line.split()[1] for line in ledger.read_text(encoding="utf-8").splitlines())
    assert len(processes) == (2 if kind == "prefork" else 1), "every process of the pool has run steps"
    assert _value(text, "ruvon_step_duration_seconds_count") == RUNS * TURNS
    assert _value(text, "ruvon_workflows_completed_total") == RUNS
    assert "not served" not in said
    assert not list(tmp_path.glob("ruvon-metrics-*")), "the folder of the numbers goes with the worker"


async def _run(namespace: str, ledger: Path) -> None:
    execution = CeleryExecutionProvider(redis_broker(), namespace=namespace)
    async with asyncio.timeout(120), builder_with(execution, persistence_provider=store()) as builder:
        runs = [await builder.create_workflow("ExecutionEffects", {"ledger": str(ledger)}) for _ in range(RUNS)]
        for run in runs:
            await run.run()
        for run in runs:
            await ended(run)


def _scraped(port: int) -> str:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        return str(answer.read().decode())


def _value(text: str, name: str) -> float:
    """The sum of a metric over its labels."""
    found = re.findall(rf"^{name}\{{[^}}]*\}} (\S+)$", text, re.MULTILINE)
    assert found, text
    return sum(map(float, found))
