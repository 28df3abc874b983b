"""What a large state costs on the disk.

    python -m benchmarks footprint

A state of 1 MB goes through 1,000 steps, each of which changes one page of 1 KB in one of three ways. Counted is what the
engine hands to the store (deltas and full states), beside the sum of the changes plus one full state for each 64 steps.
"""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from benchmarks.table import Row, Table, show
from ruvon import step, workflow
from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.providers import Transition

PAGE = 1_000
PAGES = 1_000
STEPS = 1_000


class Book(BaseModel):
    """A megabyte in one field."""

    pages: dict[str, str] = {}
    lines: list[str] = []
    turn: int = 0


@step
def rewrite(state: Book) -> None:
    """Change one page in place."""
    state.pages[f"p{state.turn * 7 % PAGES}"] = f"{state.turn:04}" * (PAGE // 4)
    state.turn += 1


@step
def append(state: Book) -> None:
    """Add one page at the end."""
    state.lines.append(f"{state.turn:04}" * (PAGE // 4))
    state.turn += 1


@step
def count(state: Book) -> None:
    """Change a number beside the megabyte."""
    state.turn += 1


@workflow("Rewriting", version="1")
async def rewriting(state: Book) -> None:
    """A page at a time."""
    for _ in range(STEPS):
        await rewrite(state)


@workflow("Appending", version="1")
async def appending(state: Book) -> None:
    """A line at a time."""
    for _ in range(STEPS):
        await append(state)


@workflow("Counting", version="1")
async def counting(state: Book) -> None:
    """A number at a time."""
    for _ in range(STEPS):
        await count(state)


class Counting:
    """A store that counts what the engine hands to it."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.handed = 0

    async def commit(self, transition: Transition, /) -> None:
        """Count, then write."""
        self.handed += sum(len(entry.delta) for entry in transition.entries) + len(transition.snapshot or b"")
        await self.store.commit(transition)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


async def handed(folder: Path, flow: Any) -> int:
    """Bytes of deltas and full states that 1,000 steps over a megabyte hand to the store."""
    store = SQLitePersistenceProvider(folder / f"{flow.name}.db")
    await store.initialize()
    counting_store = Counting(store)
    builder = WorkflowBuilder(persistence_provider=counting_store, plugins=False, import_roots=["benchmarks"])
    builder.register(flow)
    pages = {f"p{number}": "x" * PAGE for number in range(PAGES)}
    run = await builder.create_workflow(flow.name, {"pages": pages})
    counting_store.handed = 0
    await run.run()
    await store.close()
    return counting_store.handed


def main() -> Table:
    """Measure everything and print the table."""
    changes = PAGE * STEPS
    full = PAGE * PAGES * (STEPS // 64)
    limit = (3 * changes + full) / 1e6
    with tempfile.TemporaryDirectory() as name:
        rows = [
            Row(
                f"1,000 steps over 1 MB, {what}", asyncio.run(handed(Path(name), flow)) / 1e6, "MB", "the changes",
                changes / 1e6, limit,
            )
            for what, flow in (("one page rewritten", rewriting), ("one page added", appending), ("a number", counting))
        ]  # fmt: skip
    return show("Large states", rows)


if __name__ == "__main__":
    main()
