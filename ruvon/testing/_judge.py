"""What a run under faults did that it must not do."""

from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, final

from ruvon.models import WorkflowStatus
from ruvon.testing._outcome import Outcome
from ruvon.testing._process import BodyName
from ruvon.testing._schedule import Point, Schedule

__all__ = ["Finding", "FindingKind", "judge"]


class FindingKind(StrEnum):
    """What went wrong."""

    UNSTEADY = "unsteady"
    """Two runs without faults ended differently, so that nothing can be compared."""
    STUCK = "stuck"
    """The run did not come to its end."""
    RAISED = "raised"
    """Driving the workflow raised an error that no fault explains."""
    LOST = "lost"
    """Something that was committed is not there any more."""
    REPEATED = "repeated"
    """Something that was committed ran again."""
    UNCOMMITTED = "uncommitted"
    """A step began although the one before it was not committed."""
    UNBRAKED = "unbraked"
    """It was driven on although as many processes had died over it as its crash budget allows."""
    DIVERGED = "diverged"
    """The workflow ended otherwise than without the fault."""
    NOT_IDEMPOTENT = "not-idempotent"
    """The outside world is otherwise than without the fault, because a step ran again."""

    @property
    def is_engines(self) -> bool:
        """Whether it is a fault of the engine or of its store, whatever the workflow does."""
        return self in _OF_ENGINE


