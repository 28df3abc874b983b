"""Time, identity and chance as objects, so that any schedule can be simulated from a seed.

This is the only module of Ruvon that calls `time`, `uuid`, `random`, `datetime.now` or `asyncio.sleep`: everything
else is given a `Clock` and an `IdSource`. Time inside the engine is an integer number of microseconds since the Unix
epoch (UTC); people and expressions see aware `datetime` values made of it.
"""

import asyncio
import os
import random
import time
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol, final, runtime_checkable
from uuid import UUID

__all__ = [
    "Clock",
    "IdSource",
    "SystemClock",
    "SystemIds",
    "datetime_of",
    "duration_us",
    "microseconds_of",
    "uuid7",
]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def datetime_of(moment_us: int) -> datetime:
    """The aware UTC datetime of a moment in microseconds since the Unix epoch, exactly."""
    return _EPOCH + timedelta(microseconds=moment_us)


def microseconds_of(moment: datetime) -> int:
    """A moment as microseconds since the Unix epoch, exactly; a naive datetime is taken as UTC."""
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MICROSECOND


def duration_us(duration: timedelta) -> int:
    """A duration as whole microseconds, exactly."""
    return duration // _MICROSECOND


def uuid7(moment_us: int, chance: int) -> UUID:
    """A version 7 UUID (RFC 9562) of a moment in microseconds and 74 random bits; it sorts by its millisecond."""
    milliseconds = (moment_us // 1000) & ((1 << 48) - 1)
    high = (chance >> 62) & 0xFFF
    low = chance & ((1 << 62) - 1)
    return UUID(int=(milliseconds << 80) | (0x7 << 76) | (high << 64) | (0b10 << 62) | low)


@runtime_checkable
class Clock(Protocol):
    """What time it is, and how to wait; a virtual clock waits in no time at all."""

    def now_us(self) -> int:
        """The present moment in microseconds since the Unix epoch (UTC)."""
        ...

    def now(self) -> datetime:
        """The present moment as an aware UTC datetime with microsecond precision."""
        ...

    def monotonic_us(self) -> int:
        """Microseconds of a clock that never goes back; only differences mean anything."""
        ...

    async def sleep_us(self, duration_us: int, /) -> None:
        """Wait for so many microseconds; zero or less only yields to other tasks."""
        ...


@runtime_checkable
class IdSource(Protocol):
    """Where identifiers and random numbers come from; a seeded one makes a run repeatable."""

    def new_id(self) -> UUID:
        """A fresh identifier; the system source gives version 7, which sorts by time."""
        ...

    def random(self) -> float:
        """A random number, at least 0.0 and below 1.0."""
        ...

    def token(self, size_bytes: int, /) -> bytes:
        """So many bytes for keys and secrets; the system source is cryptographically strong."""
        ...


@final
class SystemClock:
    """The clock of this machine."""

    __slots__ = ()

    def now_us(self) -> int:
        """The present moment in microseconds since the Unix epoch (UTC)."""
        return time.time_ns() // 1000

    def now(self) -> datetime:
        """The present moment as an aware UTC datetime with microsecond precision."""
        return datetime_of(self.now_us())

    def monotonic_us(self) -> int:
        """Microseconds of a clock that never goes back; only differences mean anything."""
        return time.monotonic_ns() // 1000

    async def sleep_us(self, duration_us: int, /) -> None:
        """Wait for so many microseconds on the running event loop."""
        await asyncio.sleep(max(duration_us, 0) / 1_000_000)


@final
class SystemIds:
    """Version 7 UUIDs, random numbers and tokens of this machine; safe to share between threads."""

    __slots__ = ("_random",)

    def __init__(self) -> None:
        self._random = random.SystemRandom()

    def new_id(self) -> UUID:
        """A fresh version 7 UUID."""
        return uuid7(time.time_ns() // 1000, int.from_bytes(os.urandom(10), "big") >> 6)

    def random(self) -> float:
        """A random number, at least 0.0 and below 1.0."""
        return self._random.random()

    def token(self, size_bytes: int, /) -> bytes:
        """So many cryptographically strong bytes."""
        return os.urandom(size_bytes)
