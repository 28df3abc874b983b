"""Which servers the tests ran against: what each one used, what was missing, and the last words of a run about it.

A test is said to have used a server when it asked for it; process by process the names travel with the test's report, so
that the tally is whole under `-n` too. A run that skipped tests because PostgreSQL or Redis is missing fails, unless
`RUVON_TEST_ALLOW_MISSING=1` says that it may.
"""

import os
import re
from collections import defaultdict
from typing import NoReturn

import pytest

__all__ = ["PROPERTY", "Tally", "drained", "missing", "used"]

PROPERTY = "ruvon server"
_REQUIRED = ("PostgreSQL", "Redis")
_MISSING = re.compile(r"Skipped: (\w+) is missing: (.*)", re.DOTALL)
_USED: set[str] = set()


def used(server: str) -> None:
    """Note that the test that runs now uses this server."""
    _USED.add(server)


def drained() -> list[str]:
    """What was noted since the last call."""
    found = sorted(_USED)
    _USED.clear()
    return found


def missing(server: str, remedy: str) -> NoReturn:
    """Skip the test that runs now, for want of a server; the run tells of it at its end."""
    pytest.skip(f"{server} is missing: {remedy}")


class Tally:
    """How many tests ran against which server, and how many did not because there was none."""

    def __init__(self) -> None:
        self._ran: defaultdict[str, set[str]] = defaultdict(set)
        self._skipped: defaultdict[tuple[str, str], set[str]] = defaultdict(set)

    def add(self, report: pytest.TestReport) -> None:
        """Count a report of a test's setup, call or teardown."""
        for name, server in report.user_properties:
            if name == PROPERTY:
                self._ran[str(server)].add(report.nodeid)
        if report.skipped and isinstance(report.longrepr, tuple):
            found = _MISSING.fullmatch(report.longrepr[2])
            if found is not None:
                self._skipped[found[1], found[2]].add(report.nodeid)

    @property
    def unheard(self) -> list[str]:
        """The required servers that were missed."""
        return sorted({server for server, _ in self._skipped if server in _REQUIRED})

    @property
    def fails(self) -> bool:
        """Whether the run may not end well."""
        return bool(self.unheard) and os.environ.get("RUVON_TEST_ALLOW_MISSING") != "1"

    def lines(self) -> list[str]:
        """What is said at the end; nothing where no test wanted a server."""
        said = [f"{server}: {len(tests)} tests" for server, tests in sorted(self._ran.items())]
        said += [
            f"{server}: {len(tests)} tests SKIPPED, {why}" for (server, why), tests in sorted(self._skipped.items())
        ]
        if self.fails:
            said.append(
                f"The run fails for want of {' and '.join(self.unheard)}; RUVON_TEST_ALLOW_MISSING=1 lets it pass without."
            )
        return said
