"""The setting `observers`: commands that drive workflows tell those that it names."""

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import RUVON, Command

TRACED = "tests.support.tracing_flows:traced"


def _spans(out: str) -> list[dict[str, Any]]:
    """The spans that the console exporter has printed among other things."""
    decoder, found, place = json.JSONDecoder(), [], 0
    while (place := out.find('{\n    "name"', place)) >= 0:
        span, place = decoder.raw_decode(out, place)
        found.append(span)
    return found


def test_a_trace_goes_through_the_processes_of_a_workflow(shell: Command) -> None:
    """One command runs to the person, another one answers: one trace, whose root the second process exports."""
    env = {"RUVON_OBSERVERS": "otel", "OTEL_TRACES_EXPORTER": "console"}
    begun = shell("run", TRACED, "--db", "runs.db", **env)
    listed = shell("list", "--db", "runs.db", "--type", "Traced", "--json").json
    rows = listed["workflows"] if isinstance(listed, dict) else listed
    key = next(iter(row.get("workflow_id") or row.get("id") for row in rows))
    ended = shell("resume", key, "-i", '{"yes": true}', "--auto", "--db", "runs.db", **env)

    before, after = _spans(begun.out), _spans(ended.out)
    assert {item["name"] for item in before} >= {"step.charge", "step.insist", "workflow.TracedBelow"}, begun.text
    assert {item["name"] for item in after} >= {"wait.human", "step.finish", "workflow.Traced"}, ended.text
    root = next(item for item in after if item["name"] == "workflow.Traced")
    assert {item["context"]["trace_id"] for item in (*before, *after)} == {root["context"]["trace_id"]}
    charge = next(item for item in before if item["name"] == "step.charge")
    assert charge["parent_id"] == root["context"]["span_id"]


def test_logs_go_to_standard_error(shell: Command) -> None:
    """As JSON lines, those of steps with their ids; the output of the command stays what it was."""
    done = shell("run", TRACED, "--db", "runs.db", RUVON_OBSERVERS="logging")
    lines = [json.loads(line) for line in done.err.splitlines() if line.startswith("{")]
    charging = next(line for line in lines if line["message"] == "charging")
    assert (charging["step"], charging["attempt"], charging["workflow_type"]) == ("charge", 1, "Traced")
    assert "step_executed" in {line.get("event") for line in lines}
    assert '"event"' not in done.out


def test_a_taken_port_stops_no_workflow(ruvon: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said, and the other observers are told all the same."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("RUVON_OBSERVERS", "prometheus,noop")
        monkeypatch.setenv("RUVON_METRICS_PORT", str(taken.getsockname()[1]))
        done = ruvon("run", TRACED, "--db", "runs.db")
    assert done.code == 0, done.text
    assert "the metrics of this command are not served" in done.err


def test_a_worker_tells_the_observers_too(ruvon: Command, place: Path) -> None:
    """A real process: what a worker drives is told as what a command drives is."""
    ruvon("start", TRACED, "--db", "runs.db", "--execution", "queue")
    environment = {
        **os.environ,
        "PYTHONPATH": os.environ["RUVON_IMPORT_ROOTS"],
        "RUVON_OBSERVERS": "logging",
    }
    with (place / "worker.log").open("w") as log:
        process = subprocess.Popen([*RUVON, "worker", "--db", "runs.db"], env=environment, stderr=log)
        deadline = time.monotonic() + 60
        while ruvon("list", "--db", "runs.db", "--json", "--type", "Traced").json[0]["status"] != "WAITING_HUMAN":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0

    lines = [json.loads(line) for line in (place / "worker.log").read_text().splitlines() if line.startswith("{")]
    assert "step_executed" in {line.get("event") for line in lines}


def test_a_worker_refuses_an_observer_that_is_not_there(ruvon: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so and ends, rather than working unobserved."""
    monkeypatch.setenv("RUVON_OBSERVERS", "jaeger")
    done = ruvon("worker", "--db", "runs.db")

    assert (done.code, "there is no `jaeger`" in done.err) == (2, True)


def test_a_wrong_name_is_told_in_a_sentence(ruvon: Command) -> None:
    """Before anything runs; commands that drive nothing do not look."""
    ruvon("config", "set-default", "observers", "logging,jaeger")
    done = ruvon("run", TRACED, "--db", "runs.db")
    assert done.code == 2
    assert "there is no `jaeger`; known: logging, noop, otel, prometheus, redis" in done.text
    ruvon("db", "init", "--db", "runs.db")
    assert ruvon("list", "--db", "runs.db").code == 0
