"""A slot: one task in the hands of a worker."""

import asyncio
from typing import final

import orjson

from ruvon.engine._company import Handed
from ruvon.providers import InboxEntry, InboxKind, TaskClaim, TaskRecord
from ruvon.steps._remote import RemoteStep
from ruvon.steps._wire import Report
from ruvon.worker._drives import Crew

__all__ = ["Slot"]


@final
class Slot:
    """What a worker knows of a task that it runs."""

    __slots__ = ("_is_cancelled", "_told", "crew", "driving", "lost", "remote", "rests", "task", "work")

    def __init__(self, task: TaskRecord, crew: Crew) -> None:
        self.task = task
        self.crew = crew
        self.remote: RemoteStep | None = None
        self.work: asyncio.Task[None] | None = None
        self._is_cancelled = False
        self._told: object = None
        """What the body had told when the store was told last."""
        self.lost = False
        """The claim is gone: nobody waits for what the body does."""
        self.rests = False
        """What the body made was handed to a drive, whose commit is waited for."""
        self.driving = False
        """The body is done; the instance is being driven."""

    def claim(self) -> TaskClaim:
        """The claim, with what the body told last; called on the thread of the pulse."""
        told = self._told = self.remote.progress if self.remote is not None and not self.driving else None
        progress = orjson.dumps(dict(told), default=str) if told else None
        return TaskClaim(self.task.task_id, self.task.lease_epoch, progress)

    def handed(self, made: Report) -> Handed:
        """What the body made, for a drive in this process."""
        return Handed(self.task.activation, self.task.task_id, made)

    def entry(self, made: Report, at_us: int) -> InboxEntry:
        """What the body made, for a drive anywhere."""
        if self.remote is None:
            raise RuntimeError("a task without a body makes nothing")
        task, payload = self.task, self.remote.payload_of(made)
        return InboxEntry(
            task.workflow_id, InboxKind.TASK_RESULT, task.activation, payload, key=task.task_id, at_us=at_us
        )

    @property
    def may_hand(self) -> bool:
        """Whether the body has ended well under a claim that holds, so that a drive may record it with its own commit.

        What is to be tried again, or has failed, is reported: the next attempt has the same task.
        """
        return self.remote is not None and self.remote.is_done and not self.lost

    @property
    def has_news(self) -> bool:
        """Whether the body has told something since `claim` was called last; each call of `heartbeat` makes a new object."""
        return self.remote is not None and not self.driving and self.remote.progress is not self._told

    async def is_over(self) -> None:
        """Wait until it is; who is cancelled meanwhile stops it, and waits all the same."""
        if self.work is None:
            return
        try:
            await asyncio.wait([self.work])
        except asyncio.CancelledError:
            self.stop()
            await asyncio.wait([self.work])
            raise

    def lose(self) -> None:
        """Stop the body; a drive goes on, because the hold of the instance protects it."""
        self.lost = True
        if not self.driving:
            self.stop()

    def stop(self) -> None:
        """Cancel what runs, once: a second cancel would cut off how a drive lets its instance go."""
        if self.work is None or self._is_cancelled:
            return
        if self.remote is not None and not self.driving:
            self.remote.stop(self.work.cancel)
        else:
            self._is_cancelled = True
            self.work.cancel()
