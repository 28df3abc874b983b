"""The entrances: `.local` of a workflow, `.local` of a step, and `run_local` for comparing runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

from ruvon.authoring._declarations import StepDeclaration, WorkflowDeclaration
from ruvon.authoring._local._world import Called, Compensated, World
from ruvon.authoring._work import Work
from ruvon.authoring._workflow import Workflow

__all__ = ["LocalOutcome", "local_step", "local_workflow", "run_local"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LocalOutcome:
    """How a local run ended, and what it did."""

    state: Any
    result: Any = None
    error: BaseException | None = None
    calls: list[Called] = field(default_factory=lambda: [])
    compensations: list[Compensated] = field(default_factory=lambda: [])


def local_step(declaration: StepDeclaration, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Work[Any]: ...
def local_workflow(declaration: WorkflowDeclaration, state: Any, world: World | None) -> Work[Any]: ...
async def run_local(workflow: Workflow[Any, Any], state: Any, world: World | None = None) -> LocalOutcome: ...
