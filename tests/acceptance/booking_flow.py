"""A workflow whose steps write rows in the transaction that commits them, run by `test_kill_sql.py` and killed."""

import asyncio
import os
import sys
from pathlib import Path

from pydantic import BaseModel

from ruvon import MergeConflictBehavior, StepContext, gather, step, workflow
from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.sqlite import SQLITE_SCHEMA, SQLitePersistenceProvider
from ruvon.models import WorkflowStatus

TABLE = "CREATE TABLE IF NOT EXISTS bookings (number INTEGER, part TEXT);"


class Diary(BaseModel):
    path: str
    booked: int = 0


def tell(path: Path, number: int) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{number}\n")
        file.flush()
        os.fsync(file.fileno())


@step(transaction=True)
async def book(state: Diary, context: StepContext, number: int) -> None:
    """Two rows, and between them a line that says how far the process has come."""
    await context.transaction.execute("INSERT INTO bookings VALUES (?, 'first')", (number,))
    tell(Path(state.path), number)
    await context.transaction.execute("INSERT INTO bookings VALUES (?, 'second')", (number,))
    state.booked += 1


@workflow("Booking", version="1")
async def booking(state: Diary) -> int:
    for number in range(0, 12, 3):
        await book(state, number)
        await gather(book(state, number + 1), book(state, number + 2), conflict=MergeConflictBehavior.PREFER_NEW)
    return state.booked


async def main(folder: Path) -> None:
    """Create the one instance, or go on with it; print the rows when it ends."""
    store = SQLitePersistenceProvider(folder / "runs.db", schema=SQLITE_SCHEMA + TABLE)
    builder = WorkflowBuilder(persistence_provider=store)
    await builder.initialize()
    builder.register(booking)
    run = await builder.create_workflow(
        "Booking", {"path": str(folder / "ledger.txt")}, idempotency_key="the one", if_exists="load"
    )
    if run.status is not WorkflowStatus.COMPLETED:
        await run.run()
    async with store.transact() as sql:
        rows = await sql.execute("SELECT number, part FROM bookings ORDER BY number, part")
    print(run.status.value, rows, flush=True)  # noqa: T201 - the test reads it
    await builder.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
