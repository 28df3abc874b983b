"""What goes wrong, and where: faults at numbered points of numbered lives of the process.

A life is the time from the start of the process to its death. Every commit, every body and every message is a point of
its life, numbered from 0 in the order in which it is reached. A schedule is a list of faults; written as text it repeats
a run exactly: `0.12:die-after 1.3:error-before seed=7`. A fault may strike more than once at the same place, in whatever
life and at whatever number it is reached again: `0.12:die-after*5`.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, final

from ruvon.ir._errors import RuvonError

__all__ = ["Fault", "FaultKind", "Point", "PointKind", "Schedule", "ScheduleError"]


class PointKind(StrEnum):
    """Where something can go wrong."""

    COMMIT = "commit"
    BODY = "body"
    MESSAGE = "message"


class FaultKind(StrEnum):
    """What goes wrong."""

    DIE_BEFORE = "die-before"
    """The process dies before the commit is written, the body runs, or the message is stored."""
    DIE_AFTER = "die-after"
    """The process dies when it is done, before anybody hears of it."""
    DIE_LATE = "die-late"
    """The body is done, but slow to say so; the process dies when everything beside it has gone on without it."""
    TORN = "torn"
    """The process dies while the commit is being written; the file ends somewhere inside it (SQLite)."""
    ERROR_BEFORE = "error-before"
    """The store fails and has written nothing."""
    ERROR_AFTER = "error-after"
    """The store fails, though it has written everything: an ambiguous commit."""
    TWICE = "twice"
    """The message is delivered twice."""
    ECHO = "echo"
    """The message is delivered once more, when whoever waited for it has long gone on."""
    LATE = "late"
    """The message arrives later than it was sent."""


FAULTS_AT: Final[dict[PointKind, tuple[FaultKind, ...]]] = {
    PointKind.COMMIT: (
        FaultKind.DIE_BEFORE,
        FaultKind.DIE_AFTER,
        FaultKind.TORN,
        FaultKind.ERROR_BEFORE,
        FaultKind.ERROR_AFTER,
    ),
    PointKind.BODY: (FaultKind.DIE_BEFORE, FaultKind.DIE_AFTER, FaultKind.DIE_LATE),
    PointKind.MESSAGE: (
        FaultKind.DIE_BEFORE,
        FaultKind.DIE_AFTER,
        FaultKind.TWICE,
        FaultKind.ECHO,
        FaultKind.LATE,
    ),
}
"""What can go wrong at which points."""


@final
@dataclass(frozen=True, slots=True)
class Point:
    """A point that a life has reached."""

    life: int
    number: int
    kind: PointKind
    what: str
    """For people: the step that ran, the steps that were committed, the message."""
    place: tuple[str, str] = ("", "")
    """The instance, and what of it: the same where a later life comes to the same place."""

    def __str__(self) -> str:
        return f"the {self.kind} of {self.what}"


@final
@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that goes wrong."""

    life: int
    point: int
    kind: FaultKind
    times: int = 1
    """How often it strikes at this place, before and after restarts."""

    def __str__(self) -> str:
        return f"{self.life}.{self.point}:{self.kind}" + (f"*{self.times}" if self.times > 1 else "")


class ScheduleError(RuvonError, ValueError):
    """A text is no schedule."""

    def __init__(self, part: str) -> None:
        kinds = ", ".join(kind.value for kind in FaultKind)
        super().__init__(
            f"`{part}` is no part of a schedule; write LIFE.POINT:FAULT (faults: {kinds}), FAULT*TIMES, or "
            "seed=NUMBER, as a report prints it"
        )


_NONE: Final = "no faults"
_PART: Final = re.compile(r"(\d+)\.(\d+):([a-z-]+)(?:\*(\d+))?\Z")


@final
@dataclass(frozen=True, slots=True)
class Schedule:
    """Everything that makes a run what it is."""

    faults: tuple[Fault, ...] = ()
    seed: int | None = None
    """Draws how long bodies, commits and messages take; without it everything takes no time."""
    skew_us: int = 0
    """The wall clock is wrong by so much from the first fault on."""

    def at(self, life: int, point: int) -> FaultKind | None:
        """What goes wrong at a point."""
        return next((item.kind for item in self.faults if (item.life, item.point) == (life, point)), None)

    @property
    def strikes_again(self) -> bool:
        """Whether a fault of it strikes more than once."""
        return any(item.times > 1 for item in self.faults)

    def without(self, fault: Fault) -> "Schedule":
        """The same without one fault."""
        return Schedule(tuple(item for item in self.faults if item != fault), self.seed, self.skew_us)

    def __str__(self) -> str:
        parts = [str(item) for item in self.faults]
        parts += [f"seed={self.seed}"] if self.seed is not None else []
        parts += [f"skew={self.skew_us}"] if self.skew_us else []
        return " ".join(parts) or _NONE

    @staticmethod
    def parse(text: str) -> "Schedule":
        """The schedule that a report printed.

        Raises:
            ScheduleError: the text is none.
        """
        faults: list[Fault] = []
        numbers: dict[str, int] = {}
        for part in text.removeprefix(_NONE).split():
            name, sign, value = part.partition("=")
            found = _PART.match(part)
            if found is not None and found[3] in {kind.value for kind in FaultKind}:
                faults.append(Fault(int(found[1]), int(found[2]), FaultKind(found[3]), max(int(found[4] or 1), 1)))
            elif sign and name in ("seed", "skew") and value.lstrip("-").isdigit():
                numbers[name] = int(value)
            else:
                raise ScheduleError(part)
        return Schedule(tuple(sorted(faults)), numbers.get("seed"), numbers.get("skew", 0))
