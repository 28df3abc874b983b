"""A store that processes share: workers, and others that drive, with a ledger that their steps write."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from ruvon.builder import WorkflowBuilder
from ruvon.implementations.execution.queued import QueuedExecutionProvider
from ruvon.implementations.persistence.redis import RedisPersistenceProvider
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.providers import PersistenceProvider
from tests.support import postgres
from tests.support.redis import private_server

__all__ = ["FLOW", "ROOT", "Place", "freeze", "places"]

ROOT = Path(__file__).parents[2]
FLOW = ROOT / "tests" / "acceptance" / "queued_flow.py"


def freeze(process: "subprocess.Popen[Any]", database: Path) -> None:
    """Stop a process until SIGCONT, at a moment when it writes nothing into a SQLite file: the lock would be frozen, too."""
    while True:
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        if not _is_locked(database):
            return
        process.send_signal(signal.SIGCONT)


def _is_locked(database: Path) -> bool:
    if not database.is_file():
        return False  # no file: a server's connection holds rows only
    with closing(sqlite3.connect(database, timeout=0.5, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        connection.execute("ROLLBACK")
        return False


class Place:
    """A store that processes share, and the ledger that their steps write."""

    def __init__(self, folder: Path, url: str, open_store: Callable[[str], PersistenceProvider]) -> None:
        self.url = url
        self.open_store = open_store
        self.ledger = folder / "ledger.txt"
        self.workers: list[subprocess.Popen[bytes]] = []
        self._said = folder / "said.txt"
        """What the processes write: a file, because a pipe that nobody reads stops whoever writes much."""

    def builder(self) -> WorkflowBuilder:
        """The application that starts workflows and runs none of their steps."""
        builder = WorkflowBuilder(
            persistence_provider=self.open_store(self.url),
            execution_provider=QueuedExecutionProvider(),
            plugins=False,
            import_roots=["tests"],
        )
        builder.register(FLOW)
        return builder

    def work(self, *options: str) -> subprocess.Popen[bytes]:
        """One more worker."""
        command = [
            sys.executable,
            "-c",
            "from ruvon.cli import main; main()",
            "worker",
            "--db",
            self.url,
            "--workflows",
            str(FLOW),
        ]
        return self._begin([*command, "--import-root", str(ROOT / "tests"), "--lease", "5", *options])

    def drive(self, kind: str, workflow_id: str = "") -> subprocess.Popen[bytes]:
        """A process that drives and is no worker: `application` or `scheduler`."""
        return self._begin([sys.executable, "-m", "tests.acceptance.driving_flow", kind, self.url, workflow_id])

    def _begin(self, command: list[str]) -> subprocess.Popen[bytes]:
        with self._said.open("ab") as said:
            variables = {**os.environ, "RUVON_TEST_LEDGER": str(self.ledger)}
            made = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=said, stderr=said)
        self.workers.append(made)
        return made

    def go(self) -> None:
        """Let the steps end that wait for it."""
        self.ledger.with_name("go").touch()

    def lines(self) -> list[str]:
        """What the steps have written so far."""
        return self.ledger.read_text(encoding="utf-8").splitlines() if self.ledger.exists() else []

    def wait_for(self, enough: Callable[[list[str]], bool]) -> None:
        """Until the ledger has what is wanted."""
        deadline = time.monotonic() + 60
        while not enough(self.lines()):
            assert time.monotonic() < deadline, (self.lines(), self._said.read_text()[-4_000:])
            time.sleep(0.005)

    def wait_for_word(self, word: str) -> None:
        """Until a process has said something."""
        deadline = time.monotonic() + 60
        while word not in self._said.read_text():
            assert time.monotonic() < deadline, self._said.read_text()[-4_000:]
            time.sleep(0.01)

    def end(self) -> None:
        """End what still runs."""
        for made in self.workers:
            if made.poll() is None:
                made.send_signal(signal.SIGCONT)
                made.kill()
            made.wait()


@contextmanager
def places(kind: str, tmp_path: Path) -> "Iterator[Place]":
    """A file, PostgreSQL where there is one, and a Redis of the test's own: workers have the default prefix there."""
    with ExitStack() as stack:
        if kind == "redis":
            durable = ("--appendonly", "yes", "--appendfsync", "always")
            made = Place(
                tmp_path, stack.enter_context(private_server(tmp_path, *durable)).url, RedisPersistenceProvider
            )
        elif kind == "postgres":
            postgres.emptied()
            made = Place(tmp_path, postgres.database(), lambda _: postgres.store())
        else:
            made = Place(tmp_path, str(tmp_path / "shared.db"), SQLitePersistenceProvider)
        stack.callback(made.end)
        yield made
