"""A SQLite file that another process locks, or that may not be written: a sentence with what to do, and nothing is lost."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ruvon.implementations.persistence.sqlite import (
    DatabaseFileError,
    SQLitePersistenceProvider,
    _connection,
    _database,
)
from ruvon.testing.contracts._records import create, step
from tests.cli.conftest import ROOT, RUVON, Command, place, ruvon

__all__ = ["place", "ruvon"]

LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute(f"PRAGMA locking_mode = {sys.argv[2]}")
connection.execute("BEGIN EXCLUSIVE")
connection.execute("CREATE TABLE elsewhere (n)")
print("locked", flush=True)
sys.stdin.read()
"""
LOCKED = "cannot be used: another process keeps it locked; stop that process or wait"
RIGHTS = "the rights of the file and its folder"
LOCK_RIGHTS = "check the rights of both files and of their folder"


@contextmanager
def locked(path: Path, mode: str) -> Iterator[None]:
    """Another process is in the middle of a transaction; "exclusive" keeps readers out, too."""
    command = [sys.executable, "-c", LOCKER, str(path), mode]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "locked\n"
        try:
            yield
        finally:
            child.kill()


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock is waited for a moment only."""
    monkeypatch.setattr(_connection, "_BUSY_TIMEOUT_S", 0.05)


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("mode", ["normal", "exclusive"])
def test_a_command_says_that_another_process_locks_the_file(place: Path, ruvon: Command, mode: str) -> None:
    """With the exit code of a database that cannot be used; when the lock is gone the command does its work."""
    assert ruvon("db", "init", "--db", "a.db").code == 0

    with locked(place / "a.db", mode):
        done = ruvon("list", "--db", "a.db")

    assert (done.code, done.out) == (3, "")
    assert LOCKED in done.err
    assert "Traceback" not in done.text
    assert ruvon("list", "--db", "a.db").code == 0


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("mode", ["normal", "exclusive"])
def test_a_new_file_that_is_locked_is_left_alone(tmp_path: Path, mode: str) -> None:
    """Whoever made it has not committed yet, so it is not known whose it is."""
    path = tmp_path / "a.db"

    with locked(path, mode), pytest.raises(DatabaseFileError, match="another process keeps it locked"):
        asyncio.run(SQLitePersistenceProvider(path).initialize())


@pytest.mark.usefixtures("_impatient")
def test_a_lock_is_waited_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has waited in vain to look at the file does not open it to wait again."""
    path, opened = tmp_path / "a.db", list[str]()
    asyncio.run(closed_again(path))
    monkeypatch.setattr(_database, "open_connection", lambda path, _durability: opened.append(path))

    with locked(path, "exclusive"), pytest.raises(DatabaseFileError, match="another process keeps it locked"):
        asyncio.run(SQLitePersistenceProvider(path).initialize())

    assert opened == []


async def closed_again(path: Path) -> None:
    """A file of ours."""
    store = SQLitePersistenceProvider(path)
    await store.initialize()
    await store.close()


@pytest.mark.usefixtures("_impatient")
def test_commits_under_a_lock_fail_alone_and_can_be_made_again(tmp_path: Path) -> None:
    """Nothing of a refused commit is there; behind the lock it is made as if nothing had been."""
    path = tmp_path / "a.db"

    async def scenario() -> None:
        store = SQLitePersistenceProvider(path)
        await store.initialize()
        records = [await create(store) for _ in range(5)]
        with locked(path, "normal"):
            answers: list[Any] = await asyncio.gather(
                *(store.commit(step(record, 1)) for record in records), return_exceptions=True
            )
            assert [type(answer) for answer in answers] == [DatabaseFileError] * 5
            assert LOCKED in str(answers[0])
            assert [(await store.load_instance(record.workflow_id)).revision for record in records] == [0] * 5
        for record in records:
            await store.commit(step(record, 1))
            assert [entry.seq for entry in await store.read_log(record.workflow_id)] == [1]
        assert await store.check() == []
        await store.close()

    asyncio.run(scenario())


def without_rights() -> list[str]:
    """What begins a command whose process has no more rights than those of the files say."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root may write everything; `setpriv` is needed to take that right away")
    less = "-dac_override,-dac_read_search"
    return ["setpriv", f"--bounding-set={less}", f"--inh-caps={less}"]


@pytest.mark.parametrize(
    ("file", "lock", "folder", "says"),
    [
        (0o444, 0o444, 0o755, LOCK_RIGHTS),
        (0o444, 0o644, 0o755, RIGHTS),
        (0o644, 0o444, 0o755, LOCK_RIGHTS),
        (0o000, 0o000, 0o755, RIGHTS),
        (0o444, 0o444, 0o555, RIGHTS),
        (0o644, None, 0o555, RIGHTS),
    ],
)
@pytest.mark.parametrize("command", [("list",), ("db", "status"), ("db", "migrate")], ids=" ".join)
def test_a_file_that_may_not_be_written_is_a_sentence(
    place: Path, ruvon: Command, file: int, lock: int | None, folder: int, says: str, command: tuple[str, ...]
) -> None:
    """Read-only files, read-only folders, no rights at all."""
    shelf = place / "shelf"
    shelf.mkdir()
    assert ruvon("db", "init", "--db", "shelf/a.db").code == 0
    (shelf / "a.db").chmod(file)
    if lock is None:
        (shelf / "a.db.lock").unlink()
    else:
        (shelf / "a.db.lock").chmod(lock)
    shelf.chmod(folder)
    try:
        done = subprocess.run(
            [*without_rights(), *RUVON, *command, "--db", "shelf/a.db"],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    finally:
        shelf.chmod(0o755)

    assert (done.returncode, done.stdout) == (3, "")
    assert "the SQLite database shelf/a.db cannot be used: " in done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
