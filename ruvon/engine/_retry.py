"""When a failed attempt is repeated."""

from ruvon.engine._error_records import ErrorRecord
from ruvon.ir._nodes import RetryPolicy
from ruvon.providers import IdSource

__all__ = ["next_attempt_us"]

_LONGEST_US = 365 * 24 * 3_600_000_000


def next_attempt_us(policy: RetryPolicy | None, error: ErrorRecord, attempt: int, ids: IdSource) -> int | None:
    """Microseconds until the next attempt after attempt number `attempt` failed; None when there is none.

    The delay grows by `backoff` with each attempt up to `max_delay_us`; `jitter` takes away up to that share by chance.
    """
    if policy is None or attempt >= policy.max_attempts or error.uncatchable:
        return None
    if error.matches(policy.never) or not error.matches(policy.on):
        return None
    try:
        delay = policy.delay_us * policy.backoff ** (attempt - 1)
    except OverflowError:
        delay = float(_LONGEST_US)
    delay = min(delay, policy.max_delay_us if policy.max_delay_us is not None else _LONGEST_US)
    if policy.jitter:
        delay -= delay * policy.jitter * ids.random()
    return max(int(delay), 0)
