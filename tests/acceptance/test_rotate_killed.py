"""`ruvon db rotate-key` over a database that other processes write into, killed at random moments and run again."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ruvon.implementations.encryption import EncryptedPersistence, KeyRing, new_key
from ruvon.providers import InstanceFilter
from tests.acceptance.encrypted_flow import new_store
from tests.support import postgres

ROOT = Path(__file__).parents[2]
CANARY = "canary4711"
KILLS = 3
SECONDS = 120


def environment(*keys: str) -> dict[str, str]:
    """The variables of a process; the first key writes."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "RUVON_ENCRYPTION_KEY": ",".join(keys)}


def rotation(database: str, *keys: str) -> "subprocess.Popen[str]":
    """A rotation under way, in batches small enough to be killed between."""
    command = [sys.executable, "-c", "from ruvon.cli import main; main()", "db", "rotate-key", "--json"]
    return subprocess.Popen(
        [*command, "--batch", "3", "--db", database],
        env=environment(*keys),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def finished(database: str, *keys: str) -> Any:
    """The report of a rotation that is left alone."""
    process = rotation(database, *keys)
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err + out
    return json.loads(out)


def driver(database: str, stop: Path, *keys: str) -> "subprocess.Popen[str]":
    """A process that runs workflows; it has run one when this returns."""
    made = subprocess.Popen(
        [sys.executable, "-m", "tests.acceptance.encrypted_flow", database, str(stop)],
        env=environment(*keys),
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert made.stdout is not None
    assert made.stdout.readline().strip() == "1"
    return made


def ended(process: "subprocess.Popen[str]", stop: Path) -> int:
    """How many workflows a driver has run, after it was told to stop."""
    stop.touch()
    out, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, out
    return int(out.split()[-1]) if out.split() else 1


async def states(database: str, key: str) -> list[tuple[str, bytes | None]]:
    """Status and result of every run, opened with one key alone, with its whole history."""
    store = EncryptedPersistence(new_store(database), KeyRing([key]))
    await store.initialize()
    found: list[tuple[str, bytes | None]] = []
    after = None
    while page := await store.find_instances(InstanceFilter(), limit=200, after=after):
        for row in page:
            record = await store.load_instance(row.workflow_id)
            assert len(await store.read_log(record.workflow_id)) == record.last_seq
            found.append((record.status, record.result))
        after = (page[-1].created_us, page[-1].key)
    await store.close()
    return found


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=postgres.needs_postgres)])
def test_killed_rotations_under_load_lose_nothing(kind: str, tmp_path: Path) -> None:
    """Workers on the old key first, then on the new one; rotations are killed; in the end the new key alone opens all."""
    database = postgres.emptied() if kind == "postgres" else str(tmp_path / "runs.db")
    old, new = new_key("old"), new_key("new")
    chance = random.Random(4711)
    first = driver(database, tmp_path / "stop1", old, new)
    kills = 0
    for _ in range(KILLS):
        process = rotation(database, new, old)
        time.sleep(chance.uniform(0.6, 2.0))  # wherever it is
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.communicate(timeout=SECONDS)
    runs = ended(first, tmp_path / "stop1")
    second = driver(database, tmp_path / "stop2", new, old)
    report = finished(database, new, old)
    runs += ended(second, tmp_path / "stop2")
    assert kills
    assert (report["left"], report["unreadable"]) == (0, 0)
    assert finished(database, new)["to_change"] == 0
    found = asyncio.run(states(database, new))
    assert found == [("COMPLETED", b"30")] * runs
    if kind == "sqlite":
        text = b"".join(path.read_bytes() for path in tmp_path.glob("runs.db*"))
        assert CANARY.encode() not in text
