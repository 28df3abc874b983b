"""Workflows whose compound nodes an operator lets begin anew; what their steps were called with is in `KEYS`."""

from pydantic import BaseModel

from ruvon import StepContext, gather, step, workflow

KEYS: list[tuple[str, str]] = []
FAILS: set[str] = set()


class Job(BaseModel):
    note: str = ""


@step
def charge(state: Job, context: StepContext) -> None:
    """Fails as long as somebody says so."""
    KEYS.append(("charge", context.idempotency_key))
    if "charge" in FAILS:
        raise ConnectionError("the bank is away")


@step
def lock(state: Job, context: StepContext) -> None:
    KEYS.append(("lock", context.idempotency_key))


@step
def release(state: Job, context: StepContext) -> None:
    KEYS.append(("release", context.idempotency_key))


@step
def mark(state: Job, context: StepContext) -> None:
    KEYS.append(("mark", context.idempotency_key))


@workflow("RetriedChild", version="1")
async def child(state: Job) -> None:
    await charge(state)


@workflow("RetriedTry", version="1")
async def in_try(state: Job) -> None:
    await lock(state)
    try:
        await charge(state)
    finally:
        await release(state)


@workflow("RetriedHandler", version="1")
async def in_handler(state: Job) -> None:
    try:
        await charge(state)
    except ConnectionError:
        await mark(state)
        raise


@workflow("RetriedParent", version="1")
async def parent(state: Job) -> None:
    try:
        await child(Job())
    finally:
        await release(state)


@workflow("RetriedBranches", version="1")
async def branches(state: Job) -> None:
    async def one() -> None:
        try:
            await charge(state)
        finally:
            await release(state)

    await gather(one())


ALL = (child, in_try, in_handler, parent, branches)
