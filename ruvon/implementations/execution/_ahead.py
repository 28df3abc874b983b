"""How many tasks a message brings along, and which of them were done before their own messages came.

A message names one task. While tasks are brief, the process claims more and more of those that wait beside it, so that a
backlog costs the store a few statements for many tasks; a task that is not brief ends that at once, and what waits is left
to other processes. The message of a task that was done ahead of it is let go without asking the store.
"""

import threading
from collections.abc import Sequence
from typing import Final, final

__all__ = ["Ahead"]

_BRIEF_US: Final = 50_000
"""A task that takes no longer is brief; of several done together, each on average."""
_LONGEST_US: Final = 1_000_000
"""Several done together that take longer are not brief, however many they were."""
_KEPT: Final = 10_000


@final
class Ahead:
    """What one process does ahead of messages. Safe to use from several threads.

    Args:
        most: how many tasks at a time, the one that a message names among them.
    """

    def __init__(self, most: int) -> None:
        self._most = most - 1
        self._more = 0
        self._lock = threading.Lock()
        self._done: dict[str, None] = {}

    @property
    def more(self) -> int:
        """How many tasks the next message may bring along."""
        return self._more

    def is_done(self, task_id: str) -> bool:
        """Whether the task was done ahead of this message; it is forgotten with that."""
        with self._lock:
            return self._done.pop(task_id, self) is None

    def took(self, task_ids: Sequence[str], duration_us: int) -> None:
        """Count what was done together; the first is the one that the message named."""
        with self._lock:
            self._done |= dict.fromkeys(task_ids[1:])
            while len(self._done) > _KEPT:
                del self._done[next(iter(self._done))]
            is_brief = duration_us <= min(_BRIEF_US * len(task_ids), _LONGEST_US)
            self._more = min(2 * self._more + 1, self._most) if is_brief else 0
