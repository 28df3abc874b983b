"""How the tests run a body: on a fresh event loop, with everything the run did."""

import asyncio
from typing import Any

from ruvon import LocalOutcome, Workflow, World, run_local

__all__ = ["ran", "result_of"]


def ran(workflow: Workflow[Any, Any], state: Any, world: World | None = None) -> LocalOutcome:
    """The outcome of a run."""
    return asyncio.run(run_local(workflow, state, world or World()))


def result_of(workflow: Workflow[Any, Any], state: Any, world: World | None = None) -> Any:
    """The result of a run that must not fail."""
    outcome = ran(workflow, state, world)
    if outcome.error is not None:
        raise outcome.error
    return outcome.result
