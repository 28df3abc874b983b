"""Verdicts: what came of running a body once, before anything of it is recorded.

Whoever runs a body, the holder of the instance or a worker, ends with one of these. Only the holder records one
(`ruvon.steps._record`); a worker's travels to it through the inbox as JSON (`ruvon.steps._wire`).
"""

from dataclasses import dataclass
from typing import Any, TypeAlias, final

from ruvon.engine import ErrorRecord
from ruvon.engine._state import Table

__all__ = ["Done", "Ended", "Failed", "Repeated", "Started", "Stopped", "Verdict"]


@final
@dataclass(slots=True)
class Done:
    """The body has returned, or a directive completes the step."""

    result: Any
    encoded: bytes
    """The result, encoded."""
    writes: Table
    """What it changes in the state, validated."""
    saga: bytes | None = None
    """What its compensation needs."""
    note: str = ""
    pauses: bool = False
    """A directive: an answer is waited for behind the step."""
    jump: str | None = None
    """A directive: the step to go on at."""
    instead_of: Exception | None = None
    """The error in whose place the step's fallback was taken."""


@final
@dataclass(frozen=True, slots=True)
class Repeated:
    """The attempt has failed, and there is another one."""

    record: ErrorRecord
    error: Exception | None
    """The exception itself, where it was raised in this process."""
    delay_us: int
    """Until the next attempt."""
    unknown: bool
    """Whether its effect happened is not known."""


@final
@dataclass(frozen=True, slots=True)
class Failed:
    """The step has failed."""

    record: ErrorRecord
    error: Exception | None
    """The exception itself, where it was raised in this process."""
    saga: bytes | None = None
    """What a compensation needs that undoes what may have happened."""


@final
@dataclass(frozen=True, slots=True)
class Ended:
    """A directive fails the workflow."""

    record: ErrorRecord
    rollback: bool
    """Whether everything is undone, saga on or off."""


@final
@dataclass(frozen=True, slots=True)
class Started:
    """A directive starts a child and waits for its end."""

    workflow_type: str
    data: object
    data_region: str | None
    writes: Table


@final
@dataclass(frozen=True, slots=True)
class Stopped:
    """The body was cancelled by the engine."""

    saga: bytes | None


Verdict: TypeAlias = Done | Repeated | Failed | Ended | Started | Stopped
