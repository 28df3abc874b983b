"""Attempts of an activation: one try of a body or of its fake, and the retries around it.

A fake takes virtual time (`Reply.takes`); a real body takes none, whatever it really waits, but its timeout holds in real
time too. A retry's delay is virtual.
"""

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar, final
from uuid import UUID

from pydantic import BaseModel

from ruvon.authoring._local._run import LocalDriver, checked_cancel
from ruvon.authoring._local._script import Reply
from ruvon.authoring._local._sql import require_sql
from ruvon.authoring._local._world import Published
from ruvon.authoring._retry import Retry
from ruvon.authoring._work import CURRENT_DRIVER
from ruvon.ir.values import copy_value
from ruvon.models import (
    BodyCancelledError,
    ContextUnavailableError,
    StepTransaction,
    TimedOut,
    WorkflowDirective,
    as_result_mapping,
)
from ruvon.models._bodies import is_async, refuse_awaitable
from ruvon.models._hints import is_outcome_unknown
from ruvon.providers._clock import duration_us

__all__ = ["Attempt", "Services", "play", "run_function", "with_retries"]

T = TypeVar("T")
M = TypeVar("M")


@final
@dataclass(slots=True)
class Services:
    """What stands behind a local step's context; implements `ContextServices`."""

    driver: LocalDriver
    step_name: str
    key: str
    published: list[Published] = field(default_factory=list[Published])
    progress: Mapping[str, Any] | None = None
    before: Mapping[str, Any] | None = None
    """The progress that the previous attempt told."""
    error: str | None = None
    """Why the previous attempt failed."""
    sql: StepTransaction | None = None
    """The transaction that the attempt shares."""
    shares: bool = False
    """The step is declared with `transaction=True`."""

    def idempotency_key(self) -> str:
        """The key of the activation."""
        return self.key

    def previous_step_result(self) -> Mapping[str, Any] | None:
        """The result of the last finished step of this sequence."""
        return as_result_mapping(copy_value(self.driver.previous))

    def resource(self, kind: type[M], /) -> M:
        """The world's resource of this class, or of a subclass."""
        for known, found in self.driver.world.resources.items():
            if issubclass(known, kind):
                return found  # type: ignore[no-any-return]
        name = kind.__name__
        raise ContextUnavailableError(self.step_name, f"a `{name}`", f"give it with World(resources={{{name}: ...}})")

    def publish(self, topic: str, event: BaseModel, /) -> None:
        """Keep an event until the step has completed."""
        self.published.append(Published(topic, copy_value(event)))  # type: ignore[arg-type]

    def transaction(self) -> StepTransaction:
        """The transaction of the attempt."""
        return require_sql(self.sql, self.step_name, declared=self.shares)

    def now(self) -> datetime:
        """The world's clock."""
        return self.driver.world.now

    def new_id(self) -> UUID:
        """The world's next identifier."""
        return self.driver.world.new_id()

    def random(self) -> float:
        """The world's next random number."""
        return self.driver.world.random()

    def heartbeat(self, progress: Mapping[str, Any], /) -> None:
        """Keep the progress for the next attempt."""
        self.progress = dict(progress)

    def last_progress(self) -> Mapping[str, Any] | None:
        """What the previous attempt told."""
        return self.before

    def last_error(self) -> str | None:
        """Why the previous attempt failed."""
        return self.error

    def log(self, level: str, message: str, metadata: Mapping[str, Any], /) -> None:
        """Keep a line with the world."""
        self.driver.world.logged.append((level, message, dict(metadata)))


@final
@dataclass(slots=True)
class Attempt:
    """The history of one activation's attempts."""

    number: int = 1
    unknown: bool = False
    """An attempt timed out or was cancelled: whether it had its effect is not known."""


async def with_retries(
    driver: LocalDriver,
    policy: Retry | None,
    history: Attempt,
    once: Callable[[int], Awaitable[T]],
) -> T:
    """Try until it works, or the policy says that the error is final.

    While an attempt runs, the sequence is busy: a soft cancel waits for it. Between attempts it is not.
    """
    strand = driver.strand
    while True:
        strand.busy += 1
        try:
            return await once(history.number)
        except asyncio.CancelledError:
            history.unknown = True
            raise
        except WorkflowDirective:
            raise
        except Exception as error:
            history.unknown = history.unknown or is_outcome_unknown(error)
            if (
                (strand.cancel_asked and not strand.cancel_given)
                or policy is None
                or not policy.repeats(error, history.number)
            ):
                raise
            delay = policy.delay_after(history.number, driver.world.random() if policy.jitter else 0.5, error)
        finally:
            strand.busy -= 1
        driver.world.slept.append(delay)
        await driver.run.scheduler.sleep_us(strand, duration_us(delay))
        checked_cancel(strand)
        history.number += 1


async def play(driver: LocalDriver, reply: Reply, what: str, limit: timedelta | None) -> Any:
    """Let a scripted reply happen on the virtual clock.

    Raises:
        TimedOut: it takes longer than the timeout.
    """
    late = limit is not None and reply.takes > limit
    takes = limit if late and limit is not None else reply.takes
    if takes > timedelta(0):
        await driver.run.scheduler.sleep_us(driver.strand, duration_us(takes))
    if late:
        raise TimedOut(what, limit)
    if isinstance(reply.error, asyncio.CancelledError):
        raise BodyCancelledError(what)
    if reply.error is not None:
        raise reply.error
    return reply.value


async def run_function(
    driver: LocalDriver, function: Callable[..., Any], given: Mapping[str, Any], what: str, limit: timedelta | None
) -> Any:
    """Call a real step function; outside any body, so that it cannot use what belongs to bodies.

    Raises:
        TimedOut: an asynchronous function took longer, in real time, than the timeout.
    """
    context = contextvars.copy_context()
    context.run(CURRENT_DRIVER.set, None)
    args, kwargs = _spread(function, given)
    try:
        value = context.run(function, *args, **kwargs)
    except asyncio.CancelledError:
        raise BodyCancelledError(what) from None
    if not inspect.isawaitable(value):
        return value
    if not is_async(function):
        raise refuse_awaitable(what, value)
    task = asyncio.get_running_loop().create_task(_awaited(value), context=context)
    driver.strand.task = task
    try:
        done, _ = await asyncio.wait({task}, timeout=limit.total_seconds() if limit is not None else None)
        if not done:
            task.cancel()
            await asyncio.wait({task})
            raise TimedOut(what, limit)
        if task.cancelled() and not task.cancelling():
            raise BodyCancelledError(what)
        return task.result()
    finally:
        driver.strand.task = None


async def _awaited(value: Awaitable[T]) -> T:
    return await value


def _spread(function: Callable[..., Any], given: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Arguments by name, as the function's signature takes them."""
    args: list[Any] = []
    kwargs = dict(given)
    for name, item in inspect.signature(function).parameters.items():
        if item.kind is inspect.Parameter.POSITIONAL_ONLY and name in kwargs:
            args.append(kwargs.pop(name))
    return args, kwargs
