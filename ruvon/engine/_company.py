"""What the drive of an instance is told by others of its process that work for the same instance."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, final

from ruvon.providers import Transition

__all__ = ["Company", "Handed"]


@final
@dataclass(frozen=True, slots=True)
class Handed:
    """What the body of a queued step made, in the process that drives its instance: it is never encoded as a report."""

    activation: str
    task_id: str
    report: object
    """As the operation of the step takes it."""


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

    def take_handed(self) -> list[Handed]:
        """What was handed over since this was asked last, in its order."""
        ...

    def prepare(self, transition: Transition, *, is_idle: bool) -> None:
        """Change what a transition, about to be committed, does to the queue.

        An idle drive has nothing to do behind the commit but to wait.

        They may claim new tasks, which they begin as soon as those are durable. The task that stands for the drive stays in
        the queue while there may be more to do, and goes with the end of the instance.
        """
        ...

    def committed(self, transition: Transition) -> None:
        """It is durable: what was handed over and is in it counts, and tasks that were claimed in it begin."""
        ...

    def resting(self) -> AbstractContextManager[None]:
        """While this is open the drive only waits for them."""
        ...
