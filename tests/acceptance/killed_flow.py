"""A workflow whose steps leave a line in a file, run by `test_kill.py` in a process that is killed again and again."""

import asyncio
import os
import sys
from pathlib import Path

from pydantic import BaseModel

from ruvon import StepContext, gather, step, workflow
from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.models import WorkflowStatus


class Ledger(BaseModel):
    path: str
    written: list[int] = []
    total: int = 0


@step
def write(state: Ledger, context: StepContext, number: int) -> None:
    """The effect: one line, on disk before the step returns."""
    with Path(state.path).open("a", encoding="utf-8") as file:
        file.write(f"{number} {context.idempotency_key}\n")
        file.flush()
        os.fsync(file.fileno())
    state.written.append(number)


@step
def weigh(number: int) -> int:
    return number * number


@workflow("Killed", version="1")
async def killed(state: Ledger) -> int:
    for number in range(12):
        await write(state, number=number)
        left, right = await gather(weigh(number), weigh(number + 1))
        state.total = state.total + left + right
    return state.total


async def main(folder: Path) -> None:
    """Create the one instance, or go on with it; print the result when it ends."""
    builder = WorkflowBuilder(persistence_provider=SQLitePersistenceProvider(folder / "runs.db"))
    await builder.initialize()
    builder.register(killed)
    run = await builder.create_workflow(
        "Killed", {"path": str(folder / "ledger.txt")}, idempotency_key="the one", if_exists="load"
    )
    if run.status is not WorkflowStatus.COMPLETED:
        await run.run()
    print(run.status.value, run.result, list(run.state.written), flush=True)  # noqa: T201 - the test reads it
    await builder.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
