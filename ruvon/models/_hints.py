"""What an exception may say about the attempt that it ended, whoever wrote its class.

* `retryable = False`: another attempt cannot help. A retry policy then repeats it only where `on` names its very class.
* `retry_after_us = 2_000_000`: the next attempt should come no sooner; the policy's `max_delay` is stronger.
* `outcome_unknown = True`: the effect may have happened. A compensation that is declared with `attempted=True` then runs.

All are plain attributes or properties. The engine writes them into the record of a failed attempt; `.local` reads them
from the exception.
"""

from typing import Final

__all__ = ["is_outcome_unknown", "is_retryable", "wait_asked_us"]

_LONGEST_US: Final = 365 * 24 * 3_600_000_000


def is_outcome_unknown(error: BaseException) -> bool:
    """Whether the effect may have happened, as far as the exception knows."""
    return _attribute(error, "outcome_unknown") is True


def is_retryable(error: BaseException) -> bool:
    """Whether another attempt may help, as far as the exception knows."""
    return _attribute(error, "retryable") is not False


def wait_asked_us(error: BaseException) -> int | None:
    """How long the exception asks to wait before another attempt, in microseconds, at most a year; None: no wish."""
    asked = _attribute(error, "retry_after_us")
    if not isinstance(asked, int) or isinstance(asked, bool) or asked < 0:
        return None
    return min(asked, _LONGEST_US)


def _attribute(error: BaseException, name: str) -> object:
    try:
        found: object = getattr(error, name, None)
    except Exception:  # noqa: BLE001 - a property of the author's may fail; the error itself must still be recorded
        return None
    return found
