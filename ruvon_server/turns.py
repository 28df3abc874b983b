"""Turns: what one process of a store changes at a time, such as who has claimed a task."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from ruvon.providers import Clock, PersistenceProvider
from ruvon_server.problems import BusyElsewhereError

__all__ = ["turn"]

_TRIES: Final = 100
_PAUSE_US: Final = 20_000


@asynccontextmanager
async def turn(store: PersistenceProvider, clock: Clock, name: str) -> AsyncGenerator[None, None]:
    """Have the turn of a name, meanwhile; another one who has it is waited for, two seconds at most.

    Raises:
        BusyElsewhereError: somebody else keeps it.
    """
    for _ in range(_TRIES):
        duty = await store.take_duty(f"ruvon.server.{name}")
        if duty is not None:
            break
        await clock.sleep_us(_PAUSE_US)
    else:
        raise BusyElsewhereError
    try:
        yield
    finally:
        await duty.release()
