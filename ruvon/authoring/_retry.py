"""`Retry`: when and how often a failed attempt is repeated."""

from dataclasses import dataclass
from datetime import timedelta
from math import isfinite
from typing import Final, cast, final

from ruvon.models._hints import is_retryable, wait_asked_us

__all__ = ["Retry", "RetryArgumentError"]

_COUNT: Final = "a whole number of at least 1, which counts the first attempt"
_WAIT: Final = "a timedelta that is not negative, such as timedelta(seconds=5)"
_CLASSES: Final = "a tuple of exception classes, such as (TimeoutError,)"


class RetryArgumentError(ValueError):
    """An argument of `Retry` that no policy can keep; the text says what the argument takes."""

    def __init__(self, argument: str, value: object, accepted: str) -> None:
        self.argument = argument
        self.value = value
        self.accepted = accepted
        super().__init__(f"`{argument}` of Retry is {value!r}; give {accepted}")


def _require(argument: str, value: object, fits: object, accepted: str) -> None:
    if not fits:
        raise RetryArgumentError(argument, value, accepted)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _is_wait(value: object) -> bool:
    return isinstance(value, timedelta) and value >= timedelta(0)


def _is_classes(value: object) -> bool:
    if not isinstance(value, tuple):
        return False
    items = cast("tuple[object, ...]", value)
    return all(isinstance(item, type) and issubclass(item, BaseException) for item in items)


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Retry:
    """A retry policy; each repetition is a recorded transition with its own due time, not a loop in memory."""

    max_attempts: int = 3
    """How often the body runs at most, the first attempt included; 1 never repeats."""
    delay: timedelta = timedelta(seconds=1)
    """The wait before the second attempt."""
    backoff: float = 2.0
    """What the wait is multiplied by before each further attempt; 1.0 keeps it the same."""
    max_delay: timedelta | None = None
    """The longest wait; None sets no bound."""
    jitter: float = 0.0
    """The share of the wait, 0 to 1, that chance may add or take away."""
    on: tuple[type[Exception], ...] = (Exception,)
    """Classes of errors that are worth another attempt; one whose `retryable` is False must be named itself."""
    never: tuple[type[Exception], ...] = ()
    """Classes of errors that are final at once, also where `on` names a base of theirs."""

    def __post_init__(self) -> None:
        _require("max_attempts", self.max_attempts, _is_count(self.max_attempts), _COUNT)
        _require("delay", self.delay, _is_wait(self.delay), _WAIT)
        _require("backoff", self.backoff, _is_number(self.backoff) and self.backoff > 0, "a number above 0")
        _require("max_delay", self.max_delay, self.max_delay is None or _is_wait(self.max_delay), f"{_WAIT}, or None")
        _require("jitter", self.jitter, _is_number(self.jitter) and 0 <= self.jitter <= 1, "a number from 0 to 1")
        _require("on", self.on, _is_classes(self.on), _CLASSES)
        _require("never", self.never, _is_classes(self.never), _CLASSES)

    def repeats(self, error: Exception, attempt: int) -> bool:
        """Whether `error`, met in attempt number `attempt` (from 1), is worth another attempt."""
        if attempt >= self.max_attempts or isinstance(error, self.never):
            return False
        return isinstance(error, self.on) and (is_retryable(error) or type(error) in self.on)

    def delay_after(self, attempt: int, chance: float = 0.5, error: Exception | None = None) -> timedelta:
        """The wait between attempt number `attempt` (from 1) and the next.

        Args:
            attempt: the number of the attempt that failed.
            chance: moves the jitter, 0 to 1.
            error: what it failed with; it may ask for a longer wait (`retry_after_us`).
        """
        longest = self.max_delay.total_seconds() if self.max_delay is not None else timedelta.max.total_seconds() / 4
        try:
            seconds = min(self.delay.total_seconds() * self.backoff ** (attempt - 1), longest)
        except OverflowError:
            seconds = longest
        asked = min((wait_asked_us(error) or 0) / 1_000_000, longest) if error is not None else 0.0
        return timedelta(seconds=max(seconds * (1 + self.jitter * (2 * chance - 1)), asked))
