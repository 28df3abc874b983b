"""`.local`: the author's body under CPython with the engine's rules; the oracle of law 1, and the way to debug.

The parts, from the bottom: a scheduler of its own drives coroutines on a virtual clock (`_scheduler`); layers give each
branch its own view of the state (`_layers`); a run holds one instance (`_run`); and one module per kind of request
performs it (`_steps`, `_services`, `_waits`, `_children`, `_parallel`, `_saga`).
"""

from ruvon.authoring._local._entry import LocalOutcome, local_step, local_workflow, run_local
from ruvon.authoring._local._groups import BranchLabelError
from ruvon.authoring._local._race import RaceBranchError
from ruvon.authoring._local._run import EndlessRunError, Restarted
from ruvon.authoring._local._script import InTurn, Reply, Signal
from ruvon.authoring._local._steps import LocalDirectiveError
from ruvon.authoring._local._world import Called, Compensated, Published, Spawned, World, WorldInputMissing

__all__ = [
    "BranchLabelError",
    "Called",
    "Compensated",
    "EndlessRunError",
    "InTurn",
    "LocalDirectiveError",
    "LocalOutcome",
    "Published",
    "RaceBranchError",
    "Reply",
    "Restarted",
    "Signal",
    "Spawned",
    "World",
    "WorldInputMissing",
    "local_step",
    "local_workflow",
    "run_local",
]
