"""Going back to any recorded activation: `rewind`, `fork`, `plan_rewind` and `retry_compensation`."""

from collections.abc import Callable, Coroutine
from functools import cache, partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ruvon.engine import RepairError
from ruvon.engine._undo import place_of
from ruvon.providers import LogEntry
from ruvon.testing import SQLiteStores
from ruvon.testing._loop import VirtualLoop, run_virtual
from ruvon.testing._process import ProcessDied
from ruvon.testing._schedule import Fault, FaultKind, PointKind, Schedule
from tests.simulation import flows
from tests.simulation.cases import CASES, Case, builder
from tests.simulation.flows import Box
from tests.support.repair_world import End, World, recorded

UNDOING = frozenset(
    {
        "Rolled",
        "Scoped",
        "LostBranch",
        "Unknown",
        "Stubborn",
        "Hopeless",
        "CancelledSaga",
        "Requests",
        "Deep",
    }
)
"""Reference workflows in which something is undone, so that not every activation can be gone back to."""
BY_NAME = {case.name: case for case in CASES}

Scene = Callable[[VirtualLoop], Coroutine[Any, Any, Any]]


async def played(loop: VirtualLoop, name: str, **options: Any) -> tuple[World, UUID]:
    """A reference workflow, run to its end."""
    flows.BANK.clear()
    flows.BALANCE.clear()
    case = BY_NAME[name]
    world = World(loop, builder(), case.script, **options)
    await world.born()
    root = await world.start(case.name, Box())
    await world.finish(root)
    return world, root


@cache
def first_end(name: str) -> tuple[End, tuple[LogEntry, ...]]:
    """How a reference workflow ends, and the activations that it records."""

    async def scene(loop: VirtualLoop) -> tuple[End, tuple[LogEntry, ...]]:
        world, root = await played(loop, name)
        return await world.end(root), tuple(recorded(await world.log(root)))

    return run_virtual(scene)


async def undone(world: World, workflow_id: UUID) -> list[str]:
    """The activations that were compensated, in order."""
    return [item.activation for item in await world.log(workflow_id) if item.kind == "compensate"]


async def refused(world: World, root: UUID, seq: int) -> bool:
    """Rewind, if nothing stands against it."""
    workflow = await world.handle(root)
    try:
        await workflow.plan_rewind(seq)
    except RepairError:
        with pytest.raises(RepairError, match="was undone since"):
            await workflow.rewind(seq)
        return True
    await world.rewind(root, seq)
    return False


# Every activation


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_activation_can_be_gone_back_to(case: Case) -> None:
    """Rewound to any recorded activation and run on, twice, a workflow ends as it did the first time."""
    first, steps = first_end(case.name)

    async def scene(loop: VirtualLoop, seq: int, activation: str) -> bool:
        world, root = await played(loop, case.name)
        if await refused(world, root, seq):
            return False
        await world.finish(root)
        assert await world.end(root) == first, activation
        steps = recorded(await world.log(root))
        again = [item for item in steps if item.seq > seq and place_of(item.activation) == place_of(activation)]
        assert len(again) == 1
        if case.name not in UNDOING:
            await world.rewind(root, again[0].activation)
            await world.finish(root)
            assert await world.end(root) == first, activation
        return True

    went = [run_virtual(partial(scene, seq=item.seq, activation=item.activation)) for item in steps]
    assert first.status == case.ends
    assert any(went)
    assert all(went) or case.name in UNDOING


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_fork_from_every_activation_ends_as_the_old_one_did(case: Case) -> None:
    """A fork without edits is the rest of the old run, with a log of its own; the old one is left alone."""
    first, steps = first_end(case.name)
    if case.name in UNDOING:
        steps = steps[:1]  # what stands there is not undone by the fork, so its end may be another one

    async def scene(loop: VirtualLoop, seq: int) -> None:
        world, root = await played(loop, case.name)
        before = await world.log(root)
        fork = await (await world.handle(root)).fork(seq)
        await world.act_anew(root, seq)
        await world.finish(UUID(fork.id))
        assert await world.end(UUID(fork.id)) == first
        assert await world.end(root) == first
        assert await world.log(root) == before
        assert fork.metadata["forked_from"] == str(root)

    for item in steps:
        run_virtual(partial(scene, seq=item.seq))


