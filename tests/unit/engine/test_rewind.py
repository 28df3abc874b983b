"""Going back to any recorded activation: `rewind`, `fork`, `plan_rewind` and `retry_compensation`."""

from typing import Any
from uuid import UUID

import pytest

from ruvon.engine import RepairError
from ruvon.testing._loop import VirtualLoop, run_virtual
from tests.simulation import flows
from tests.simulation.cases import CASES, Case, builder
from tests.simulation.flows import Box
from tests.support.repair_world import End, World, recorded

REFUSED = frozenset({"Rolled", "Scoped", "LostBranch", "Unknown", "Stubborn", "Hopeless", "CancelledSaga"})
"""Reference workflows in which something is undone, so that not every activation can be gone back to."""


async def played(loop: VirtualLoop, case: Case, **options: Any) -> tuple[World, UUID]:
    """A reference workflow, run to its end."""
    flows.BANK.clear()
    flows.BALANCE.clear()
    world = World(loop, builder(), case.script, **options)
    await world.born()
    root = await world.start(case.name, Box())
    await world.finish(root)
    return world, root


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_activation_can_be_gone_back_to(case: Case) -> None:
    """Rewound to any recorded activation and run on, a workflow ends as it did the first time."""

    async def ends(loop: VirtualLoop, number: int) -> tuple[End, End | None, int]:
        world, root = await played(loop, case)
        first = await world.end(root)
        steps = recorded(await world.log(root))
        try:
            await world.rewind(root, steps[number].seq)
        except RepairError as exc:
            assert "undone" in str(exc)
            return first, None, len(steps)
        await world.finish(root)
        return first, await world.end(root), len(steps)

    number, refused = 0, 0
    while True:
        first, second, count = run_virtual(lambda loop: ends(loop, number))
        assert second in (first, None), number
        refused += second is None
        number += 1
        if number >= count:
            break
    assert first.status == case.ends
    assert refused < count
    assert (refused > 0) <= (case.name in REFUSED)
