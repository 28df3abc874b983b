"""`Scheduler`: the loop of a process that makes things happen by themselves.

It sleeps on the clock until the next moment that it knows of, or until it is woken, and looks for what other processes
wrote at least once in each `poll`. Nothing that matters is kept in memory: whatever falls due is in the store, so a
scheduler that is killed loses nothing, and the next one goes on.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, final

from ruvon.builder import WorkflowBuilder
from ruvon.ir import RuvonError
from ruvon.providers import duration_us
from ruvon.scheduler._backoff import Backoff
from ruvon.scheduler._driver import Driver
from ruvon.scheduler._pace import Pace
from ruvon.scheduler._relay import OutboxRelay, Publisher
from ruvon.scheduler._retention import Retention
from ruvon.scheduler._starter import Starter

__all__ = ["Scheduler", "Turn"]

_LOGGER: Final = logging.getLogger("ruvon.scheduler")
_TAKE_UP_US: Final = 60_000_000
_SWEEP_US: Final = 3_600_000_000


@final
@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn of a scheduler did."""

    started: int
    """Planned runs that were started."""
    driven: int
    """Instances that were driven because something was due."""
    delivered: int
    """Events that were delivered."""
    deleted: int
    """Ended instances that were deleted."""
    problems: Mapping[str, str] = field(default_factory=dict[str, str])
    """Why something could not be done, by the id of the instance or the name of the schedule; it is tried again."""


@final
class Scheduler:
    """Starts what is planned, drives what is due, delivers events, and deletes what is old.

    Args:
        builder: the workflows and their store.
        publisher: where events of `context.publish` go; without one they stay in the store.
        poll: how long at most something that another process wrote waits.
        concurrency: how many instances are driven at a time.
        grace: how late a planned start may be before it counts as missed.
        retention: how long ended instances are kept where their workflow says nothing; None keeps them for ever.
        sync: register the schedules that workflows declare when the scheduler begins.
        adopt: go on with every run that can go on and that nobody drives, not only with planned ones: those whose
            process died, those that were made and never driven, those with a message. Not for stores whose runs are
            led step by step with `next_step`.

    Example:
        >>> scheduler = Scheduler(builder, publisher=broker)
        >>> async with asyncio.TaskGroup() as group:
        ...     group.create_task(scheduler.run())
        ...     await serve()
        ...     scheduler.stop()
    """

    def __init__(
        self,
        builder: WorkflowBuilder,
        *,
        publisher: Publisher | None = None,
        poll: timedelta = timedelta(seconds=1),
        concurrency: int = 32,
        grace: timedelta = timedelta(minutes=1),
        retention: timedelta | None = None,
        sync: bool = True,
        adopt: bool = False,
    ) -> None:
        engine = builder.engine()
        self._builder = builder
        self._clock = builder.clock
        self._poll_us = max(duration_us(poll), 1)
        self._pace = Pace(self._clock)
        self._sync = sync
        self._adopt = adopt
        self._starter = Starter(engine, duration_us(grace))
        self._driver = Driver(engine, concurrency, self._drive_ended)
        default_us = duration_us(retention) if retention is not None else None
        self._retention = Retention(engine.store, self._clock, builder.registration, default_us)
        self._relay = (
            OutboxRelay(engine.store, publisher, clock=self._clock, poll=poll) if publisher is not None else None
        )
        self._take_up_us = 0

    @property
    def relay(self) -> OutboxRelay | None:
        """The relay of the outbox, where there is a publisher."""
        return self._relay

    def wake(self) -> None:
        """Look at once; for whoever has just planned something in this process."""
        self._pace.wake()

    def stop(self) -> None:
        """Begin nothing more; `run` returns when what it drives has come to rest."""
        self._pace.stop()
        if self._relay is not None:
            self._relay.stop()

    async def run(self) -> None:
        """Run until `stop`, or until the task is cancelled."""
        await self._begin()
        async with asyncio.TaskGroup() as group:
            sweeper = group.create_task(self._sweep_for_ever())
            if self._relay is not None:
                group.create_task(self._relay.run())
            try:
                async with asyncio.TaskGroup() as drives:
                    await self._turn_until_stopped(drives)
            finally:
                sweeper.cancel()

    async def run_once(self) -> Turn:
        """Do everything that is due now, wait until it has come to rest, and return."""
        await self._begin()
        started = driven = 0
        while True:  # what was driven may have set another timer that is due
            async with asyncio.TaskGroup() as drives:
                began, begun = await self._turn(drives)
            started, driven = started + began, driven + begun
            if not began and not begun:
                break
        delivered = await self._relay.relay() if self._relay is not None else 0
        problems = {**self._starter.problems, **{str(name): why for name, why in self._driver.problems.items()}}
        return Turn(started, driven, delivered, await self._retention.sweep(), problems)

    async def _begin(self) -> None:
        """Register what workflows declare; a definition with mistakes is no reason not to start the others."""
        if self._sync:
            try:
                await self._builder.sync_schedules()
            except RuvonError:
                _LOGGER.exception("the declared schedules could not be registered")

    async def _turn_until_stopped(self, drives: asyncio.TaskGroup) -> None:
        failures, until = Backoff[str](), 0

        async def look() -> None:
            nonlocal until
            await self._turn(drives)
            until = await self._next_us()

        while not self._pace.stopped:
            if not await _attempt(look, failures, self._clock.now_us()):
                until = failures.next_us() or self._clock.now_us() + self._poll_us
            await self._pace.rest(until)

    async def _turn(self, drives: asyncio.TaskGroup) -> tuple[int, int]:
        """Start and drive what is due: how many planned starts, how many drives."""
        started, told = await self._starter.start_due()
        now = self._clock.now_us()
        begun = 0
        if now >= self._take_up_us:
            self._take_up_us = now + _TAKE_UP_US
            begun = await self._take_up(drives)
        begun += await self._driver.drive_due(drives, told)
        return len(started), begun

    async def _take_up(self, drives: asyncio.TaskGroup) -> int:
        if not self._adopt:
            return await self._driver.take_up(drives)
        begun, all_of_them = await self._driver.adopt(drives)
        if not all_of_them:
            self._take_up_us = 0  # the next turn, when there is room, goes on with the others
        return begun

    async def _next_us(self) -> int:
        """The next moment to look: something is due, or the poll."""
        poll = self._clock.now_us() + self._poll_us
        moments = (poll, await self._starter.next_us(poll), await self._driver.next_us(poll))
        return min(moment for moment in moments if moment is not None)

    def _drive_ended(self) -> None:
        self._pace.wake()
        if self._relay is not None:
            self._relay.wake()

    async def _sweep_for_ever(self) -> None:
        failures = Backoff[str]()
        while True:
            await _attempt(self._retention.sweep, failures, self._clock.now_us())
            await self._clock.sleep_us(_SWEEP_US)


async def _attempt(work: Callable[[], Awaitable[object]], failures: Backoff[str], now_us: int) -> bool:
    """Do a part of a loop's work; a failure is logged, and the loop goes on."""
    try:
        await work()
    except Exception:
        if failures.failed("", now_us) == 1:
            _LOGGER.exception("the scheduler cannot work; it tries again")
        return False
    failures.worked("")
    return True
