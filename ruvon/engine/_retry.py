"""When a failed attempt is repeated."""

from ruvon.engine._error_records import ErrorRecord
from ruvon.ir._nodes import RetryPolicy
from ruvon.providers import IdSource

__all__ = ["next_attempt_us"]

_LONGEST_US = 365 * 24 * 3_600_000_000


def next_attempt_us(policy: RetryPolicy | None, error: ErrorRecord, attempt: int, ids: IdSource) -> int | None:
    """Microseconds until the next attempt after attempt number `attempt` failed; None when there is none.

    The delay grows by `backoff` with each attempt up to `max_delay_us`; `jitter` takes away up to that share by chance.
    An error that asks for a longer wait gets it, up to `max_delay_us`; one that says that repeating cannot help is repeated
    only where `on` names its very class.
    """
    if policy is None or attempt >= policy.max_attempts or error.uncatchable:
        return None
    if error.matches(policy.never) or not error.matches(policy.on):
        return None
    if not error.retryable and error.path not in policy.on:
        return None
    longest = policy.max_delay_us if policy.max_delay_us is not None else _LONGEST_US
    try:
        delay = policy.delay_us * policy.backoff ** (attempt - 1)
    except OverflowError:
        delay = float(_LONGEST_US)
    delay = min(delay, longest)
    if policy.jitter:
        delay -= delay * policy.jitter * ids.random()
    return max(int(delay), min(error.retry_after_us or 0, longest), 0)
