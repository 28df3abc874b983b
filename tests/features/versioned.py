"""Steps of a workflow that changes while its instances run."""

from pydantic import BaseModel

from ruvon import human, step, workflow


class Loan(BaseModel):
    """The state."""

    number: int = 0
    paid: bool = False


class Approval(BaseModel):
    """A person's answer."""

    granted: bool


@step
async def collect(state: Loan) -> None:
    state.number += 1


@step
async def pay_out(state: Loan) -> None:
    state.paid = True


@workflow("Counted", version="1")
async def counted(state: Loan) -> None:
    await collect(state)


@workflow("Approved", version="1")
async def approved(state: Loan) -> bool:
    approval = await human("approve", form=Approval)
    return approval.granted
