"""Workflows that tests start over HTTP."""

from pathlib import Path

from pydantic import BaseModel, SecretStr

from ruvon import compensate, human, receive, step, workflow


class Order(BaseModel):
    """The state of all of them."""

    number: str = ""
    amount: int = 0
    lines: list[str] = []
    switch: str = ""
    token: SecretStr | None = None


class Verdict(BaseModel):
    """What a person says."""

    approved: bool


class Paid(BaseModel):
    """A message of the bank."""

    amount: int


@step
async def note(state: Order, line: str) -> None:
    state.lines = [*state.lines, line]


@compensate(note)
async def unnote(state: Order) -> None:
    state.lines = [*state.lines, "undone"]


@step
def fragile(state: Order) -> None:
    """Fails until the file that `switch` names is there."""
    if not Path(state.switch).exists():
        raise RuntimeError("the service is down")


@step(queue="net")
async def fetch(state: Order) -> str:
    """Runs on a worker, where there are any."""
    return state.number


@workflow("Fetch", version="1.0.0")
async def fetch_flow(state: Order) -> str:
    return await fetch(state)


@workflow("Greeting", version="1.0.0")
async def greeting(state: Order) -> str:
    await note(state, "one")
    await note(state, "two")
    await note(state, "three")
    return f"hello {state.number}"


@workflow("Approval", version="1.0.0")
async def approval(state: Order) -> str:
    await note(state, "before")
    verdict = await human("finance.approve", form=Verdict, show={"number": state.number})
    return "yes" if verdict.approved else "no"


@workflow("Review", version="1.0.0")
async def review(state: Order) -> str:
    verdict = await human("legal.review", form=Verdict, role="legal", assignee=state.number or None)
    return "yes" if verdict.approved else "no"


@workflow("Payment", version="1.0.0")
async def payment(state: Order) -> int:
    paid = await receive(Paid, key=state.number)
    return paid.amount


@workflow("Fragile", version="1.0.0")
async def fragile_flow(state: Order) -> str:
    await note(state, "before")
    await fragile(state)
    await note(state, "after")
    return "done"


@workflow("Undoable", version="1.0.0", saga=True)
async def undoable(state: Order) -> str:
    await note(state, "one")
    verdict = await human("finance.approve", form=Verdict, show={"number": state.number})
    await note(state, "two")
    return "yes" if verdict.approved else "no"


ALL = (fetch_flow, greeting, approval, review, payment, fragile_flow, undoable)
