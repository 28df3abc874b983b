"""Laws 1 and 4 under every fault: the reference workflows end as without it, and nothing committed is lost or repeated."""

import os
from pathlib import Path

import pytest

from ruvon.testing import CrashExplorer, CrashReport, SQLiteStores
from tests.simulation.cases import CASES, Case, scenario
from tests.support.cases import CAMPAIGN

SEEDS = int(os.environ.get("RUVON_SEEDS", "55"))
"""Random schedules for each reference workflow: 2,035 in all for 37 of them."""
SKEWED = int(os.environ.get("RUVON_SEEDS", max(CAMPAIGN // 35, 3)))
"""Further ones for each, with a wrong clock."""
FIRST = int(os.environ.get("RUVON_FIRST_SEED", "0"))
PAIRS = max(CAMPAIGN // 20, 3)


def _told(report: CrashReport) -> str:
    return "\n".join(f"{item.kind} [{item.schedule}] {'; '.join(item.where)}: {item.what}" for item in report.findings)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_without_faults_it_ends_as_it_says(case: Case) -> None:
    """The run that all others are held against is the one that its author meant."""
    outcome = scenario(case).run()

    assert not outcome.stuck
    assert next(iter(outcome.instances.values())).status == case.ends


@pytest.mark.campaign
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_single_fault_on_memory(case: Case) -> None:
    """S4-031, W1 to W3: every point of every reference workflow, before and after, and failing stores."""
    report = CrashExplorer(scenario(case)).explore(pairs=PAIRS)

    assert report.runs > report.points
    assert report.ok, _told(report)


@pytest.mark.campaign
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_single_fault_on_a_file(case: Case, tmp_path: Path) -> None:
    """The same on a SQLite file, where a death may also cut a commit in two."""
    report = CrashExplorer(scenario(case, lambda: SQLiteStores(tmp_path)), torn=True).explore()

    assert report.runs > report.points
    assert report.ok, _told(report)


@pytest.mark.campaign
def test_sql_of_steps_happens_exactly_once(tmp_path: Path) -> None:
    """A step's own rows are written with its commit or not at all, wherever the process dies, torn commits included."""
    case = Case("Transacting", "COMPLETED")
    made = scenario(case, lambda: SQLiteStores(tmp_path))
    assert next(iter(made.run().instances.values())).result == ("list", [1, 2, 3, 4, 5])

    report = CrashExplorer(made, torn=True).explore(pairs=PAIRS, seeds=SEEDS)

    assert report.ok, _told(report)
    assert {item.step for item in report.steps if item.repeats} >= {"book", "book_and_fail"}


@pytest.mark.campaign
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_random_schedules(case: Case) -> None:
    """Up to four faults a run, with bodies and commits that take their time."""
    report = CrashExplorer(scenario(case)).explore(singles=False, seeds=SEEDS, first_seed=FIRST)

    assert report.runs == SEEDS
    assert report.ok, _told(report)


def test_the_random_schedules_are_at_least_two_thousand() -> None:
    """The number that is promised, however many reference workflows there are; a shorter run must be asked for."""
    assert len(CASES) >= 24
    assert "RUVON_SEEDS" in os.environ or SEEDS * len(CASES) >= 2_000


@pytest.mark.campaign
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_wrong_clock_loses_and_repeats_nothing(case: Case) -> None:
    """E4: after a crash the wall clock is wrong by up to ten years; what must hold whatever the clock says still holds."""
    report = CrashExplorer(scenario(case), skewed=True).explore(
        singles=False, seeds=SKEWED, first_seed=FIRST + 10_000_000
    )

    assert report.ok, _told(report)
