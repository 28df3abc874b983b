"""Functions and workflows for the contract of executors; run in the test's process and in workers."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ruvon import StepContext, gather, human, step, workflow
from ruvon.worker import current_execution_context

SECONDS = 60


def add(state: dict[str, Any], more: int = 0) -> dict[str, Any]:
    return {"sum": state["n"] + more}


async def add_async(state: dict[str, Any], more: int = 0) -> dict[str, Any]:
    await asyncio.sleep(0)
    return {"sum": state["n"] + more}


def nothing(state: dict[str, Any]) -> None:
    return None


def refuse(state: dict[str, Any]) -> None:
    raise ValueError("it cannot be done")


def tell_context(state: dict[str, Any]) -> dict[str, Any]:
    found = current_execution_context()
    assert found is not None
    return {
        "trace_id": found.trace_id,
        "actor_id": found.actor_id,
        "workflow_id": found.workflow_id,
        "step_name": found.step_name,
        "attempt": found.attempt,
    }


def mark(state: dict[str, Any], name: str) -> str:
    (Path(state["folder"]) / name).touch()
    return name


def hold(state: dict[str, Any], name: str) -> str:
    """Lasts until the file `go` is there."""
    mark(state, name)
    await_file(Path(state["folder"]) / "go")
    return name


def meet(state: dict[str, Any], mine: str, other: str) -> str:
    """Lasts until another one runs at the same time."""
    mark(state, mine)
    await_file(Path(state["folder"]) / other)
    return mine


def await_file(path: Path) -> None:
    until = time.monotonic() + SECONDS
    while not path.exists():
        assert time.monotonic() < until, f"{path.name} never came"
        time.sleep(0.01)


class Sum(BaseModel):
    total: int = 0
    ledger: str = ""


def note(path: str, line: str) -> None:
    """One line, on disk when it returns."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, f"{line}\n".encode())
        os.fsync(file)
    finally:
        os.close(file)


@step(queue="default")
def grow(state: Sum, by: int) -> int:
    state.total += by
    return by


@step(queue="default")
def square(number: int) -> int:
    return number * number


@step(queue="default")
def effect(state: Sum, context: StepContext, turn: int) -> None:
    note(state.ledger, f"{context.idempotency_key} {os.getpid()}")
    time.sleep(0.02)
    state.total += turn


@workflow("ExecutionSum", version="1")
async def execution_sum(state: Sum) -> list[int]:
    await grow(state, by=3)
    found = await gather(square(2), square(3), square(4))
    await grow(state, by=4)
    return [state.total, *found]


@workflow("ExecutionEffects", version="1")
async def execution_effects(state: Sum) -> int:
    for turn in range(5):
        await effect(state, turn=turn)
    return state.total


class Answer(BaseModel):
    fine: bool


@workflow("ExecutionAsked", version="1")
async def execution_asked(state: Sum) -> bool:
    answer = await human("Is it fine?", form=Answer)
    if not answer.fine:
        raise ValueError("it is not")
    return True


@workflow("ExecutionParent", version="1")
async def execution_parent(state: Sum) -> bool:
    return await execution_asked(Sum(total=state.total))
