"""What encryption at rest costs: the same steps on the same kind of store with it and without it, in the same run.

    python -m benchmarks encryption

Processor time, the better of several rounds that take turns, so that other work on the machine moves the ratio little.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.engine import chain
from benchmarks.table import Row, Table, show
from ruvon.builder import WorkflowBuilder
from ruvon.implementations.encryption import Box, EncryptedPersistence, KeyRing, Rotation, new_key
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider

ROUNDS = 5
WORKFLOWS = 16
KEY, NEXT = new_key("k1"), new_key("k2")


async def step_us(store: Any, steps: int) -> float:
    """Processor microseconds a step, of workflows that run at once."""
    builder = WorkflowBuilder(persistence_provider=store, plugins=False, import_roots=["benchmarks"])
    made = chain("touch", steps)
    builder.register(made)
    await builder.initialize()
    handles = [await builder.create_workflow(made.workflow_type, {}) for _ in range(WORKFLOWS)]
    begin = time.process_time()
    await asyncio.gather(*(handle.run() for handle in handles))
    took = time.process_time() - begin
    await builder.close()
    return took / (WORKFLOWS * steps) * 1e6


def in_turns(makers: dict[str, Callable[[], Any]], steps: int) -> dict[str, float]:
    """The best round of each, round by round in turns."""
    best = dict.fromkeys(makers, float("inf"))
    for _ in range(ROUNDS):
        for name, make in makers.items():
            best[name] = min(best[name], asyncio.run(step_us(make(), steps)))
    return best


async def rotation_us(path: Path, steps: int) -> tuple[float, float]:
    """Processor microseconds a value: encrypted for the first time, and from one key to the next."""
    store = SQLitePersistenceProvider(path)
    await step_us(store, steps)
    await store.initialize()
    took: list[float] = []
    for keys in ((KEY,), (NEXT, KEY)):
        begin = time.process_time()
        report = await Rotation(store, Box(KeyRing(keys)), batch=1000).run()
        took.append((time.process_time() - begin) / report.to_change * 1e6)
    await store.close()
    return took[0], took[1]


def seal_us(size: int) -> tuple[float, float]:
    """Processor microseconds of one envelope, and of AES-256-GCM with a fresh nonce alone."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    box, data, place = Box(KeyRing([KEY])), os.urandom(size), ("workflow_audit_log", "delta", "x" * 36, 7)
    bare = AESGCM(os.urandom(32))
    seal = _each(lambda: box.seal(data, place))
    return seal, _each(lambda: bare.encrypt(os.urandom(12), data, b"x" * 70))


def _each(work: Callable[[], object], times: int = 20_000) -> float:
    begin = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - begin) / times * 1e6


def main(argv: list[str] | None = None) -> Table:
    """Measure everything."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=60)
    steps = parser.parse_args(argv or []).steps
    with tempfile.TemporaryDirectory() as folder:
        numbers = iter(range(10_000))

        def file() -> SQLitePersistenceProvider:
            return SQLitePersistenceProvider(Path(folder) / f"{next(numbers)}.db", durability="NORMAL")

        found = in_turns(
            {
                "memory": MemoryPersistenceProvider,
                "memory encrypted": lambda: EncryptedPersistence(MemoryPersistenceProvider(), KeyRing([KEY])),
                "file": file,
                "file encrypted": lambda: EncryptedPersistence(file(), KeyRing([KEY])),
            },
            steps,
        )
        first, renewed = asyncio.run(rotation_us(Path(folder) / "rotated.db", steps))
    small, large = seal_us(200), seal_us(15_000)
    rows = [
        Row("a step in memory, encrypted", found["memory encrypted"], "us", "in plain", found["memory"]),
        Row("a step in a file, encrypted", found["file encrypted"], "us", "in plain", found["file"]),
        Row("an envelope of 200 bytes", small[0], "us", "AES-256-GCM alone", small[1]),
        Row("an envelope of 15,000 bytes", large[0], "us", "AES-256-GCM alone", large[1]),
        Row("rotation, a value of a file", renewed, "us", "encrypted for the first time", first),
    ]
    return show("encryption at rest", rows)


if __name__ == "__main__":
    main()
