"""What races with what: answers and signals with the timeout of their wait, a request to cancel with a rollback."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from ruvon.testing import CrashExplorer, CrashReport
from tests.simulation.cases import CANCELLED_SCOPE, Case, answered, paid, scenario

MINUTE = timedelta(minutes=1)
BEFORE, AT, BEHIND = 59 * MINUTE, 60 * MINUTE, 61 * MINUTE
LATE = 5 * MINUTE
"""How late whoever drives the run is."""

RACES = [
    (answered, BEFORE, 0 * MINUTE, "answer", 0),
    (answered, AT, 0 * MINUTE, "timeout", 0),  # nobody is asked any more
    (answered, BEHIND, 0 * MINUTE, "timeout", 0),
    (answered, BEFORE, LATE, "answer", 0),
    (answered, AT, LATE, "timeout", 1),
    (answered, BEHIND, LATE, "timeout", 1),
    (paid, BEFORE, 0 * MINUTE, "signal", 0),
    (paid, AT, 0 * MINUTE, "timeout", 1),
    (paid, BEHIND, 0 * MINUTE, "timeout", 1),
    (paid, BEFORE, LATE, "signal", 0),
    (paid, AT, LATE, "timeout", 1),
    (paid, BEHIND, LATE, "timeout", 1),
]


@pytest.mark.parametrize(("make", "after", "lag", "winner", "refused"), RACES)
def test_one_of_both_wins_whoever_dies(
    make: Callable[[timedelta, timedelta], Case], after: timedelta, lag: timedelta, winner: str, refused: int
) -> None:
    """Before, at and behind the moment that is due; the state is the winner's, and the loser is in the history."""
    case = make(after, lag)
    calm = next(iter(scenario(case).run().instances.values()))
    assert calm.result == winner
    assert [kind for _, kind, _ in calm.entries].count("late") == refused
    assert len(calm.steps[""]) == 1  # one of the two notes

    report = CrashExplorer(scenario(case)).explore(pairs=6, seeds=6)

    assert report.runs > report.points
    assert report.ok, _told(report)


def test_a_cancel_during_the_rollback_of_a_scope_takes_effect_whoever_dies() -> None:
    """The scope is undone to its end, then what is around it; its handler does not run, `finally` does."""
    calm = next(iter(scenario(CANCELLED_SCOPE).run().instances.values()))
    assert calm.status == CANCELLED_SCOPE.ends
    assert calm.steps[""] == [
        "add", "square", "stubborn", "stubborn:compensate", "square:compensate", "note_2", "add:compensate",
    ]  # fmt: skip

    report = CrashExplorer(scenario(CANCELLED_SCOPE)).explore(pairs=10, seeds=10)

    assert report.ok, _told(report)


def _told(report: CrashReport) -> str:
    return "\n".join(f"{item.kind} [{item.schedule}] {'; '.join(item.where)}: {item.what}" for item in report.findings)
