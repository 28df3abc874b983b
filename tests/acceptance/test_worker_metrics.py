"""`ruvon metrics` over a cluster: runs that nobody but workers has driven, on a file and on servers."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.places import ROOT, Place, places
from tests.support.workers import until

RUNS = 3


@pytest.fixture(params=["sqlite", "postgres", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> "Iterator[Place]":
    """A store of each kind that processes share."""
    with places(request.param, tmp_path) as made:
        yield made


def test_the_steps_of_workers_are_counted_and_timed(place: Place) -> None:
    """One worker process drives everything: each step shows how often it ran, and times no shorter than its body's."""

    async def scenario() -> None:
        builder = place.builder()
        await builder.initialize()
        place.work()
        for workflow in [await builder.create_workflow("Killed", {}, background=True) for _ in range(RUNS)]:
            await until(workflow, seconds=90)
        await builder.close()

    asyncio.run(scenario())
    rows = {row["step"]: row for row in metrics(place)}
    assert {row["workflow_type"] for row in rows.values()} == {"Killed"}
    assert {step: row["completed"] for step, row in rows.items() if step in {None, "square", "here"}} == {
        None: RUNS,
        "square": 4 * RUNS,
        "here": RUNS,
    }
    assert all(row["started"] == row["completed"] and row["failed"] == 0 for row in rows.values())
    assert rows["square"]["p95_s"] >= rows["square"]["p50_s"] >= 0.05
    assert rows["branch"]["p50_s"] >= 0.1


def metrics(place: Place) -> Any:
    """What the command prints, as a process of its own that knows no code of the workflows."""
    command = [sys.executable, "-c", "from ruvon.cli import main; main()", "metrics", "--steps", "--json"]
    done = subprocess.run([*command, "--db", place.url], cwd=ROOT, capture_output=True, check=True, timeout=60)
    return json.loads(done.stdout)
