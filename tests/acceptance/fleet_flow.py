"""Workflows that leave a line in a file for each step; run by processes of `test_resume_all.py` and `test_drivers.py`."""

import asyncio
import os
import time
from pathlib import Path

from pydantic import BaseModel

from ruvon import StepContext, receive, step, workflow


class Trip(BaseModel):
    ledger: str
    number: int = 0
    done: int = 0


class Go(BaseModel):
    text: str = ""


def note(path: str, line: str) -> None:
    """One line, on disk when it returns; appended in one write, so that lines of two processes do not mix."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, f"{line}\n".encode())
        os.fsync(file)
    finally:
        os.close(file)


@step
def travel(state: Trip, context: StepContext, leg: int) -> None:
    note(state.ledger, f"{state.number}/{leg} {os.getpid()}")
    state.done += 1


@step
def linger(state: Trip) -> None:
    """Lasts until the file `go` is there."""
    note(state.ledger, f"lingers {os.getpid()}")
    while not Path(state.ledger).with_name("go").exists():
        time.sleep(0.01)
    state.done += 1


@workflow("FleetTrip", version="1")
async def fleet_trip(state: Trip) -> int:
    for leg in range(3):
        await travel(state, leg=leg)
    return state.done


@workflow("FleetLinger", version="1")
async def fleet_linger(state: Trip) -> int:
    await travel(state, leg=0)
    await linger(state)
    return state.done


@workflow("FleetCalled", version="1")
async def fleet_called(state: Trip) -> str:
    message = await receive(Go)
    await travel(state, leg=9)
    return message.text


class Told(BaseModel):
    number: int


@step
def tell(state: Trip, context: StepContext) -> None:
    context.publish("told", Told(number=state.number))


@workflow("FleetTold", version="1")
async def fleet_told(state: Trip) -> None:
    await tell(state)


class Publisher:
    """Writes what it is given into the file that `RUVON_TEST_EVENTS` names."""

    async def publish(self, topic: str, payload: bytes, key: str) -> None:
        await asyncio.sleep(0.002)
        note(os.environ["RUVON_TEST_EVENTS"], f"{key} {os.getpid()}")


broker = Publisher()
