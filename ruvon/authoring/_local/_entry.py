"""The entrances: `.local` of a workflow, `.local` of a step, and `run_local` for comparing runs."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast, final

from pydantic import BaseModel

from ruvon.authoring._declarations import StepDeclaration, WorkflowDeclaration
from ruvon.authoring._local._hands import HANDS
from ruvon.authoring._local._run import LocalDriver, LocalRun, Restarted, RestartRequested
from ruvon.authoring._local._scheduler import Aborted, Scheduler
from ruvon.authoring._local._steps import bound_call, run_step
from ruvon.authoring._local._world import AMBIENT_WORLD, Called, Compensated, Published, Spawned, World
from ruvon.authoring._work import Work
from ruvon.authoring._workflow import Workflow

__all__ = ["LocalOutcome", "local_step", "local_workflow", "run_local"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LocalOutcome:
    """How a local run ended, and what it did."""

    state: Any
    """The final state, an instance of the state's class; after a rollback, with what the compensations wrote."""
    result: Any = None
    """The result; None where the run failed or restarts."""
    error: BaseException | None = None
    """The error that came out of the body, or `WorldInputMissing`."""
    restarted: Any = None
    """The state of the next run, where the body called `restart`."""
    calls: list[Called] = field(default_factory=list[Called])
    """Every call in order; within one branch the order is fixed."""
    compensations: list[Compensated] = field(default_factory=list[Compensated])
    """Every compensation in order."""
    published: list[Published] = field(default_factory=list[Published])
    spawned: list[Spawned] = field(default_factory=list[Spawned])


async def _run(declaration: WorkflowDeclaration, state: Any, world: World) -> LocalOutcome:
    scheduler = Scheduler(world)
    run = LocalRun.begin(declaration, state, world, scheduler, HANDS)
    result: Any = None
    error: BaseException | None = None
    restarted: Any = None
    try:
        result = await scheduler.run(run.main())
    except RestartRequested as again:
        restarted = again.state
    except Aborted as aborted:
        error = aborted.error
    except Exception as exc:  # noqa: BLE001 - the error of the body is part of the outcome
        error = exc
    return LocalOutcome(
        state=run.root.snapshot(),
        result=result,
        error=error,
        restarted=restarted,
        calls=world.calls,
        compensations=world.compensations,
        published=world.published,
        spawned=world.spawned,
    )


async def run_local(workflow: Workflow[Any, Any], state: Any, world: World | None = None) -> LocalOutcome:
    """Run a workflow's body under CPython and give everything that can be compared, errors included.

    Args:
        workflow: the workflow.
        state: the initial state; it is copied, not changed.
        world: what comes from outside; a fresh one for each run.
    """
    return await _run(workflow.__ruvon_workflow__, state, _world(world))


def _world(world: World | None) -> World:
    return world or AMBIENT_WORLD.get() or World.empty()


def local_workflow(declaration: WorkflowDeclaration, state: Any, world: World | None) -> Work[Any]:
    """Run a body, write the final state back into the object that was passed, and give the result or raise the error."""
    return _local_workflow(declaration, state, _world(world), own=world is not None)


async def _local_workflow(declaration: WorkflowDeclaration, state: Any, world: World, *, own: bool) -> Any:
    if declaration.function is None:
        raise TypeError(
            f"`{declaration.workflow_type}` is an external workflow: its body is not here. "
            "Script its result with World(children=...) in the run of its parent."
        )
    outcome = await _run(declaration, state, world)
    _write_back(state, outcome.state)
    if outcome.restarted is not None:
        raise Restarted(declaration.workflow_type, outcome.restarted)
    if outcome.error is not None:
        raise outcome.error
    if own:  # an enclosing world may hold answers for runs that follow
        _warn_of_unused(world)
    return outcome.result


def _warn_of_unused(world: World) -> None:
    """Say which answers were not asked for: most often their task is misspelt."""
    left = [f"{len(values)} for `{task}`" for task, values in world.answers.items() if values]
    if left:
        asked = ", ".join(f"`{task}`" for task in dict.fromkeys(task for task, _ in world.shown)) or "nothing"
        message = f"answers of the World were not used: {', '.join(left)}; the run asked for {asked}"
        warnings.warn(message, UserWarning, stacklevel=2)


def _write_back(state: Any, final: Any) -> None:
    """Let the caller's object show the final state."""
    if isinstance(state, BaseModel):
        object.__setattr__(state, "__dict__", dict(final.__dict__))
        object.__setattr__(state, "__pydantic_fields_set__", set(final.__pydantic_fields_set__))
        object.__setattr__(state, "__pydantic_extra__", final.__pydantic_extra__)
    elif isinstance(state, dict):
        given = cast("dict[str, Any]", state)
        given.clear()
        given.update(final)


def local_step(declaration: StepDeclaration, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Work[Any]:
    """Run one step under the engine's rules; changes of a state step are merged into the object that was passed."""
    return _local_step(declaration, args, kwargs)


async def _local_step(declaration: StepDeclaration, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    bound = bound_call(declaration, args, kwargs)
    given: Any = bound.get("state") if declaration.takes_state else {}
    world = _world(None)
    scheduler = Scheduler(world)
    header = WorkflowDeclaration(function=None, path=declaration.path, workflow_type=declaration.name)
    names = declaration.function.__globals__
    run = LocalRun.begin(header, given, world, scheduler, HANDS, state_type=_class_of(given), names=names)

    async def body(driver: LocalDriver) -> Any:
        own = {**bound, "state": run.body} if declaration.takes_state else bound
        return await run_step(driver, declaration, own)

    driver = LocalDriver(run, run.root, "")
    try:
        result = await scheduler.run(run.strand(body, driver))
    except Aborted as aborted:
        raise aborted.error from None
    if declaration.takes_state:
        _write_back(given, run.root.snapshot())
    return run.root.snapshot() if result is run.body else result


def _class_of(state: object) -> type:
    return type(state)
