"""One drive for many results: slots whose tasks belong to one instance do not each load it, nor tell the store twice."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from enum import Enum, auto
from typing import final
from uuid import UUID

from ruvon.engine._company import Handed
from ruvon.models import WorkflowStatus
from ruvon.providers import TaskKind, TaskRecord, Transition
from ruvon.worker._hosting import Hosting

__all__ = ["After", "Crew", "JoinedDrive", "Lookouts"]


class After(Enum):
    """How it stands with an instance after a drive."""

    MORE = auto()
    """Others may report for it."""
    ENDED = auto()
    BUSY = auto()
    """Somebody else drives it, who takes what came."""


class _Answer(asyncio.Future[bool]):
    """Whether something counts. Who waits for it and is cancelled learns it all the same: a commit may hold it already."""

    def cancel(self, msg: object = None) -> bool:
        """Refuse: the task that waits is cancelled when the answer has come."""
        return False


@final
class Crew:
    """The slots of a worker whose tasks belong to one instance."""

    __slots__ = ("drive", "size")

    def __init__(self) -> None:
        self.size = 0
        self.drive: JoinedDrive | None = None
        """Where one of them drives the instance."""


@final
class JoinedDrive:
    """The drive of an instance by one slot, which others join: they hand over what their bodies made, or report meanwhile.

    What is handed over rides in the drive's own commit, so the store is told once. A slot that handed something over waits
    for that commit; when the drive ends without it, the slot reports, as if there had been no drive.

    Args:
        task: the claimed task that stands for the drive.
        crew: the slots of the worker that have a task of the instance.
        host: the worker, which adopts tasks, and lends a drive's slot to others while the drive only waits.
    """

    __slots__ = (
        "_again", "_answers", "_changed", "_closed", "_crew", "_handed", "_has_told", "_host", "_is_gone", "_is_lent",
        "_joined", "_notify", "_reporting", "_streak", "_task",
    )  # fmt: skip

    def __init__(self, task: TaskRecord, crew: Crew, host: Hosting) -> None:
        self._task = task
        self._crew = crew
        self._host = host
        self._again = True
        self._joined = False
        self._is_gone = False
        self._is_lent = False
        """The drive only waits, and its slot counts for others."""
        self._has_told = False
        """Other instances were sent messages, and are woken when the drive has ended: its task stays until then."""
        self._streak = 0
        self._closed = False
        self._reporting = 0
        self._changed = asyncio.Event()
        self._notify: Callable[[], None] | None = None
        self._handed: list[Handed] = []
        self._answers: dict[str, asyncio.Future[bool]] = {}
        """Whether what was handed over counts, by the id of its task."""

    # --- for slots ----------------------------------------------------------------------------------------------------

    @contextmanager
    def joined(self) -> Generator[None, None, None]:
        """While this is open, a report for the instance is being written; the drive does not end before it is read."""
        self._reporting += 1
        try:
            yield
        finally:
            self._reporting -= 1
            self._again = self._joined = True
            self._changed.set()

    def hand(self, made: Handed) -> "asyncio.Future[bool]":
        """Give the drive what a body made: True when that is durable, False when the drive has ended without it."""
        answer = _Answer()
        if self._closed:
            answer.set_result(False)
            return answer
        self._answers[made.task_id] = answer
        self._handed.append(made)
        self._end_rest()  # it goes on in the place of the body
        self._changed.set()
        if self._notify is not None:
            self._notify()
        return answer

    @property
    def is_gone(self) -> bool:
        """Whether the task that stands for the drive has left the queue with the end of the instance."""
        return self._is_gone

    @property
    def is_wanted(self) -> bool:
        """Whether others have joined."""
        return self._reporting > 0 or self._changed.is_set()

    async def reported(self) -> None:
        """Wait for the reports that are being written."""
        while self._reporting:
            self._changed.clear()
            await self._changed.wait()

    async def is_next(self) -> bool:
        """Whether to drive (again); waits for the reports that are being written."""
        while not self._again and not self._handed and self._reporting:
            self._changed.clear()
            await self._changed.wait()
        again, self._again = self._again, False
        return again or bool(self._handed)

    def close(self) -> None:
        """The drive has ended: what was handed over and is in no commit does not count."""
        self._closed = True
        self._end_rest()
        answers, self._answers = self._answers, {}
        for answer in answers.values():
            if not answer.done():
                answer.set_result(False)

    # --- for the engine -----------------------------------------------------------------------------------------------

    def listen(self, notify: Callable[[], None] | None) -> None:
        """Call `notify` whenever something is handed over; None ends that."""
        self._notify = notify

    def is_expected(self) -> bool:
        """Whether a report may come soon: a slot has a task of the instance, or had one a moment ago."""
        joined, self._joined = self._joined, False
        return joined or self._reporting > 0 or self._crew.size > 1

    def take_reported(self) -> bool:
        """Whether others have reported since this was asked last; whoever asks reads the inbox next."""
        again, self._again = self._again, False
        return again

    def has_handed(self) -> bool:
        """Whether there is something that `take_handed` would give."""
        return bool(self._handed)

    def take_handed(self) -> list[Handed]:
        """What was handed over since this was asked last."""
        handed, self._handed = self._handed, []
        return handed

    def prepare(self, transition: Transition, *, is_idle: bool) -> None:
        """Claim new tasks that the worker begins itself, and keep the drive's own task as long as it is needed."""
        own = self._task
        if transition.tasks:
            is_spare = is_idle and not self._is_lent
            if self._host.adopt(transition.tasks, self._streak, is_spare=is_spare):
                self._streak += 1
                if is_spare:
                    self._begin_rest()
            else:
                self._streak = 0
        self._has_told = self._has_told or bool(transition.sent)
        if WorkflowStatus(transition.status).is_terminal and not self._has_told:
            if own.task_id not in transition.tasks_done:
                transition.tasks_done = (*transition.tasks_done, own.task_id)
        elif own.task_id in transition.tasks_done:
            transition.tasks_done = tuple(task_id for task_id in transition.tasks_done if task_id != own.task_id)
            transition.tasks = (*transition.tasks, _wake(own))

    def committed(self, transition: Transition) -> None:
        """What was handed over and is in the transition counts; tasks that were claimed in it begin."""
        for task_id in transition.tasks_done:
            self._is_gone = self._is_gone or task_id == self._task.task_id
            self._settle(task_id)
        for task in transition.tasks:
            if task.task_id == self._task.task_id:
                self._settle(task.task_id)
        if transition.tasks:
            self._host.begin_adopted(transition.tasks)

    def _settle(self, task_id: str) -> None:
        answer = self._answers.pop(task_id, None)
        if answer is not None and not answer.done():
            answer.set_result(True)

    @contextmanager
    def resting(self) -> Generator[None, None, None]:
        """The drive only waits, and leaves its slot to others until something is handed over."""
        self._begin_rest()
        try:
            yield
        finally:
            self._end_rest()

    def _begin_rest(self) -> None:
        if not self._is_lent:
            self._is_lent = True
            self._host.rests(1)

    def _end_rest(self) -> None:
        if self._is_lent:
            self._is_lent = False
            self._host.rests(-1)


def _wake(task: TaskRecord) -> TaskRecord:
    """The claimed task of a step as one that stands for the drive: its body is not run again."""
    return replace(task, kind=TaskKind.WAKE, payload=b"", crashes=0, progress=None, concurrency_key=None)


@final
class Lookouts:
    """Which instances that somebody else drives have a task of this worker's that will be looked at again later.

    One such task is enough for all reports that come meanwhile: it reads them all, should the holder have gone.

    Args:
        stay_us: how long after it was given back a task surely still lies in the queue.
    """

    __slots__ = ("_stay_us", "_until")

    def __init__(self, stay_us: int) -> None:
        self._stay_us = stay_us
        self._until: dict[UUID, int] = {}

    def stands(self, workflow_id: UUID, now_us: int) -> bool:
        """Whether a task stands there now: somebody else drove the instance a moment ago."""
        return self._until.get(workflow_id, 0) > now_us

    def post(self, workflow_id: UUID, now_us: int) -> bool:
        """Whether a task is needed there, which the caller gives back; False where one stands already."""
        until = self._until
        while until and until[first := next(iter(until))] <= now_us:  # they are in the order of their ends
            del until[first]
        if workflow_id in until:
            return False
        until[workflow_id] = now_us + self._stay_us
        return True