_OF_ENGINE: Final = frozenset(
    {
        FindingKind.RAISED,
        FindingKind.LOST,
        FindingKind.REPEATED,
        FindingKind.UNCOMMITTED,
        FindingKind.UNBRAKED,
    }
)


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a run did and must not do."""

    kind: FindingKind
    schedule: Schedule
    where: tuple[str, ...]
    """What the faults hit, in words."""
    steps: tuple[BodyName, ...]
    """The steps and compensations that it is put down to."""
    what: str
    also: tuple[str, ...] = ()
    """What else came out otherwise in the same run."""
    cause: str = ""
    """What one of those steps did otherwise than before, where that was seen."""
    times: int = 1
    """In how many runs it was found."""


_OF_ENDS: Final = (FindingKind.DIVERGED, FindingKind.NOT_IDEMPOTENT)
"""Kinds that are said once for each run, with everything that came out otherwise."""


def judge(expected: Outcome, found: Outcome, schedule: Schedule, *, strict: bool = True) -> list[Finding]:
    """Hold a run against the one without faults.

    A run over which as many processes died as its crash budget allows ends by that, and not as it does without faults.

    Args:
        expected: the run without faults.
        found: the run under the schedule.
        schedule: what went wrong in it.
        strict: hold the ends against each other; without it only what must hold whatever the clock says.
    """
    again = tuple(found.repeats())
    where = tuple(_words(point, schedule) for point in found.ledger.points if schedule.at(point.life, point.number))
    braked, deaths = found.ledger.deaths_in_a_row()
    is_braked = found.crash_budget is not None and deaths >= found.crash_budget
    told: list[tuple[FindingKind, str]] = []
    if found.stuck and not expected.stuck:
        told.append((FindingKind.STUCK, "the run did not come to its end"))
    if found.raised:
        told.append((FindingKind.RAISED, f"driving it raised {found.raised}"))
    told += [(FindingKind.LOST, line) for line in [*_lost(found), *_lost_events(found)]]
    told += [(FindingKind.LOST, f"{line} was neither taken nor refused") for line in found.unread]
    told += [(FindingKind.REPEATED, line) for line in _repeated(found)]
    told += [
        (
            FindingKind.UNCOMMITTED,
            f"`{body.activation}` began before the outcome of `{body.ran_ahead_of}` was committed",
        )
        for body in found.ledger.bodies
        if body.ran_ahead_of
    ]
    if is_braked:
        told += [(FindingKind.UNBRAKED, line) for line in _unbraked(found, braked, deaths)]
    elif strict:
        told += [(FindingKind.DIVERGED, line) for line in expected.compared(found)]
        outside = expected.compared_outside(found)
        kind = FindingKind.NOT_IDEMPOTENT if again else FindingKind.DIVERGED
        told += [(kind, line) for line in outside]
    findings = [Finding(kind, schedule, where, again, line) for kind, line in told if kind not in _OF_ENDS]
    ends = [[line for other, line in told if other is kind] for kind in _OF_ENDS]
    findings += [
        Finding(kind, schedule, where, again, lines[0], tuple(lines[1:]))
        for kind, lines in zip(_OF_ENDS, ends, strict=True)
        if lines
    ]
    return [_explained(item, found) if item.kind is FindingKind.DIVERGED else item for item in findings]


def _explained(finding: Finding, found: Outcome) -> Finding:
    """Put a divergence down to the steps that came to something else when they ran again."""
    fickle = found.fickle()
    return replace(finding, steps=tuple(fickle), cause=next(iter(fickle.values()))) if fickle else finding


def _words(point: Point, schedule: Schedule) -> str:
    times = next(item.times for item in schedule.faults if (item.life, item.point) == (point.life, point.number))
    again = f", {times} times" if times > 1 else ""
    life = f" (life {point.life + 1})" if point.life else ""
    return f"{schedule.at(point.life, point.number)} at {point}{life}{again}"


def _unbraked(found: Outcome, workflow_id: str, deaths: int) -> list[str]:
    """What an instance did after the last death that its crash budget allows, or over one more."""
    last = found.ledger.deaths[-1][0]
    after = [body for body in found.ledger.bodies if body.workflow_id == workflow_id and body.life > last]
    told = [f"`{body.activation}` ran after {deaths} deaths in a row" for body in after[:1]]
    outcome = found.instances.get(workflow_id)
    if outcome is not None and outcome.status != WorkflowStatus.FAILED_WORKER_CRASH:
        told.append(f"`{outcome.workflow_type}` ended as {outcome.status} after {deaths} deaths in a row")
    return told


def _lost(found: Outcome) -> list[str]:
    """Committed log entries that the store does not have."""
    told: list[str] = []
    for workflow_id, entries in found.ledger.committed.items():
        outcome = found.instances.get(workflow_id)
        if outcome is None:
            told.append(f"the instance {workflow_id} was committed and is gone")
            continue
        first = max(outcome.entries[0][0] if outcome.entries else 1, found.ledger.kept_from.get(workflow_id, 1))
        missing = [item for item in entries if item[0] >= first and item not in outcome.entries]
        told += [
            f"the log of `{outcome.workflow_type}` has lost entry {seq} ({kind} `{activation}`)"
            for seq, kind, activation in missing
        ]
        numbers = [seq for seq, _, _ in outcome.entries if seq >= first]  # older ones are of a saga
        if numbers != list(range(first, first + len(numbers))):
            told.append(f"the log of `{outcome.workflow_type}` has gaps: {numbers}")
        told += _recorded_twice(outcome.workflow_type, outcome.entries)
    return told


def _lost_events(found: Outcome) -> list[str]:
    """Committed events that the outbox does not have."""
    missing = Counter((item.topic, item.payload) for item in found.ledger.published)
    missing.subtract((item.topic, item.payload) for item in found.outbox)
    return [f"the event `{topic}` was committed and is not in the outbox" for (topic, _), n in missing.items() if n > 0]


def _recorded_twice(workflow_type: str, entries: list[tuple[int, str, str]]) -> list[str]:
    counts = Counter((kind, activation) for _, kind, activation in entries if kind in ("step", "compensate"))
    return [
        f"`{activation}` of `{workflow_type}` is recorded {n} times" for (_, activation), n in counts.items() if n > 1
    ]


def _repeated(found: Outcome) -> list[str]:
    return [
        f"`{body.activation}` of `{body.workflow_type}` ran again (attempt {body.attempt}) "
        "though its outcome had been committed"
        for body in found.ledger.bodies
        if body.committed_before
    ]
