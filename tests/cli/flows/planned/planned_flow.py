"""Flows that schedules of the command line start, and where their events go."""

from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel

from ruvon import StepContext, sleep, step, workflow


class Note(BaseModel):
    text: str = "-"


class Said(BaseModel):
    text: str


@step
async def write(state: Note, context: StepContext) -> None:
    context.publish("notes", Said(text=state.text))


@workflow("Planned")
async def planned(state: Note) -> None:
    await write(state)


@workflow("Later")
async def later(state: Note) -> None:
    await sleep(timedelta(milliseconds=1))
    await write(state)


class Outlet:
    async def publish(self, topic: str, payload: bytes, key: str, /) -> None:
        """Keeps what arrives in the working folder."""
        with Path("delivered.txt").open("a") as file:  # noqa: ASYNC230 - a line of a test
            file.write(f"{topic} {payload.decode()}\n")


OUTLET = Outlet()
