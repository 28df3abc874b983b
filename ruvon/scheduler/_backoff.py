"""What failed a moment ago and is left alone for a while; kept in memory, because nothing depends on it."""

from collections.abc import Hashable
from typing import Final, Generic, TypeVar, final

__all__ = ["Backoff"]

K = TypeVar("K", bound=Hashable)

_FIRST_US: Final = 1_000_000
_LONGEST_US: Final = 300_000_000


@final
class Backoff(Generic[K]):
    """Doubling delays by key, from a second to five minutes."""

    def __init__(self) -> None:
        self._failed: dict[K, tuple[int, int]] = {}

    def failed(self, key: K, now_us: int) -> int:
        """Count a failure; how many in a row there are now."""
        count = self._failed.get(key, (0, 0))[0] + 1
        self._failed[key] = (count, now_us + min(_FIRST_US << min(count - 1, 20), _LONGEST_US))
        return count

    def worked(self, key: K) -> None:
        """Forget the failures of a key."""
        self._failed.pop(key, None)

    def blocks(self, key: K, now_us: int) -> bool:
        """Whether a key is left alone now."""
        found = self._failed.get(key)
        return found is not None and found[1] > now_us

    def next_us(self) -> int | None:
        """When the first key is tried again."""
        return min((until for _, until in self._failed.values()), default=None)

    def __len__(self) -> int:
        return len(self._failed)
