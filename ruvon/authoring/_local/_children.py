"""Children in a local run: scripted, or their own body in the same world; detached ones are recorded."""

import asyncio
from hashlib import sha256
from typing import Any
from uuid import UUID

from ruvon.authoring._declarations import WorkflowDeclaration, resolved_hints
from ruvon.authoring._local._attempts import Attempt, play, with_retries
from ruvon.authoring._local._run import Entry, LocalDriver, LocalRun, RestartRequested, checked_cancel, missing
from ruvon.authoring._local._scheduler import YIELD, Park
from ruvon.authoring._local._script import NOTHING, reply_of
from ruvon.authoring._local._world import Spawned
from ruvon.authoring._work import ChildRequest, ScheduleRequest, SpawnRequest
from ruvon.ir.values import copy_value, validate
from ruvon.models import TimedOut
from ruvon.providers._clock import duration_us

__all__ = ["perform_child", "perform_schedule", "perform_spawn"]


async def perform_child(driver: LocalDriver, request: ChildRequest) -> Any:
    """Run a child and wait for it; its own error comes out."""
    declaration = request.declaration
    name = declaration.workflow_type
    state = copy_value(request.state)
    activation = driver.activation(name)
    driver.note(name, activation, {"state": copy_value(state)})

    async def once(_: int) -> Any:
        await YIELD
        entry = driver.world.children.next((name,))
        if entry is not NOTHING:
            value = await play(driver, reply_of(entry, {"state": state}, first=state), name, declaration.timeout)
            return _validated(declaration, value)
        if declaration.function is None:
            raise missing(request, f"World(children={{{name!r}: ...}})")
        return await _run_child(driver, declaration, state, activation)

    result = await with_retries(driver, declaration.retry, Attempt(), once)
    driver.previous = copy_value(result)
    _keep_result(driver, name, result)
    return copy_value(result)


def _validated(declaration: WorkflowDeclaration, value: Any) -> Any:
    if declaration.function is None:
        wanted = object if declaration.gives is None else declaration.gives
    else:
        wanted = resolved_hints(declaration.function).get("return", object)
    return validate(wanted, value, f"the result of {_step_name(declaration)}")


def _step_name(declaration: WorkflowDeclaration) -> str:
    """What the step that starts a child is called."""
    return declaration.step_name or declaration.workflow_type


def _keep_result(driver: LocalDriver, name: str, result: Any) -> None:
    """A state that declares `sub_workflow_results` is given the children's last results by type."""
    if "sub_workflow_results" in driver.run.form.fields:
        known: dict[str, Any] = driver.layer.values.get("sub_workflow_results") or {}
        results = {**known, name: result}
        driver.layer.assign("sub_workflow_results", results)
        driver.run.form.show(driver.run.body, driver.layer)


async def _run_child(driver: LocalDriver, declaration: WorkflowDeclaration, state: Any, activation: str) -> Any:
    while True:
        child = LocalRun.begin(declaration, state, driver.world, driver.run.scheduler, driver.run.hands, activation)
        try:
            result = await _awaited(driver, child)
        except RestartRequested as again:
            state = again.state
            continue
        if child.entries:
            driver.run.record(Entry(declaration.workflow_type, activation, None, {}, None, driver.scopes, child=child))
        return result


async def _awaited(driver: LocalDriver, child: LocalRun) -> Any:
    """Let the child's strand run to its end, within the timeout."""
    scheduler, parent = driver.run.scheduler, driver.strand
    strand = child.main()
    strand.is_child = True
    late: list[bool] = []

    def expire() -> None:
        late.append(True)
        scheduler.cancel(strand, hard=True)

    timeout = child.declaration.timeout
    timer = scheduler.at(driver.world.now_us + duration_us(timeout), expire) if timeout is not None else None
    strand.on_end = lambda: scheduler.wake(parent)
    scheduler.add(strand, parent)
    busy, parent.busy = parent.busy, 0  # a cancel reaches the child, which ends its own running step
    try:
        while not strand.done:
            await Park("a child")
    finally:
        parent.busy = busy
        parent.adopt([strand])
        if timer is not None:
            timer.cancelled = True
    if late and isinstance(strand.error, asyncio.CancelledError):
        raise TimedOut(_step_name(child.declaration))
    checked_cancel(parent)
    if strand.error is not None:
        raise strand.error
    return strand.result


async def perform_spawn(driver: LocalDriver, request: SpawnRequest) -> str:
    """Record a child that is started on its own, and give its id; the same `key` gives the same id."""
    name = request.declaration.workflow_type
    if not driver.world.scripted:
        raise missing(request, "a world: `.local(state, World())` records what is spawned")
    activation = driver.activation(f"spawn {name}")
    driver.note(name, activation, {"state": copy_value(request.state)})
    key = request.key if request.key is not None else f"{driver.run.workflow_id}:{activation}"
    child_id = _id(f"{name}:{key}")
    if all(item.workflow_id != child_id for item in driver.world.spawned):
        driver.world.spawned.append(Spawned(name, child_id, copy_value(request.state)))
    return child_id


async def perform_schedule(driver: LocalDriver, request: ScheduleRequest) -> str:
    """Record a schedule, and give its id; the same name gives the same id."""
    name = request.declaration.workflow_type
    if not driver.world.scripted:
        raise missing(request, "a world: `.local(state, World())` records what is scheduled")
    activation = driver.activation(f"schedule {name}")
    driver.note(name, activation, {"state": copy_value(request.state), "cron": request.cron, "tz": request.tz})
    key = request.name if request.name is not None else f"{driver.run.workflow_id}:{activation}"
    schedule_id = _id(f"schedule:{name}:{key}")
    driver.world.spawned.append(Spawned(name, schedule_id, copy_value(request.state), cron=request.cron))
    return schedule_id


def _id(text: str) -> str:
    """An identifier that is the same for the same text."""
    return str(UUID(bytes=sha256(text.encode()).digest()[:16], version=5))
