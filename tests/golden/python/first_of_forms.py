from datetime import timedelta

from golden_shop import *
from ruvon import Elapsed, Won, first_of, human, named, receive, sleep, workflow


@workflow("Golden")
async def golden(state: Order) -> str:
    match await first_of(receive(Paid, key=state.name), receive(Cancelled), sleep(timedelta(days=1))):
        case Paid(kind="card") as paid:
            await tell(f"{paid.amount}")
        case Paid() | Cancelled():
            pass
        case Elapsed():
            return "late"
    match await first_of(named("lead", receive(Approval, key="a")), named("head", receive(Approval, key="b"))):
        case Won("lead", approval):
            return approval.reason
        case Won(name="head"):
            pass
    async def person() -> Approval:
        found = await human("ask", form=Approval)
        await tell(found.reason)
        return found
    winner = await first_of(person(), shipment(Line(sku="s")))
    return f"{winner}"
