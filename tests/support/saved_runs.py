"""Instances of every reference workflow, broken off in their middle and kept, to prove that later versions finish them.

python -m tests.support.saved_runs

writes `tests/golden/saved_runs/VERSION.tar.xz` for the present version: one SQLite file for each workflow and stop, and
beside them how each ended when this version went on with it. Archives of earlier versions are never written again. The
older `tests/golden/saved_db` holds what an application leaves in one file beside running instances; its tests are about
the file, these are about the runs.
"""

import io
import json
import random
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.models import WorkflowStatus
from ruvon.providers import Clock, PersistenceProvider
from ruvon.testing import Fault, FaultKind, Outcome, OutsideWorld, PointKind, Schedule, SQLiteStores
from tests.simulation import flows
from tests.simulation.cases import CASES, Case, builder, scenario
from tests.support.golden import GOLDEN
from tests.support.saved_database import forget_folder

__all__ = ["SAVED", "Saved", "ended", "go_on", "main_row", "saved_runs"]

SAVED = GOLDEN / "saved_runs"
VERSION = version("ruvon")
_STOPS = (0.2, 0.35, 0.5, 0.65, 0.8)
"""Where a run is broken off, as parts of its commits; a run that has ended there is not kept."""


@dataclass(frozen=True)
class Saved:
    """One instance that was broken off."""

    version: str
    name: str
    stop: int
    outside: dict[str, dict[str, Any]]
    """What its steps had done outside by then."""
    ended: str
    """How it ended when the version that saved it went on."""

    @property
    def file(self) -> str:
        """Its file in the archive."""
        return f"{self.name}-{self.stop}.sqlite"

    @property
    def case(self) -> Case:
        """Its workflow, with what comes to it from outside."""
        return next(item for item in CASES if item.name == self.name)


class Stopped(Exception):
    """The run is broken off."""


class StoppingStores:
    """A file that is kept when its process dies."""

    def __init__(self, folder: Path) -> None:
        self._inner = SQLiteStores(folder)

    @property
    def path(self) -> Path:
        """The file."""
        return self._inner.path

    async def open(self, clock: Clock, /) -> PersistenceProvider:
        """A fresh file."""
        return await self._inner.open(clock)

    async def lose(self, store: PersistenceProvider, chance: random.Random | None, /) -> None:
        """Keep what is there, and go no further."""
        await self._inner.lose(store, chance)
        raise Stopped

    async def discard(self) -> None:
        """It is kept."""


class SavedStores:
    """A file that is there already."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def open(self, clock: Clock, /) -> PersistenceProvider:
        """The file, as a later process finds it."""
        return SQLitePersistenceProvider(self._path, durability="OFF", clock=clock)

    async def lose(self, store: PersistenceProvider, chance: random.Random | None, /) -> None:
        """Nobody dies here."""

    async def discard(self) -> None:
        """The test's folder is thrown away."""


def go_on(saved: Saved, path: Path) -> Outcome:
    """Drive a saved instance to its end."""
    definitions = [builder().get_definition(item) for item in builder().registered_types()]

    def as_it_was() -> None:
        for name, kept in saved.outside.items():
            found = vars(flows)[name]
            found.clear()
            found.update(kept)

    made = scenario(saved.case, lambda: SavedStores(path))
    made.outside = OutsideWorld(definitions, reset=as_it_was)
    return made.run()


def ended(outcome: Outcome) -> str:
    """How a run ended, as text: instances and the outside world."""
    instances = sorted(
        (item.workflow_type, item.status, repr((item.state, item.result, item.error, item.steps)))
        for item in outcome.instances.values()
    )
    kept: dict[str, Any] = {
        name: value for name, value in outcome.outside.items() if name.rpartition(".")[2] in ("BANK", "BALANCE")
    }
    bank = {
        name: sorted(cast("dict[str, object]", value[1]).items()) for name, value in kept.items()
    }  # branches do them in any order
    return f"{instances} {sorted(bank.items())}"


@cache
def saved_runs(archive: Path) -> tuple[Saved, ...]:
    """What an archive holds."""
    with tarfile.open(archive) as tar:
        member: Any = tar.extractfile("runs.json")
        return tuple(Saved(**item) for item in json.load(member))


def make(folder: Path) -> Iterator[Saved]:
    """Break off each reference workflow at its stops, and go on with a copy."""
    for case in CASES:
        calm = scenario(case).run()
        commits = [point.number for point in calm.ledger.points if point.kind is PointKind.COMMIT]
        for stop in sorted({commits[int(len(commits) * part)] for part in _STOPS}):
            made = _broken_off(case, stop, folder)
            _keep(folder / "life-1.db", folder / made.file)
            if WorkflowStatus(main_row(folder / made.file)[0]).is_terminal:
                continue
            copy = folder / "copy.db"
            copy.write_bytes((folder / made.file).read_bytes())
            yield replace(made, ended=ended(go_on(made, copy)))
            for file in folder.glob("copy.db*"):
                file.unlink()


def main_row(path: Path) -> tuple[str, str]:
    """Status of the instance that a saved file is about, and what it waits for."""
    connection = sqlite3.connect(path)
    try:
        query = "SELECT status, waiting_for FROM workflow_executions WHERE parent_id IS NULL ORDER BY key"
        status, waits = connection.execute(query).fetchone()
        return status, waits or "[]"
    finally:
        connection.close()


def _broken_off(case: Case, stop: int, folder: Path) -> Saved:
    try:
        scenario(case, lambda: StoppingStores(folder)).run(Schedule((Fault(0, stop, FaultKind.DIE_AFTER),)))
    except Stopped:
        outside = {name: dict(vars(flows)[name]) for name in ("BANK", "BALANCE")}
        return Saved(VERSION, case.name, stop, outside, "")
    raise AssertionError(f"{case.name} does not reach {stop}")


def _keep(path: Path, target: Path) -> None:
    """One file without a log, that does not tell where it was made."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    forget_folder(path)
    path.replace(target)


def write() -> Path:
    """Write the archive of the present version."""
    SAVED.mkdir(exist_ok=True)
    target = SAVED / f"{VERSION}.tar.xz"
    with tempfile.TemporaryDirectory() as name, tarfile.open(target, "w:xz", preset=9) as tar:
        made = list(make(Path(name)))
        _add(tar, "runs.json", json.dumps([vars(item) for item in made], indent=1).encode())
        for item in made:
            _add(tar, item.file, (Path(name) / item.file).read_bytes())
    return target


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


if __name__ == "__main__":
    write()
