"""Workers as real processes: `ruvon worker` and Celery, with their output in a file that a failing test can show."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

__all__ = ["ROOT", "Process", "celery_worker", "ruvon_worker"]

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SECONDS = 90


class Process:
    """A process in a group of its own."""

    def __init__(self, command: list[str], log: Path, ready: str, variables: Mapping[str, str]) -> None:
        self.log = log
        self.ready = ready
        env = {
            **os.environ,
            "RUVON_IMPORT_ROOTS": "tests:ruvon.testing.contracts",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            **variables,
        }
        with log.open("w") as file:
            self.child = subprocess.Popen(
                command, cwd=ROOT, env=env, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
            )

    def await_ready(self) -> None:
        """Until it says that it works."""
        until = time.monotonic() + SECONDS
        while self.ready not in self.said():
            assert self.child.poll() is None, f"it has ended:\n{self.said()}"
            assert time.monotonic() < until, f"it does not get ready:\n{self.said()}"
            time.sleep(0.05)

    def said(self) -> str:
        """Its output so far."""
        return self.log.read_text(encoding="utf-8")

    def kill(self) -> None:
        """SIGKILL for it and its children."""
        if self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait(SECONDS)

    def stop(self) -> int:
        """SIGTERM, and its exit status; killed where it does not end."""
        self.child.terminate()
        try:
            return self.child.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


@contextmanager
def _running(*processes: Process) -> Iterator[tuple[Process, ...]]:
    try:
        for process in processes:
            process.await_ready()
        yield processes
    finally:
        for process in processes:
            if process.child.poll() is None:
                process.stop()


@contextmanager
def ruvon_worker(folder: Path, db: str, *arguments: str) -> Iterator[Process]:
    """`ruvon worker`, ready."""
    command = [str(BIN / "ruvon"), "worker", "--db", db, *arguments]
    variables = {"RUVON_WORKFLOWS": str(folder / "none")}
    with _running(Process(command, folder / "worker.log", " runs; ", variables)) as (process,):
        yield process


@contextmanager
def celery_worker(
    folder: Path,
    db: str,
    broker: str,
    namespace: str,
    *arguments: str,
    count: int = 1,
    lease: float = 30,
    batch: int = 32,
) -> Iterator[tuple[Process, ...]]:
    """So many Celery workers, ready; each process has at most `batch` tasks in hand."""
    variables = {
        "RUVON_WORKFLOWS": str(folder / "none"),
        "RUVON_DB_URL": db,
        "RUVON_CELERY_BROKER_URL": broker,
        "RUVON_CELERY_NAMESPACE": namespace,
        "RUVON_WORKER_LEASE": str(lease),
        "RUVON_CELERY_BATCH": str(batch),
    }
    command = [str(BIN / "celery"), "-A", "ruvon.celery_app", "worker", "--loglevel", "info", *arguments]
    made = [
        Process([*command, "-n", f"{namespace}-{number}@%h"], folder / f"celery{number}.log", " ready.", variables)
        for number in range(count)
    ]
    with _running(*made) as processes:
        yield processes
