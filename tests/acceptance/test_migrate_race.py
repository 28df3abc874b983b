"""Instances are moved to a new definition by one process while another one answers and drives them."""

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.cli._provider import new_provider
from ruvon.models import WorkflowStatus
from ruvon.providers import InstanceFilter
from tests.acceptance.moved_flow import first, second
from tests.support import postgres

ROOT = Path(__file__).parents[2]
ORDERS = 60
OLD, NEW = ["charge", "ship"], ["charge", "ship", "thank"]


def process(what: str, database: str) -> subprocess.Popen[str]:
    """One process of the race."""
    command = [sys.executable, "-m", "tests.acceptance.moved_flow", what, database, str(ORDERS)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def race(database: str, *names: str) -> list[str]:
    """Begin several processes at one moment; what each says at its end."""
    racers = [process(name, database) for name in names]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdin is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    said = [racer.communicate(timeout=120)[0] for racer in racers]
    assert [racer.returncode for racer in racers] == [0] * len(names)
    return said


async def ended(database: str) -> Sequence[tuple[WorkflowStatus, str, object, list[str]]]:
    """Status, version, result and steps of every order, after the answers that nobody has taken yet were taken."""
    builder = WorkflowBuilder(
        persistence_provider=new_provider(database, migrate=False), plugins=False, import_roots=["tests"]
    )
    await builder.initialize()
    builder.register(first, second)
    try:
        rows = await builder.persistence.find_instances(InstanceFilter(workflow_type="Moved"), limit=2 * ORDERS)
        found: list[tuple[WorkflowStatus, str, object, list[str]]] = []
        for row in rows:
            item = await builder.load_workflow(row.workflow_id)
            found.append((item.status, item.workflow_version, item.result, item.state.done))
        return found
    finally:
        await builder.close()


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=postgres.needs_postgres)])
def test_whoever_comes_first_decides_the_version(tmp_path: Path, kind: str) -> None:
    """Every order ends by the definition it has at that moment; none is lost, none runs a step twice or half of each."""
    database = str(tmp_path / "shop.db") if kind == "sqlite" else postgres.emptied()
    beginner = process("begin", database)
    beginner.communicate(timeout=120)
    assert beginner.returncode == 0

    said = race(database, "move", "answer")

    moved, refused = map(int, said[0].split())
    orders = asyncio.run(ended(database))
    assert moved + refused == ORDERS == len(orders)
    assert all(status is WorkflowStatus.COMPLETED for status, *_ in orders)
    assert {(version, result, tuple(done)) for _, version, result, done in orders} <= {
        ("1", "first", tuple(OLD)),
        ("2", "second", tuple(NEW)),
    }
    assert sum(version == "2" for _, version, _, _ in orders) == moved
