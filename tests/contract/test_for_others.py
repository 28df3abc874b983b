"""The contract suites as somebody else runs them: the pages' example in a folder of its own, under a pytest of its own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "extending.md"

NO_GUARD = '''
from dataclasses import replace

import pytest
from counted_store import CountedStore


class Unguarded(CountedStore):
    """Writes whatever it is given, however old."""

    async def commit(self, transition):
        if transition.expected >= 0:
            found = await self.load_instance(transition.workflow_id)
            transition = replace(transition, expected=found.revision)
        await super().commit(transition)


@pytest.fixture
def store_factory():
    return Unguarded
'''
NO_FENCE = '''
from dataclasses import replace

import pytest
from counted_store import CountedStore

from ruvon.providers import TaskFilter


class Unfenced(CountedStore):
    """Takes the report of whoever had a task once."""

    async def report_tasks(self, reports):
        known = {item.task_id: item.lease_epoch for item in await self.find_tasks(TaskFilter())}
        return await self._inner.report_tasks(
            [replace(item, lease_epoch=known.get(item.task_id, item.lease_epoch)) for item in reports]
        )


@pytest.fixture
def store_factory():
    return Unfenced
'''
BARE = "from ruvon.testing.contracts import PersistenceContract\n\n\nclass TestTheirs(PersistenceContract): ...\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files of the page."""
    for block in re.finditer(r"^```python\n(# (\w+\.py)\n.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE):
        (tmp_path / block[2]).write_text(block[1])
    return tmp_path


def outcome(folder: Path, module: str) -> tuple[int, list[str], str]:
    """What pytest ends with there, which tests have failed, and what it said."""
    command = [sys.executable, "-m", "pytest", "-q", "-rf", "-p", "no:cacheprovider", module]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, re.findall(r"^FAILED \S+::(\w+)", done.stdout, re.MULTILINE), done.stdout


@pytest.mark.parametrize("module", ["test_counted_store.py", "test_own_executor.py"])
def test_a_provider_of_somebody_else_passes(folder: Path, module: str) -> None:
    """One class and one fixture run the whole suite."""
    code, failed, said = outcome(folder, module)

    assert (code, failed) == (0, []), said
    assert "passed" in said
    assert "skipped" not in said


@pytest.mark.parametrize(
    ("conftest", "caught", "shown"),
    [
        (NO_GUARD, "test_a_stale_transition_writes_nothing", "DID NOT RAISE"),
        (NO_FENCE, "test_a_worker_that_lost_its_lease_is_not_heard", "assert [True, True] == [False, True]"),
    ],
)
def test_a_broken_provider_fails(folder: Path, conftest: str, caught: str, shown: str) -> None:
    """A store without the guard of revisions, and one without the fence of leases; the fixture is in a conftest here."""
    (folder / "conftest.py").write_text(conftest)
    (folder / "test_theirs.py").write_text(BARE)

    code, failed, said = outcome(folder, "test_theirs.py")

    assert code == 1, said
    assert caught in failed
    assert shown in said, "the assertions of the suite show what they compare"
