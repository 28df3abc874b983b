"""The crash budget under the explorer: as many deaths over one body as it allows end the run there, one fewer do not."""

from pathlib import Path

import pytest

from ruvon.engine import WorkerCrashError
from ruvon.models import WorkflowStatus
from ruvon.testing import CrashExplorer, CrashReport, Fault, FaultKind, MemoryStores, Outcome, Schedule, SQLiteStores
from tests.simulation.cases import CASES, Case, scenario

BUDGET = 5
"""What a builder has where nothing is said."""
BRAKED = (
    "Sequence",
    "Loops",
    "Mapped",
    "Rolled",
    "Caught",
    "Retried",
    "Parent",
    "PerTurn",
    "Approval",
    "CancelledSaga",
)


def _case(name: str) -> Case:
    return next(item for item in CASES if item.name == name)


def _dies_over(
    name: str, step: str, times: int, kind: FaultKind = FaultKind.DIE_AFTER, *, of: str | None = None
) -> Outcome:
    """The workflow, when the process dies over the first run of a step, of it or `of` a child, again and again."""
    made = scenario(_case(name))
    found = [item for item in made.run().ledger.bodies if (item.workflow_type, str(item.name)) == (of or name, step)]
    body = found[0]
    return made.run(Schedule((Fault(0, body.point, kind, times),)))


def _root(outcome: Outcome) -> tuple[str, list[str]]:
    found = next(iter(outcome.instances.values()))
    return found.status, [kind for _, kind, _ in found.entries]


def test_as_many_deaths_as_the_budget_allows_end_the_run() -> None:
    """SEMANTICS 8.2: the body is not run again, neither are compensations, and the history counts every death."""
    outcome = _dies_over("Rolled", "fail", BUDGET)
    status, kinds = _root(outcome)

    assert status == WorkflowStatus.FAILED_WORKER_CRASH
    assert next(iter(outcome.instances.values())).error is not None
    assert (next(iter(outcome.instances.values())).error or ("",))[0] == WorkerCrashError.__name__
    assert kinds[-BUDGET - 2 :] == [*["crash"] * BUDGET, "error", "end"]
    assert not any(body.compensates for body in outcome.ledger.bodies)
    assert sum(body.step == "fail" for body in outcome.ledger.bodies) == BUDGET


def test_one_death_fewer_leads_to_the_normal_end() -> None:
    """The run goes on where it stood, and rolls back as it does without deaths."""
    outcome = _dies_over("Rolled", "fail", BUDGET - 1)
    status, kinds = _root(outcome)

    assert status == WorkflowStatus.FAILED_ROLLED_BACK
    assert kinds.count("crash") == BUDGET - 1
    assert scenario(_case("Rolled")).run().compared(outcome) == []


def test_deaths_before_a_body_count_as_those_after_it() -> None:
    """Whoever dies on the way to the effect has died over it."""
    assert _root(_dies_over("Sequence", "add", BUDGET, FaultKind.DIE_BEFORE))[0] == WorkflowStatus.FAILED_WORKER_CRASH
    assert _root(_dies_over("Sequence", "add", BUDGET - 1, FaultKind.DIE_BEFORE))[0] == WorkflowStatus.COMPLETED


def test_a_compensation_that_kills_ends_the_rollback() -> None:
    """The brake holds in a rollback, too; what is undone by then stays undone, the rest stays as it is."""
    outcome = _dies_over("Rolled", "square (compensation)", BUDGET)

    assert _root(outcome)[0] == WorkflowStatus.FAILED_WORKER_CRASH


def test_a_child_that_kills_is_stopped_and_its_parent_told() -> None:
    """The parent only waits, so nothing is counted for it."""
    outcome = _dies_over("Parent", "add", BUDGET, of="Leaf")
    ends = [item.status for item in outcome.instances.values()]

    assert ends.count(WorkflowStatus.FAILED_WORKER_CRASH) == 1
    assert ends[0] == WorkflowStatus.FAILED_CHILD_WORKFLOW


@pytest.mark.campaign
@pytest.mark.parametrize("name", BRAKED)
def test_the_brake_at_many_places(name: str) -> None:
    """Bodies in sequences, turns, branches, handlers, rollbacks, children: stopped in time, and not too early."""
    report = CrashExplorer(scenario(_case(name), MemoryStores)).explore(singles=False, brakes=6)

    assert report.runs >= 2
    assert report.ok, _told(report)


@pytest.mark.campaign
def test_the_brake_on_a_file(tmp_path: Path) -> None:
    """The marks of the file of the locks say who died."""
    report = CrashExplorer(scenario(_case("Rolled"), lambda: SQLiteStores(tmp_path))).explore(singles=False, brakes=4)

    assert report.ok, _told(report)


def _told(report: CrashReport) -> str:
    return "\n".join(f"{item.kind} [{item.schedule}] {'; '.join(item.where)}: {item.what}" for item in report.findings)
