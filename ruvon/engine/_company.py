"""What the drive of an instance is told by others of its process that work for the same instance."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from ruvon.providers import InboxEntry, TaskRecord

__all__ = ["Company"]


class Company(Protocol):
    """Others of this process that work for the same instance.

    They report through the store, as workers elsewhere do, or hand over what a body made: that rides in the drive's own
    commit, which takes the task out of the queue, too.
    """

    def listen(self, notify: Callable[[], None] | None) -> None:
        """Call `notify` on the loop's thread whenever something is handed over; None ends that."""
        ...

    def is_expected(self) -> bool:
        """Whether a report of theirs may come soon; the store tells the holder when it has come."""
        ...

    def take_reported(self) -> bool:
        """Whether they have reported since this was asked last; the inbox is read next."""
        ...

    def has_handed(self) -> bool:
        """Whether there is something that `take_handed` would give."""
        ...

    def take_handed(self) -> list[InboxEntry]:
        """What was handed over since this was asked last, in its order; each has no number of the store's."""
        ...

    def committed(self, task_ids: Sequence[str]) -> None:
        """These tasks are out of the queue, durably; what was handed over for them counts."""
        ...

    def adopt(self, tasks: Sequence[TaskRecord]) -> None:
        """Claim those of the tasks, about to be committed, that they begin as soon as that is durable."""
        ...

    def queued(self, tasks: Sequence[TaskRecord]) -> None:
        """The tasks are in the queue, durably: those that were adopted begin, others may be claimed next."""
        ...

    def resting(self) -> AbstractContextManager[None]:
        """While this is open the drive only waits for them."""
        ...
