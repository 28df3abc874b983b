"""Workflows with compensations and children that the tests of `.local` run; module-level, as `flows`."""

from datetime import timedelta

from pydantic import BaseModel

from ruvon import (
    Retry,
    StepContext,
    compensate,
    external_workflow,
    gather,
    saga,
    sleep,
    step,
    workflow,
)
from ruvon.models import SagaWorkflowException
from tests.unit.authoring.flows import Answer, Declined, Job, Ping, add
from tests.unit.authoring.flows_groups import item

# --- saga -------------------------------------------------------------------------------------------------------------


@step
def reserve(what: str) -> str:
    return f"hold-{what}"


@compensate(reserve)
def release(hold: str, what: str) -> None:
    """Scripted in the tests."""


@step
def book(state: Job, context: StepContext, amount: int) -> str:
    state.n += amount
    return f"paid-{amount}"


@compensate(book)
def unbook(state: Job, context: StepContext, receipt: str, amount: int) -> None:
    state.n -= amount
    state.notes.append(f"{receipt} {context.step_result} {context.step_name} {context.idempotency_key[-11:]}")


@step(timeout=timedelta(seconds=5))
def charge(amount: int) -> str:
    return f"charge-{amount}"


@compensate(charge, attempted=True, retry=Retry(max_attempts=2, delay=timedelta(minutes=1)))
def refund(receipt: str | None, amount: int) -> None:
    """Scripted in the tests."""


@step
def lock(name: str) -> str:
    return f"lock-{name}"


@step
def unlock(held: str) -> None:
    """Called by hand or by a rollback."""


compensate(lock)(unlock)


@workflow("SagaFlow", saga=True)
async def saga_flow(state: Job) -> None:
    for what in ("a", "b"):
        await reserve(what)
    await book(state, amount=5)
    await charge(3)
    await item(0)


@workflow("NoSaga")
async def no_saga(state: Job) -> None:
    await reserve("a")
    await item(0)


@workflow("AskedRollback")
async def asked_rollback(state: Job) -> None:
    await reserve("a")
    raise SagaWorkflowException("item", "cannot go on")


@workflow("CaughtInSaga", saga=True)
async def caught_in_saga(state: Job) -> str:
    await reserve("a")
    try:
        await item(0)
    except Declined:
        return "went on"
    return "no error"


@workflow("Scoped")
async def scoped(state: Job) -> str:
    await reserve("outside")
    try:
        async with saga():
            await reserve("inside")
            await book(state, amount=2)
            await item(0)
    except Declined as err:
        await add(1)
        return f"{err} {state.n} {state.notes}"
    return "no error"


@workflow("NestedScopes")
async def nested_scopes(state: Job) -> str:
    try:
        async with saga():
            async with saga():
                await reserve("inner")
            await item(0)
    except Declined:
        return "undone"
    return "no error"


@workflow("ScopePerItem")
async def scope_per_item(state: Job) -> list[str]:
    kept: list[str] = []
    for what in state.notes:
        try:
            async with saga():
                hold = await reserve(what)
                await item(len(kept))
                kept.append(hold)
        except Declined:
            continue
    return kept


@workflow("ParallelSaga", saga=True)
async def parallel_saga(state: Job) -> None:
    await gather(reserve("left"), charge(1), item(0))


@workflow("ManualUndo", saga=True)
async def manual_undo(state: Job) -> None:
    one = await lock("one")
    await lock("two")
    await unlock(one)
    await item(0)


@workflow("ChildWithSaga")
async def child_with_saga(state: Job) -> str:
    await reserve("child")
    return "child done"


@workflow("ParentSaga", saga=True)
async def parent_saga(state: Job) -> None:
    await reserve("before")
    await child_with_saga(Job())
    await reserve("after")
    await item(0)


# --- children ---------------------------------------------------------------------------------------------------------

kyc = external_workflow("KYC", takes=Ping, gives=Answer)


@workflow("Child")
async def child(state: Ping) -> str:
    state.text += "!"
    return await shout(state)


@step
def shout(state: Ping) -> str:
    state.text = state.text.upper()
    return state.text


@workflow("FailingChild")
async def failing_child(state: Ping) -> str:
    raise Declined(code=7)


class Parent(BaseModel):
    ping: Ping = Ping(text="hi")
    sub_workflow_results: dict[str, object] = {}


@workflow("ParentOf")
async def parent(state: Parent) -> str:
    said = await child(state.ping)
    return f"{said} {state.ping.text} {state.sub_workflow_results}"


@workflow("ParentOfFailing")
async def parent_of_failing(state: Parent) -> str:
    try:
        return await failing_child(state.ping)
    except Declined as err:
        return f"child said {err.code}"


@workflow("ParentOfExternal")
async def parent_of_external(state: Parent) -> bool:
    return (await kyc(state.ping)).ok


@workflow("ChildTimeout")
async def child_timeout(state: Parent) -> str:
    try:
        return await sleeper.with_(timeout=timedelta(minutes=1))(state.ping)
    except TimeoutError as err:
        return str(err)


@workflow("Sleeper")
async def sleeper(state: Ping) -> str:
    await sleep(timedelta(hours=1))
    return "awake"


@workflow("Spawner")
async def spawner(state: Parent) -> str:
    one = await child.spawn(state.ping, key="k")
    two = await child.spawn(state.ping, key="k")
    await child.schedule(state.ping, cron="0 9 * * MON", name="weekly")
    return "same" if one == two else "different"


@workflow("Restarting")
async def restarting(state: Job) -> str:
    state.n += 1
    if state.n < 3:
        restarting.restart(state)
    return f"run {state.n}"


@workflow("ParentOfRestarting")
async def parent_of_restarting(state: Job) -> str:
    return await restarting(Job())
