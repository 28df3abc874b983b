"""Who sends when more is due than is sent at a time: each tenant has its share, and what has never been taken waits behind.

A server that never answers holds its place for as long as an attempt may take. So those that have not shown yet that they
answer share half of the places, and no tenant has more than a quarter of them all, whatever its servers do.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, final

from ruvon_server.webhooks._lane import Lane

__all__ = ["ALL", "OF_TENANT", "Shares"]

ALL: Final = 256
"""So many attempts are under way at most in one process."""
OF_TENANT: Final = 64
"""So many of them are one tenant's."""
_UNPROVEN: Final = 2
"""One part in so many, of all places and of a tenant's, is for webhooks whose last attempt has failed, or that had none."""


@final
class Shares:
    """The places of one process."""

    def __init__(self) -> None:
        self._taken = Counter[str]()
        self._unproven = Counter[str]()

    def admits(self, lane: Lane) -> bool:
        """Whether there is a place for an attempt of a webhook."""
        if self._taken.total() >= ALL or self._taken[lane.tenant] >= OF_TENANT:
            return False
        return lane.is_proven or (
            self._unproven.total() < ALL // _UNPROVEN and self._unproven[lane.tenant] < OF_TENANT // _UNPROVEN
        )

    def take(self, lane: Lane) -> bool:
        """Take a place; whether the webhook has shown that it answers, to be said when it is given back."""
        self._taken[lane.tenant] += 1
        self._unproven[lane.tenant] += not lane.is_proven
        return lane.is_proven

    def give_back(self, tenant: str, *, was_proven: bool) -> None:
        """Give a place back."""
        for counter, count in ((self._taken, 1), (self._unproven, int(not was_proven))):
            counter[tenant] -= count
            if not counter[tenant]:
                del counter[tenant]

    def in_turn(self, lanes: Iterable[Lane]) -> Sequence[Lane]:
        """Webhooks in the order in which they have a place: of the tenant that has the fewest, then who waits longest."""
        return sorted(lanes, key=lambda lane: (self._taken[lane.tenant], lane.begun_us))
