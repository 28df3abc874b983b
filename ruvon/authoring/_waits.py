"""Waiting: for time, for a message, for a person; and the three recorded values `now`, `new_id`, `random`."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypedDict, TypeVar, Unpack, cast, final, overload
from uuid import UUID

from pydantic import SecretStr

from ruvon.authoring._options import UNSET, Optioned, Unset
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

__all__ = ["HumanFields", "human", "new_id", "now", "random", "receive", "secret", "sleep", "sleep_until"]

M = TypeVar("M")

_REMEDY = "call it in a `@workflow` body; a step function has `context.{}`"


@final
class _Sleep(Optioned):
    """Wait for a span of time; it outlives the process."""

    def __call__(self, how_long: timedelta, /) -> Work[Elapsed]:
        """The wait, to be awaited in a workflow body."""
        return Pending[Elapsed](SleepRequest(self.options, duration=how_long))


@final
class _SleepUntil(Optioned):
    """Wait until a moment; one that has passed does not wait. A naive datetime is taken as UTC."""

    def __call__(self, when: datetime, /) -> Work[Elapsed]:
        """The wait, to be awaited in a workflow body."""
        return Pending[Elapsed](SleepRequest(self.options, until=when))


@final
class _Receive(Optioned):
    """Take the next message of a model and key from the instance's mailbox, or wait for one.

    Messages lie in the mailbox in order of arrival until they are taken, also when nobody waits.
    """

    def __call__(
        self,
        model: type[M],
        /,
        *,
        key: str | None = None,
        timeout: timedelta | None = None,
        default: M | Unset = UNSET,
    ) -> Work[M]:
        """The wait, to be awaited in a workflow body.

        Args:
            model: the message's class.
            key: only messages sent with this key; None takes those sent without one.
            timeout: longest wait; then `default` is taken, or `TimedOut` raised where there is none.
            default: the message after the timeout.
        """
        return Pending[M](ReceiveRequest(self.options, model, key, timeout, default))


class HumanFields(TypedDict, total=False):
    """What `human` takes by name, besides the answer's class and its default."""

    show: Data | None
    """What the person is shown."""
    role: str | None
    """Who may answer."""
    assignee: str | None
    """The one person who may answer."""
    timeout: timedelta | None
    """Longest wait; then the default is taken, or `TimedOut` raised where there is none."""
    ask: Step[..., Any] | Callable[..., Any] | None
    """A step function that is run on arrival, to tell the person."""
    answer: Step[..., Any] | Callable[..., Any] | None
    """A step function that is run once with the answer."""
    ask_args: Mapping[str, object]
    """Arguments for `ask`, by name."""
    answer_args: Mapping[str, object]
    """Arguments for `answer`, by name, besides the answer's fields."""
    required_input: tuple[str, ...]
    """Keys that an answer without a model must have."""
    answer_to: Literal["self", "next"]
    """`next` leaves the answer to the step that follows; printers of YAML write it."""


@final
class _Human(Optioned):
    """Ask a person, and wait for the answer."""

    @overload
    def __call__(
        self, task: str, /, *, form: type[M], default: M | Unset = UNSET, **fields: Unpack[HumanFields]
    ) -> Work[M]: ...
    @overload
    def __call__(
        self, task: str, /, *, default: Mapping[str, object] | Unset = UNSET, **fields: Unpack[HumanFields]
    ) -> Work[dict[str, object]]: ...
    def __call__(
        self, task: str, /, *, form: Any = None, default: Any = UNSET, **fields: Unpack[HumanFields]
    ) -> Work[Any]:
        """The wait, to be awaited in a workflow body.

        Args:
            task: the name of the task, by which the answer and the inbox of people find it.
            form: the answer's model; an answer that does not validate is refused, and the step keeps waiting. Without
                one every mapping is taken.
            default: the answer after the timeout.
            fields: see `HumanFields`.
        """
        return Pending[Any](
            HumanRequest(
                task=task,
                form=dict[str, object] if form is None else form,
                show=fields.get("show"),
                role=fields.get("role"),
                assignee=fields.get("assignee"),
                timeout=fields.get("timeout"),
                default=default,
                ask=_declared(fields.get("ask")),
                answer=_declared(fields.get("answer")),
                ask_args=fields.get("ask_args", {}),
                answer_args=fields.get("answer_args", {}),
                required_input=fields.get("required_input", ()),
                answer_to=fields.get("answer_to", "self"),
                options=self.options,
            )
        )


sleep: Final = _Sleep()
"""Wait for a span of time."""
sleep_until: Final = _SleepUntil()
"""Wait until a moment."""
receive: Final = _Receive()
"""Take the next message of a model from the mailbox, or wait for one."""
human: Final = _Human()
"""Ask a person, and wait for the answer."""


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
