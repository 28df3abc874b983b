"""Prometheus over several processes that share the folder of `prometheus_client`'s multiprocess mode."""

import os
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
BEGUN = """
import asyncio, sys
from ruvon.implementations.observability.configured import observers_from
from ruvon.providers import ObservedWorkflow

def source(status):
    none = {"parent_id": None, "metadata": {}, "secret_fields": frozenset(), "created_us": 0, "stored_us": 0, "at_us": 0}
    return ObservedWorkflow(workflow_id="w", workflow_type="Shop", workflow_version="1", status=status, **none)

made = observers_from("prometheus")[0]
"""
WORKS = """
asyncio.run(made.on_workflow_started("w", "Shop"))
asyncio.run(made.on_workflow_status_changed("w", "PAUSED", "ACTIVE", source=source("ACTIVE")))
print("ready", flush=True)
sys.stdin.read()
"""
SHOWS = """
print(made.expose())
"""


def process(folder: Path, code: str, port: str = "none") -> "subprocess.Popen[str]":
    """A process of the group."""
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder), "RUVON_METRICS_PORT": port}
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", BEGUN + code]
    return subprocess.Popen(command, cwd=ROOT, env=env, stdin=pipe, stdout=pipe, text=True)


def exposed(folder: Path) -> str:
    """What a process of the group that has counted nothing itself exposes."""
    with process(folder, SHOWS) as shows:
        return shows.communicate(timeout=60)[0]


def test_one_process_exposes_the_sums_of_all(tmp_path: Path) -> None:
    """Counters outlive their process; the gauge of what runs holds the processes that live."""
    works = [process(tmp_path, WORKS) for _ in range(2)]
    try:
        for one in works:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n"
        both = exposed(tmp_path)
        works[0].kill()
        works[0].wait(60)
        left = exposed(tmp_path)
    finally:
        for one in works:
            one.kill()
            one.communicate()

    assert 'ruvon_workflows_started_total{workflow_type="Shop"} 2.0' in both
    assert 'ruvon_workflows_active{workflow_type="Shop"} 2.0' in both
    assert 'ruvon_workflows_started_total{workflow_type="Shop"} 2.0' in left
    assert 'ruvon_workflows_active{workflow_type="Shop"} 1.0' in left


def test_a_taken_port_is_the_groups(tmp_path: Path) -> None:
    """Whoever of the group has the port serves all, so the others only count."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with process(tmp_path, "print(made.serves)", port) as second:
            assert second.communicate(timeout=60)[0] == "None\n"