@pytest.mark.parametrize("name", sorted(UNDOING))
def test_a_fork_builds_on_nothing_that_was_undone(name: str) -> None:
    """As a rewind it is refused, and the refusal names a point that it can be made at; where it is made, it is."""
    _, steps = first_end(name)

    async def scene(loop: VirtualLoop, seq: int) -> bool:
        world, root = await played(loop, name)
        workflow = await world.handle(root)
        try:
            await workflow.plan_rewind(seq)
        except RepairError:
            with pytest.raises(RepairError, match=r"was undone since.*go back to `(.*)` or something earlier") as again:
                await workflow.fork(seq)
            named = str(again.value).partition("go back to `")[2].partition("`")[0]
            await workflow.fork(named)
            return False
        await workflow.fork(seq)
        return True

    assert run_virtual(partial(scene, seq=steps[0].seq))
    for item in steps[1:]:
        run_virtual(partial(scene, seq=item.seq))


def test_the_name_of_a_step_means_its_newest_execution() -> None:
    """Also after a rewind, when the first execution still has the activation of that name."""

    async def scene(loop: VirtualLoop) -> list[str]:
        world, root = await played(loop, "Sequence")
        found: list[str] = []
        for _ in range(2):
            workflow = await world.handle(root)
            found.append((await workflow.plan_rewind("square")).activation)
            await world.rewind(root, "square")
            await world.finish(root)
        return found

    first, second = run_virtual(scene)
    assert second == f"e1:{first}"


def test_a_compensation_is_no_place_to_go_back_to() -> None:
    """The refusal says what is."""

    async def scene(loop: VirtualLoop) -> None:
        world, root = await played(loop, "Rolled")
        workflow = await world.handle(root)
        undoing = (await undone(world, root))[0]
        with pytest.raises(RepairError, match=f"`{undoing}` is a compensation; go back to the step that it undid"):
            await workflow.rewind(undoing)

    run_virtual(scene)


PLACES = [
    ("Sequence", "square"),
    ("Loops", "while[1]/for[2]/add"),
    ("Static", "note"),
    ("Nested", "add"),
    ("Parent", "add"),
    ("Parent", "Middle"),
    ("Caught", "note_2"),
    ("Approval", "human_2"),
]


async def _rewound_through_faults(world: World, root: UUID, to: str) -> None:
    """The operator repeats what did not happen; a new process goes on with what did."""
    while True:
        try:
            if not any(item.kind in ("repair", "rewind") for item in await world.log(root)):
                await (await world.handle(root)).rewind(to)
            await world.settle()
        except ProcessDied:
            await world.reborn()
        else:
            return


@pytest.mark.parametrize(("name", "to"), PLACES)
@pytest.mark.parametrize("kind", [FaultKind.DIE_BEFORE, FaultKind.DIE_AFTER])
def test_a_process_may_die_at_every_commit_of_a_rewind(name: str, to: str, kind: FaultKind, tmp_path: Path) -> None:
    """Whatever was committed of it is done once, and the instance ends as without the fault, on a file too."""

    async def scene(loop: VirtualLoop, fault: Fault | None) -> tuple[End, list[str], int]:
        faults = (fault,) if fault is not None else ()
        world, root = await played(loop, name, stores=SQLiteStores(tmp_path), schedule=Schedule(faults))
        steps = {item.activation for item in recorded(await world.log(root))}
        assert to in steps, steps
        await world.reborn()
        await _rewound_through_faults(world, root, to)
        points = [item.number for item in world.ledger.points if item.life == 1 and item.kind is PointKind.COMMIT]
        await world.act_anew(root, to)
        await world.finish(root)
        log = await world.log(root)
        assert sum(item.kind == "rewind" for item in log) == 1
        assert not [body for body in world.ledger.bodies if body.committed_before]
        found = await world.end(root), await undone(world, root), points[-1]
        await world.inner.close()
        await world.stores.discard()
        return found

    end, compensated, last = run_virtual(partial(scene, fault=None))
    assert end == first_end(name)[0]
    for number in range(last + 1):
        found = run_virtual(partial(scene, fault=Fault(1, number, kind)))
        assert found[:2] == (end, compensated), number
