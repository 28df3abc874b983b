"""What every test shares: the switch that rewrites golden files, quiet hypothesis settings, the tally of servers."""

import gc
import os
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support import brokers, folders, postgres, servers
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
folders.prefer_memory()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest --regen` rewrites golden files instead of comparing with them."""
    parser.addoption("--regen", action="store_true", help="rewrite golden files")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Compare a text with a golden file, or rewrite the file under `--regen`."""
    regenerate = bool(request.config.getoption("--regen"))
    return lambda path, text: check_golden(path, text, regenerate=regenerate)


TALLY = servers.Tally()
REQUIRE = {"PostgreSQL": postgres.require, "RabbitMQ": brokers.require_rabbitmq}


def pytest_configure(config: pytest.Config) -> None:
    """Give the run a cache of compiled definitions, which workers and the processes that tests start inherit."""
    config.add_cleanup(folders.own_cache())


def pytest_collection() -> None:
    """Look for no garbage while modules are imported and tests are made: all of it stays."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Take thirteen thousand tests, which stay to the end, out of what every full garbage collection looks at; and look
    less often, because a test ends before it has made much garbage.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that needs a server that is not there, before its fixtures look for it."""
    servers.drained()
    for mark in item.iter_markers("needs"):
        REQUIRE[mark.args[0]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Send along which servers the test has used."""
    report = yield
    report.user_properties += [(servers.PROPERTY, name) for name in servers.drained()]
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count it."""
    TALLY.add(report)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what ran against what, and what did not run."""
    if lines := TALLY.lines():
        terminalreporter.section("servers")
        for line in lines:
            terminalreporter.line(line)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let the run fail that has left out tests because PostgreSQL or Redis was missing, unless it may."""
    if TALLY.fails and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure() -> None:
    """Drop what this process has created on the database server."""
    postgres.drop()
