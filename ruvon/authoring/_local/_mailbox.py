"""The mailbox of a local run: messages lie in order of arrival until somebody takes them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, final

from ruvon.authoring._local._script import Signal
from ruvon.providers._clock import duration_us

__all__ = ["Mailbox", "Message", "Timers"]


class Timers(Protocol):
    """What a mailbox needs of the scheduler."""

    def at(self, due_us: int, action: Callable[[], None]) -> object:
        """Do something at a moment."""
        ...


@final
@dataclass(slots=True)
class Message:
    """One message of the script."""

    signal: Signal
    due_us: int
    taken: bool = False

    def fits(self, model: Any, key: str | None) -> bool:
        """Whether a `receive` of this model and key takes it."""
        return isinstance(self.signal.event, model) and (self.signal.any_key or self.signal.key == key)


@final
class Mailbox:
    """All scripted messages; one lies in the box once its moment has come."""

    __slots__ = ("_messages", "_waiters")

    def __init__(self, signals: list[Signal], start_us: int, timers: Timers) -> None:
        self._messages = [Message(item, start_us + duration_us(item.after)) for item in signals]
        self._messages.sort(key=lambda item: item.due_us)
        self._waiters: dict[object, Callable[[], None]] = {}
        for due_us in dict.fromkeys(item.due_us for item in self._messages if item.due_us > start_us):
            timers.at(due_us, self._wake)

    def take(self, model: Any, key: str | None, now_us: int) -> Message | None:
        """Take the first message that fits, if one lies here."""
        for message in self._messages:
            if not message.taken and message.due_us <= now_us and message.fits(model, key):
                message.taken = True
                return message
        return None

    def put_back(self, message: Message) -> None:
        """Lay a message back in its place: who took it has lost a race."""
        message.taken = False
        self._wake()

    def wait(self, who: object, wake: Callable[[], None]) -> None:
        """Call `wake` whenever a message may have come."""
        self._waiters[who] = wake

    def forget(self, who: object) -> None:
        """Call no more."""
        self._waiters.pop(who, None)

    def _wake(self) -> None:
        for wake in list(self._waiters.values()):
            wake()
