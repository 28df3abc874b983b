"""Metrics: counted by type and step, bounded in their labels, readable as text and over HTTP."""

import asyncio
import builtins
from collections.abc import Callable
from typing import Any
from urllib.request import urlopen

import pytest

from ruvon.implementations.observability.prometheus import PrometheusObserver
from ruvon.providers import MissingExtraError


def values(observer: PrometheusObserver) -> dict[str, float]:
    """The samples of an exposition, without comments, buckets and moments of creation."""
    lines = (line for line in observer.expose().splitlines() if line[0] != "#" and "_created" not in line)
    pairs = (line.rsplit(" ", 1) for line in lines if "_bucket" not in line)
    return {name: float(value) for name, value in pairs}


def test_a_run_is_counted(played: Callable[..., Any]) -> None:
    """Starts, ends, times, waits, failures, retries."""
    observer = PrometheusObserver()
    played(observer)
    found = values(observer)
    assert found['ruvon_workflows_started_total{workflow_type="Traced"}'] == 1
    assert found['ruvon_workflows_started_total{workflow_type="TracedBelow"}'] == 1
    assert found['ruvon_workflows_completed_total{workflow_type="Traced"}'] == 1
    assert found['ruvon_workflow_duration_seconds_sum{workflow_type="Traced"}'] >= 3600
    assert found['ruvon_workflow_waits_total{reason="WAITING_HUMAN",workflow_type="Traced"}'] == 1
    assert found['ruvon_step_duration_seconds_count{step="insist",workflow_type="TracedBelow"}'] == 1
    assert found['ruvon_step_failures_total{step="insist",workflow_type="TracedBelow"}'] == 1
    assert found['ruvon_step_retries_total{step="insist",workflow_type="TracedBelow"}'] == 1
    assert found['ruvon_workflows_active{workflow_type="Traced"}'] == 0


def test_a_rollback_is_counted(played: Callable[..., Any]) -> None:
    """The failure with its final status, each compensation with its outcome."""
    observer = PrometheusObserver()
    played(observer, fails=True)
    found = values(observer)
    assert found['ruvon_workflows_failed_total{status="FAILED_ROLLED_BACK",workflow_type="Traced"}'] == 1
    assert found['ruvon_compensations_total{outcome="undone",step="charge",workflow_type="Traced"}'] == 1
    assert 'ruvon_workflows_completed_total{workflow_type="Traced"}' not in found


def test_labels_are_bounded() -> None:
    """Beyond the limit everything is `other`; there is never an id in a label."""

    async def work() -> PrometheusObserver:
        observer = PrometheusObserver(max_series=2)
        for number in range(50):
            await observer.on_workflow_started(f"id-{number}", f"Type{number}")
        return observer

    found = values(asyncio.run(work()))
    assert found == {
        'ruvon_workflows_started_total{workflow_type="Type0"}': 1,
        'ruvon_workflows_started_total{workflow_type="Type1"}': 1,
        'ruvon_workflows_started_total{workflow_type="other"}': 48,
    }


def test_metrics_are_served() -> None:
    """On a port of its own, until the observer is closed."""
    observer = PrometheusObserver()
    port = observer.start_http(0)
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        assert b"ruvon_workflows_started" in answer.read()
    asyncio.run(observer.close())
    with pytest.raises(OSError, match="refused"):
        urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the extra that brings it."""
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("prometheus_client"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"ruvon\[prometheus\]"):
        PrometheusObserver()
