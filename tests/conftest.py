"""What every test shares: the switch that rewrites golden files, and quiet hypothesis settings."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support import brokers, postgres
from tests.support.cases import CASES
from tests.support.golden import check_golden

settings.register_profile(
    "ruvon",
    max_examples=CASES,
    deadline=None,  # a deadline would be a timed assertion
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
settings.load_profile("ruvon")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest --regen` rewrites golden files instead of comparing with them."""
    parser.addoption("--regen", action="store_true", help="rewrite golden files")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Compare a text with a golden file, or rewrite the file under `--regen`."""
    regenerate = bool(request.config.getoption("--regen"))
    return lambda path, text: check_golden(path, text, regenerate=regenerate)


def pytest_report_header() -> str:
    """Say which database server the tests use, or that there is none."""
    return f"PostgreSQL: {postgres.described()}; brokers: {brokers.described()}"


def pytest_unconfigure() -> None:
    """Drop what this process has created on the database server."""
    postgres.drop()
