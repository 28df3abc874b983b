"""Rollback: what completed is undone in reverse order of completion.

A compensation is given the current state, the recorded result and the recorded arguments; its writes merge into the
current state. One that fails is recorded, and the rollback goes on with the next.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from ruvon.authoring._compensate import described
from ruvon.authoring._declarations import CompensationDeclaration
from ruvon.authoring._local._attempts import Attempt, Services, play, run_function, with_retries
from ruvon.authoring._local._layers import Table
from ruvon.authoring._local._run import Entry, LocalDriver, LocalRun
from ruvon.authoring._local._script import NOTHING, reply_of
from ruvon.authoring._local._world import Compensated
from ruvon.authoring._options import CallOptions
from ruvon.ir.values import copy_value
from ruvon.models import StepContext
from ruvon.models._recorded import copy_argument

__all__ = ["record_attempted", "record_undo", "roll_back"]


def record_undo(driver: LocalDriver, options: CallOptions, name: str, activation: str, args: Mapping[str, Any]) -> None:
    """Keep a completed call or wait that `with_(compensate=)` gave a compensation."""
    compensate = options.get("compensate")
    if compensate is None:
        return
    declared = described(compensate)
    driver.run.record(Entry(name, activation, declared, args, copy_value(driver.previous), driver.scopes))


def record_attempted(
    driver: LocalDriver, options: CallOptions, name: str, activation: str, args: Mapping[str, Any]
) -> None:
    """Keep a failed call whose effect may have happened, where its compensation wants to know of those."""
    compensate = options.get("compensate")
    declared = described(compensate) if compensate is not None else None
    if declared is not None and declared.attempted:
        driver.run.record(Entry(name, activation, declared, args, None, driver.scopes))


async def roll_back(driver: LocalDriver, entries: Sequence[Entry]) -> None:
    """Undo entries, last completed first; each at most once."""
    for entry in reversed(list(entries)):
        if entry.undone:
            continue
        entry.undone = True
        if entry.child is not None:
            await _roll_back_child(driver, entry.child)
            if entry.child.undone_not:
                driver.run.undone_not.append(entry.step)
        elif entry.compensation is not None:
            await _undo(driver, entry, entry.compensation)


async def _roll_back_child(driver: LocalDriver, child: LocalRun) -> None:
    """Undo a completed child as a whole, on its own state."""
    inside = LocalDriver(child, child.root, child.path)
    inside.strand = driver.strand
    await roll_back(inside, child.entries)


async def _undo(driver: LocalDriver, entry: Entry, compensation: CompensationDeclaration) -> None:
    key = f"{driver.key(entry.activation)}:compensate"
    error: Exception | None = None

    async def once(number: int) -> tuple[Table, Services]:
        services = Services(driver, entry.step, key)
        return await _attempt(driver, entry, compensation, services, number), services

    try:
        changed, services = await with_retries(driver, compensation.retry, Attempt(), once)
    except Exception as exc:  # noqa: BLE001 - recorded below: the rest must still be undone
        error = exc
        driver.run.undone_not.append(entry.step)
    else:
        driver.layer.write(changed)
        driver.run.form.show(driver.run.body, driver.layer)
        driver.world.published.extend(services.published)
    driver.world.compensations.append(Compensated(entry.step, entry.activation, error))


async def _attempt(
    driver: LocalDriver, entry: Entry, compensation: CompensationDeclaration, services: Services, number: int
) -> Table:
    run = driver.run
    context = StepContext(run.workflow_id, entry.step, services, attempt=number, step_result=copy_value(entry.result))
    given: dict[str, Any] = {item.name: copy_argument(entry.args[item.name]) for item in _given(entry, compensation)}
    if any(item.kind == "rest" for item in compensation.parameters):
        given = {**{name: copy_argument(value) for name, value in entry.args.items()}, **given}
    if compensation.result_parameter is not None:
        given[compensation.result_parameter] = copy_value(entry.result)
    state: Any = None
    if compensation.takes_state:
        state = run.form.argument(driver.layer.table, as_dict=_as_dict(compensation))
        given = {**given, "state": state}
    if compensation.takes_context:
        given["context"] = context
    value = await _called(driver, entry, compensation, given)
    if state is None:
        return {}
    updates = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    return run.form.apply(state, driver.layer.table, updates).changed


def _given(entry: Entry, compensation: CompensationDeclaration) -> list[Any]:
    return [item for item in compensation.parameters if item.kind != "rest" and item.name in entry.args]


def _as_dict(compensation: CompensationDeclaration) -> bool:
    hint = compensation.function.__annotations__.get("state")
    return hint is dict or getattr(hint, "__origin__", None) is dict


async def _called(
    driver: LocalDriver, entry: Entry, compensation: CompensationDeclaration, given: Mapping[str, Any]
) -> Any:
    name = compensation.function.__name__
    fake = driver.world.fake_of(name, compensation.path)
    if fake is not NOTHING:
        return await play(driver, reply_of(fake, given), name, None)
    return await run_function(driver, compensation.function, given, f"{entry.step}:compensate", None)
