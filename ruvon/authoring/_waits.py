"""Waiting: for time, for a message, for a person; and the three recorded values `now`, `new_id`, `random`."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast
from uuid import UUID

from pydantic import SecretStr

from ruvon.authoring._step import Step, step_from_function
from ruvon.authoring._work import (
    Data,
    HumanRequest,
    Pending,
    ReceiveRequest,
    SleepRequest,
    Work,
    driver_of,
)
from ruvon.models import Elapsed

__all__ = ["human", "new_id", "now", "random", "receive", "secret", "sleep", "sleep_until"]

M = TypeVar("M")

_REMEDY = "call it in a `@workflow` body; a step function has `context.{}`"


def sleep(how_long: timedelta, /) -> Work[Elapsed]:
    """Wait for a span of time; it outlives the process."""
    return Pending[Elapsed](SleepRequest(duration=how_long))


def sleep_until(when: datetime, /) -> Work[Elapsed]:
    """Wait until a moment; one that has passed does not wait. A naive datetime is taken as UTC."""
    return Pending[Elapsed](SleepRequest(until=when))


def receive(model: type[M], /, *, key: str | None = None, timeout: timedelta | None = None) -> Work[M]:
    """Take the next message of this model and key from the instance's mailbox, or wait for one.

    Messages lie in the mailbox in order of arrival until they are taken, also when nobody waits.

    Args:
        model: the message's class.
        key: only messages sent with this key; None takes those sent without one.
        timeout: longest wait; then `TimedOut` is raised.
    """
    return Pending[M](ReceiveRequest(model, key, timeout))


def human(
    task: str,
    /,
    *,
    form: type[M],
    show: Data | None = None,
    role: str | None = None,
    assignee: str | None = None,
    timeout: timedelta | None = None,
    default: M | None = None,
    ask: Step[..., Any] | Callable[..., Any] | None = None,
    answer: Step[..., Any] | Callable[..., Any] | None = None,
) -> Work[M]:
    """Ask a person, and wait for the answer.

    Args:
        task: the name of the task, by which the answer and the inbox of people find it.
        form: the answer's model; an answer that does not validate is refused, and the step keeps waiting.
        show: what the person is shown.
        role: who may answer.
        assignee: the one person who may answer.
        timeout: longest wait; then `default` is taken, or `TimedOut` raised where there is none.
        default: the answer after the timeout.
        ask: a step function that is run on arrival, to tell the person.
        answer: a step function that is run once with the answer.
    """
    return Pending[M](
        HumanRequest(
            task=task,
            form=form,
            show=show,
            role=role,
            assignee=assignee,
            timeout=timeout,
            default=default,
            ask=_declared(ask),
            answer=_declared(answer),
        )
    )


def _declared(function: Step[..., Any] | Callable[..., Any] | None) -> Any:
    if function is None:
        return None
    if isinstance(function, Step):
        return cast("Step[..., Any]", function).__ruvon_step__
    return step_from_function(function).__ruvon_step__


def now() -> datetime:
    """The present moment, aware, in UTC; recorded once, so a resumed run sees the same."""
    return driver_of("`now()`", _REMEDY.format("now()")).now()


def new_id() -> UUID:
    """A fresh identifier; recorded once, so a resumed run sees the same."""
    return driver_of("`new_id()`", _REMEDY.format("new_id()")).new_id()


def random() -> float:
    """A random number, at least 0.0 and below 1.0; recorded once, so a resumed run sees the same."""
    return driver_of("`random()`", _REMEDY.format("random()")).random()


def secret(name: str, /) -> SecretStr:
    """The secret `name`, resolved when it is used; a definition never contains the value."""
    return SecretStr(driver_of(f'`secret("{name}")`', "call it in a `@workflow` body").secret(name))
