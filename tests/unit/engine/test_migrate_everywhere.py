"""Moving an instance to a definition that differs in its version only changes nothing, wherever it waits."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ruvon.engine import RepairError
from ruvon.engine._migrate import check_migration, migrate
from ruvon.ir import load
from ruvon.models import WAITING_STATUSES, WorkflowStatus
from ruvon.testing import SQLiteStores
from ruvon.testing._driving import rows_of
from ruvon.testing._loop import VirtualLoop, run_virtual
from tests.simulation import flows
from tests.simulation.cases import CASES, Case, builder
from tests.simulation.flows import Box
from tests.support.repair_world import End, World


class MovingWorld(World):
    """A world in which every instance that waits is moved, each time that it waits."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.moved: set[tuple[UUID, bytes]] = set()
        """What was moved where it stood; it stands there once."""

    async def settle(self) -> None:
        """Everything that can run, then the moves."""
        await super().settle()
        for row in await rows_of(self.inner):
            if WorkflowStatus(row.status) in WAITING_STATUSES:
                await self._move(row.workflow_id)
        await super().settle()

    async def _move(self, workflow_id: UUID) -> None:
        record = await self.inner.load_instance(workflow_id)
        if (workflow_id, record.position) in self.moved:
            return
        old = load((await self.inner.get_definition(record.digest)).text)
        program = self.engine.program_from(replace(old, workflow_version=f"{old.workflow_version}+"))
        found = await check_migration(self.engine, workflow_id, program.definition)
        if found.problems:
            assert _may_be_refused(found.problems), found
            with pytest.raises(RepairError):
                await migrate(self.engine, workflow_id, program)
        else:
            await migrate(self.engine, workflow_id, program)
        self.moved.add((workflow_id, record.position))


def _may_be_refused(problems: tuple[str, ...]) -> bool:
    return len(problems) == 1 and problems[0].startswith(("work of it is queued", "it is being cancelled"))


def ends(case: Case, kind: type[World], stores: Any = None) -> tuple[End, int]:
    """How a reference workflow ends, and how often it was moved."""

    async def scene(loop: VirtualLoop) -> tuple[End, int]:
        flows.BANK.clear()
        flows.BALANCE.clear()
        world = kind(loop, builder(), case.script, stores)
        await world.born()
        root = await world.start(case.name, Box())
        await world.finish(root)
        repairs = [item for item in await world.log(root) if item.note.startswith("migrate ")]
        return await world.end(root), len(repairs)

    return run_virtual(scene)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_workflow_that_is_moved_wherever_it_waits_ends_as_ever(case: Case) -> None:
    """No value, timer, message, branch or child is lost by the moves, and nothing runs twice."""
    assert ends(case, MovingWorld)[0] == ends(case, World)[0]


@pytest.mark.parametrize("name", ["Approval", "Parent", "Deep"])
def test_the_same_on_sqlite(name: str, tmp_path: Path) -> None:
    """The moves are rows of the database."""
    case = next(item for item in CASES if item.name == name)

    moved, times = ends(case, MovingWorld, SQLiteStores(tmp_path))

    assert moved == ends(case, World)[0]
    assert times > 0
