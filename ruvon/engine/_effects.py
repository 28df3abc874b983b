"""Effects and arrivals: the two things that move a strand and are not pure.

An effect is performed by the holder between two commits. An arrival is something that the strand waited for: its moment
came, or a message was taken from the inbox.
"""

from abc import ABC, abstractmethod
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias, final

if TYPE_CHECKING:
    from ruvon.engine._frames import Strand
    from ruvon.engine._run import Run

__all__ = ["EXPIRED", "Arrival", "Effect", "Expired", "Given", "Message", "Parked", "Slice"]


class Effect(ABC):
    """Something to do between two commits; `perform` also records what came of it."""

    __slots__ = ("strand",)

    def __init__(self, strand: "Strand") -> None:
        self.strand = strand

    @abstractmethod
    def perform(self, run: "Run") -> Coroutine[Any, Any, None]:
        """Do it, and move the strand on."""


@final
class Slice(Effect):
    """The pure part has run long enough: commit what there is, let others run, go on."""

    __slots__ = ()

    async def perform(self, run: "Run") -> None:
        """Yield to the event loop."""
        await run.services.clock.sleep_us(0)


@final
class Parked(Effect):
    """The node cannot run in this process: commit what there is, then tell whoever drives; the instance stands here."""

    __slots__ = ("_error",)

    def __init__(self, strand: "Strand", error: Exception) -> None:
        super().__init__(strand)
        self._error = error

    async def perform(self, run: "Run") -> None:
        """Raise the error out of the drive."""
        raise self._error


@final
@dataclass(frozen=True, slots=True)
class Expired:
    """The moment came that the strand waited for, or its timeout."""


EXPIRED: Final = Expired()


@final
@dataclass(frozen=True, slots=True)
class Message:
    """A message came: a signal, an answer, a child's end, a worker's result."""

    payload: bytes
    name: str = ""
    value: object = None
    """What the payload would say, where the message never left this process; the payload is empty then."""


@final
@dataclass(frozen=True, slots=True)
class Given:
    """Input was given for the step, validated."""

    value: object


Arrival: TypeAlias = Expired | Message | Given
