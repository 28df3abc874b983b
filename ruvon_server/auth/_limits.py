"""How often somebody may ask: a token bucket for each of them."""

from collections import OrderedDict
from typing import Final, final

from ruvon.providers import Clock
from ruvon_server.problems import TooManyRequestsError

__all__ = ["Buckets"]

_MOST: Final = 20_000
"""So many buckets are kept; the one that was used longest ago is forgotten for a further one."""
_SECOND_US: Final = 1_000_000


@final
class Buckets:
    """Token buckets by name, in the memory of this process.

    Args:
        clock: says how much time has gone by.
        per_s: so many requests a second go on and on; None: as many as they like.
        burst: so many may come at once.
        most: so many names are known at the same time.
    """

    def __init__(self, clock: Clock, per_s: float | None, burst: int, most: int = _MOST) -> None:
        self._clock = clock
        self._per_s = per_s
        self._burst = burst
        self._most = most
        self._left: OrderedDict[str, tuple[float, int]] = OrderedDict()

    @property
    def are_limited(self) -> bool:
        """Whether there is a limit at all."""
        return self._per_s is not None

    def take(self, name: str) -> None:
        """Take one token.

        Raises:
            TooManyRequestsError: there is none; nothing was taken.
        """
        if self._per_s is None:
            return
        left = self._require(name, self._per_s)
        self._left[name] = (left - 1, self._clock.monotonic_us())
        self._left.move_to_end(name)
        if len(self._left) > self._most:
            self._left.popitem(last=False)

    def require(self, name: str) -> None:
        """See to it that there is a token; none is taken.

        Raises:
            TooManyRequestsError: there is none.
        """
        if self._per_s is not None:
            self._require(name, self._per_s)

    def _require(self, name: str, per_s: float) -> float:
        left, seen_us = self._left.get(name, (float(self._burst), 0))
        now_us = self._clock.monotonic_us()
        if name in self._left:
            left = min(self._burst, left + (now_us - seen_us) / _SECOND_US * per_s)
        if left < 1:
            raise TooManyRequestsError((1 - left) / per_s)
        return left
