"""The deliveries of one webhook that are not done, in the memory of the process that sends them.

A lane knows the numbers and moments of at most `WINDOW` of them; bodies stay in the store until they are sent. What is
behind the window is looked at when there is room.
"""

import heapq
from dataclasses import dataclass, field
from typing import Final, final

from ruvon_server.webhooks._deliveries import Progress

__all__ = ["WINDOW", "Lane"]

WINDOW: Final = 20_000
_AT_ONCE: Final = 4


@final
@dataclass(slots=True)
class Lane:
    """What is to be sent to one webhook."""

    webhook_id: str
    tenant: str
    """Whose places it takes."""
    done: int
    """All deliveries with lower numbers are done."""
    read: int
    """The next one to be looked at."""
    end: int
    """The next number to be given."""
    success_us: int | None = None
    failing_us: int | None = None
    paused_us: int = 0
    """Nothing is sent before this moment: the endpoint has asked for it."""
    waiting: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """Moments and numbers, a heap."""
    open: set[int] = field(default_factory=set[int])
    """The numbers that are not done, those under way too."""
    under_way: int = 0
    begun_us: int = 0
    """When its last attempt began; 0: none has, in this process."""

    @property
    def is_done(self) -> bool:
        """Whether nothing is left."""
        return not self.open and self.read >= self.end

    @property
    def is_proven(self) -> bool:
        """Whether its server has taken something, and the last attempt has not failed."""
        return self.success_us is not None and self.failing_us is None

    @property
    def room(self) -> int:
        """So many more may be looked at."""
        return min(self.end - self.read, WINDOW - len(self.open))

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return Progress(self.done, self.success_us, self.failing_us)

    def put(self, number: int, due_us: int) -> None:
        """Send a delivery at a moment."""
        self.open.add(number)
        heapq.heappush(self.waiting, (due_us, number))

    def take(self, now_us: int) -> int | None:
        """The number of a delivery to send now; None where none is due, or enough are under way.

        Until its first success, and while its attempts fail, an endpoint gets one at a time.
        """
        due_us = self.next_us()
        if due_us is None or due_us > now_us:
            return None
        self.under_way += 1
        self.begun_us = now_us
        return heapq.heappop(self.waiting)[1]

    def finish(self, number: int) -> None:
        """A delivery is done."""
        self.open.discard(number)
        while self.done < self.read and self.done not in self.open:
            self.done += 1

    def next_us(self) -> int | None:
        """When something is due that can be sent then; None: something has to end first, or nothing waits."""
        if not self.waiting or self.under_way >= (_AT_ONCE if self.is_proven else 1):
            return None
        return max(self.waiting[0][0], self.paused_us)
