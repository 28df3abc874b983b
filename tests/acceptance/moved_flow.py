"""A shop in two versions, run by `test_migrate_race.py` in processes of their own.

python -m tests.acceptance.moved_flow begin|answer|move DATABASE COUNT
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from uuid import UUID

from pydantic import BaseModel

from ruvon import human, step, workflow
from ruvon.builder import WorkflowBuilder
from ruvon.cli._provider import new_provider
from ruvon.engine._migrate import migrate
from ruvon.ir import RuvonError
from ruvon.providers import InstanceFilter


class Order(BaseModel):
    """What is ordered."""

    number: int
    done: list[str] = []


class Answer(BaseModel):
    """What a person says."""

    ok: bool


@step
async def charge(state: Order) -> None:
    state.done.append("charge")


@step
async def ship(state: Order) -> None:
    state.done.append("ship")


@step
async def thank(state: Order) -> None:
    state.done.append("thank")


@workflow("Moved", version="1")
async def first(state: Order) -> str:
    await charge(state)
    await human("approve", form=Answer)
    await ship(state)
    return "first"


@workflow("Moved", version="2")
async def second(state: Order) -> str:
    await charge(state)
    await human("approve", form=Answer)
    await ship(state)
    await thank(state)
    return "second"


async def begin(builder: WorkflowBuilder, count: int) -> None:
    """Orders that wait for a person."""
    for number in range(count):
        made = await builder.create_workflow("Moved", {"number": number}, version="1")
        await made.run()


async def answer(builder: WorkflowBuilder, count: int) -> None:
    """Answer each, however often somebody else has it."""
    rows = await builder.persistence.find_instances(InstanceFilter(workflow_type="Moved"), limit=count)
    print("ready", flush=True)  # noqa: T201 - the test reads it
    sys.stdin.readline()
    for row in reversed(rows):
        found = await builder.load_workflow(row.workflow_id)
        await found.answer({"ok": True})


async def move(builder: WorkflowBuilder, count: int) -> None:
    """Move each that still waits; say what became of it."""
    rows = await builder.persistence.find_instances(InstanceFilter(workflow_type="Moved"), limit=count)
    target = builder.engine().program_for("Moved", "2")
    print("ready", flush=True)  # noqa: T201 - the test reads it
    sys.stdin.readline()
    moved = refused = 0
    for row in rows:
        try:
            await migrate(builder.engine(), UUID(row.workflow_id), target)
            moved += 1
        except RuvonError:
            refused += 1
    print(moved, refused)  # noqa: T201 - the test reads it


DOES: dict[str, Callable[[WorkflowBuilder, int], Awaitable[None]]] = {"begin": begin, "answer": answer, "move": move}


async def main(what: str, database: str, count: str) -> None:
    """One process of the race."""
    builder = WorkflowBuilder(
        persistence_provider=new_provider(database, migrate=True), plugins=False, import_roots=["tests"]
    )
    await builder.initialize()
    builder.register(first, second)
    try:
        await DOES[what](builder, int(count))
    finally:
        await builder.close()


if __name__ == "__main__":
    from tests.acceptance.moved_flow import main as of_the_module

    asyncio.run(of_the_module(*sys.argv[1:]))
