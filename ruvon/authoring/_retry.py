"""`Retry`: when and how often a failed attempt is repeated."""

from dataclasses import dataclass
from datetime import timedelta
from typing import final

__all__ = ["Retry"]


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
    """Classes of errors that are worth another attempt."""
    never: tuple[type[Exception], ...] = ()
    """Classes of errors that are final at once, also where `on` names a base of theirs."""

    def __post_init__(self) -> None:
        if self.max_attempts < 1:
            raise ValueError(f"max_attempts is {self.max_attempts}; it counts the first attempt, so give at least 1")
        if self.delay < timedelta(0) or (self.max_delay is not None and self.max_delay < timedelta(0)):
            raise ValueError("delay and max_delay may not be negative")
        if self.backoff <= 0 or not 0 <= self.jitter <= 1:
            raise ValueError(
                f"backoff must be above 0 and jitter between 0 and 1, not {self.backoff} and {self.jitter}"
            )

    def repeats(self, error: Exception, attempt: int) -> bool:
        """Whether `error`, met in attempt number `attempt` (from 1), is worth another attempt."""
        if attempt >= self.max_attempts or isinstance(error, self.never):
            return False
        return isinstance(error, self.on)

    def delay_after(self, attempt: int, chance: float = 0.5) -> timedelta:
        """The wait between attempt number `attempt` (from 1) and the next; `chance` (0 to 1) moves the jitter."""
        longest = self.max_delay.total_seconds() if self.max_delay is not None else timedelta.max.total_seconds() / 4
        try:
            seconds = min(self.delay.total_seconds() * self.backoff ** (attempt - 1), longest)
        except OverflowError:
            seconds = longest
        return timedelta(seconds=seconds * (1 + self.jitter * (2 * chance - 1)))
