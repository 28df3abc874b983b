"""How many tasks a process does for one message, and which it did before their messages came.

A message names the tasks that became due together. While tasks are brief, a process does more and more of them at a time,
and claims further ones that wait beside them, so that a backlog costs the broker few messages and the store few statements
for many tasks. A task that is not brief ends that at once: then a process does one task of a message and passes the others
on, in two messages, so that a crowd of processes has all of them in hand soon. A task that was done ahead of its message is
let go without asking the store.
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
        """How many tasks may be done together with the next one."""
        return self._more

    def share(self, task_ids: Sequence[str]) -> tuple[list[str], list[list[str]]]:
        """What this process does of a message's tasks, and the messages with which it passes on the others."""
        waiting = [task_id for task_id in task_ids if not self.is_done(task_id)]
        own, others = waiting[: self._more + 1], waiting[self._more + 1 :]
        middle = (len(others) + 1) // 2
        return own, [part for part in (others[:middle], others[middle:]) if part]

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
