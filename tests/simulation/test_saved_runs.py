"""Instances that earlier versions have broken off are loaded and finished by this one, as they themselves would have."""

import json
import shutil
import tarfile
from pathlib import Path

import pytest

from ruvon.engine import WaitKind
from ruvon.models import WorkflowStatus
from tests.simulation import flows
from tests.simulation.cases import CASES
from tests.support.saved_runs import SAVED, Saved, ended, go_on, main_row, saved_runs

ARCHIVES = sorted(SAVED.glob("*.tar.xz"))
RUNS = [(archive, item) for archive in ARCHIVES for item in saved_runs(archive)]


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of every archive, as they were saved; runs go on in copies."""
    folder = tmp_path_factory.mktemp("saved")
    for archive in ARCHIVES:
        with tarfile.open(archive) as tar:
            tar.extractall(folder / archive.stem, filter="data")
    return folder


@pytest.mark.parametrize(
    ("archive", "saved"), RUNS, ids=[f"{item.version}-{item.name}-{item.stop}" for _, item in RUNS]
)
def test_a_saved_run_is_finished(archive: Path, saved: Saved, unpacked: Path, tmp_path: Path) -> None:
    """Every kind and nesting, broken off early and late: status, state, result, order of steps and effects are as recorded."""
    copy = Path(shutil.copy(unpacked / archive.stem / saved.file, tmp_path))

    assert ended(go_on(saved, copy)) == saved.ended


def test_every_reference_workflow_is_kept() -> None:
    """The newest archive has each of them, most at several places, and no archive is large."""
    kept = [item.name for item in saved_runs(ARCHIVES[-1])]

    assert set(kept) == {case.name for case in CASES}
    assert len(kept) > 3 * len(CASES)
    assert all(archive.stat().st_size < 1_000_000 for archive in ARCHIVES)


def test_saved_runs_stand_in_every_kind_of_wait(unpacked: Path) -> None:
    """None has ended, so each has something to finish; some wait in each way that there is, and some roll back."""
    newest = ARCHIVES[-1]
    rows = [main_row(unpacked / newest.stem / item.file) for item in saved_runs(newest)]
    statuses = {WorkflowStatus(status) for status, _ in rows}
    waits = {wait["kind"] for _, text in rows for wait in json.loads(text)}

    assert not any(status.is_terminal for status in statuses)
    assert WorkflowStatus.COMPENSATING in statuses
    assert waits == {kind.value for kind in WaitKind} - {"task"}  # nothing is queued for a worker yet


def test_a_saved_run_that_ends_otherwise_is_noticed(
    unpacked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison can fail: with steps that do otherwise outside, the run ends otherwise."""
    archive, saved = next((archive, item) for archive, item in RUNS if item.name == "Sequence")
    copy = Path(shutil.copy(unpacked / archive.stem / saved.file, tmp_path))
    monkeypatch.setattr(flows, "effect", lambda context, what: flows.BANK.setdefault("one", what))

    assert ended(go_on(saved, copy)) != saved.ended
