"""For generated programs: rewound to any recorded activation and run on, the engine ends as it did the first time."""

from functools import partial
from typing import Any
from uuid import UUID

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.engine import RepairError
from ruvon.testing import Script
from ruvon.testing._loop import VirtualLoop, run_virtual
from tests.differential.running import Ready, explained, prepared
from tests.differential.sources import initial_of, outside_of
from tests.support.cases import CAMPAIGN
from tests.support.differential import OUTSIDE, watched
from tests.support.repair_world import End, World, recorded

CHUNK = 10
PROGRAMS = max(CAMPAIGN // 20, CHUNK)
CHANCE = ("first_of", "new_id(", "random(", "now(", "receive(")
"""What may rightly end otherwise the second time."""


async def _ends(loop: VirtualLoop, ready: Ready, world_seed: int, pick: int | None) -> tuple[End, int, str] | None:
    """The end of a run that is rewound to activation number `pick`, and how many there are; None where it is refused."""
    outside = outside_of(world_seed)
    token = OUTSIDE.set(outside)
    try:
        with watched():
            builder = WorkflowBuilder(plugins=False, import_roots=["tests"])
            builder.register(*ready.definitions)
            answers = {task: [value] for task, (value, _) in outside.answers.items()}
            world = World(loop, builder, Script(answers=answers))
            outside.clock = world.clock  # type: ignore[assignment]
            await world.born()
            data: Any = initial_of(world_seed)
            root = await world.start(ready.definition.workflow_type, data.model_copy(deep=True))
            await world.finish(root)
            steps = recorded(await world.log(root))
            at = ""
            if pick is not None:
                at = steps[pick % len(steps)].activation
                try:
                    await world.rewind(root, steps[pick % len(steps)].seq)
                except RepairError:
                    return None
                outside.due.clear()  # a call of the first time has ended; the second one takes its time
                await world.finish(root)
            return await world.end(UUID(str(root))), len(steps), at
    finally:
        OUTSIDE.reset(token)


@pytest.mark.campaign
@pytest.mark.parametrize("first", range(0, PROGRAMS, CHUNK))
def test_every_activation_of_generated_programs_can_be_gone_back_to(first: int) -> None:
    """Same status, state, result and error; what was undone since is refused."""
    rewound = 0
    for seed, ready in prepared(range(first, first + CHUNK)):
        if not any(word in ready.text for word in CHANCE):
            rewound += _rewound(seed, ready)
    assert rewound > 0


def _rewound(seed: int, ready: Ready) -> int:
    """Rewind to some activations of a program; how many of them were not refused."""
    calm = run_virtual(lambda loop: _ends(loop, ready, seed, None))
    assert calm is not None
    picks = [seed + 7 * number for number in range(min(calm[1], 6))]
    found = [run_virtual(partial(_ends, ready=ready, world_seed=seed, pick=pick)) for pick in picks]
    for item in found:
        assert item is None or item[0] == calm[0], explained(ready, seed, [f"rewound to {item[2]}"])
    return sum(item is not None for item in found)
