"""What a test says will come from outside: replies, in turn or computed, each with the time it takes."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, final

__all__ = ["NOTHING", "InTurn", "Reply", "Script", "Signal", "fitted", "reply_of"]


@final
@dataclass(frozen=True, slots=True)
class Reply:
    """One scripted reply: a value or an error, and how long it takes on the world's clock."""

    value: Any = None
    error: BaseException | None = None
    """Raised instead of giving the value."""
    takes: timedelta = timedelta(0)
    """How long it takes; an answer of a person, or a step that is slow."""


@final
@dataclass(frozen=True, slots=True)
class Signal:
    """A message that is sent to the workflow."""

    event: Any
    """The message, an instance of the model that the body receives."""
    key: str | None = None
    """The key it is sent with."""
    after: timedelta = timedelta(0)
    """When it is sent, counted from the start of the run."""
    any_key: bool = False
    """It fits a `receive` with any key; what a bare event in a world's `signals` does."""


@final
class InTurn:
    """Several replies, one for each call: `InTurn(CardDeclined(), Charged(...))`; the last one is not repeated."""

    __slots__ = ("replies",)

    def __init__(self, *replies: Any) -> None:
        self.replies = replies


NOTHING: Final = object()
"""No reply is scripted, or the replies have run out."""


@final
@dataclass(slots=True)
class Script:
    """Scripted replies by name, and how many of each have been used."""

    entries: Mapping[str, Any]
    used: dict[str, int] = field(default_factory=dict[str, int])

    def next(self, names: Iterable[str]) -> Any:
        """The next entry under the first of these names that is scripted, or `NOTHING`."""
        for name in names:
            if name in self.entries:
                return self._entry(name)
        return NOTHING

    def has(self, name: str) -> bool:
        """Whether anything is scripted under this name, used up or not."""
        return name in self.entries

    def _entry(self, name: str) -> Any:
        found = self.entries[name]
        if not isinstance(found, InTurn):
            return found
        place = self.used.get(name, 0)
        if place >= len(found.replies):
            return NOTHING
        self.used[name] = place + 1
        return found.replies[place]


def reply_of(entry: Any, offered: Mapping[str, Any], first: Any = None) -> Reply:
    """Make a reply of an entry: a `Reply`, an error to raise, a function to call, or the value itself.

    Args:
        entry: what the script holds; a function is given those of `offered` that it names.
        offered: arguments by name.
        first: given to a function whose parameters name none of `offered`.
    """
    match entry:
        case Reply():
            return entry
        case BaseException():
            return Reply(error=entry)
        case type() if issubclass(entry, BaseException):
            return Reply(error=entry())
        case _ if inspect.isroutine(entry) or hasattr(entry, "__wrapped__"):
            return _called(entry, offered, first)
        case _:
            return Reply(entry)


def _called(function: Callable[..., Any], offered: Mapping[str, Any], first: Any) -> Reply:
    try:
        made = function(**fitted(function, offered, first))
    except Exception as exc:  # noqa: BLE001 - whatever a fake raises is what the step raises
        return Reply(error=exc)
    return made if isinstance(made, Reply) else Reply(made)


def fitted(function: Callable[..., Any], offered: Mapping[str, Any], first: Any = None) -> dict[str, Any]:
    """Those of the offered arguments that a function names; all of them where it takes `**rest`."""
    parameters = inspect.signature(function).parameters.values()
    if any(item.kind is inspect.Parameter.VAR_KEYWORD for item in parameters):
        return dict(offered)
    names = [item.name for item in parameters if item.kind is not inspect.Parameter.VAR_POSITIONAL]
    given = {name: offered[name] for name in names if name in offered}
    if not given and len(names) == 1 and first is not None:
        return {names[0]: first}
    return given
