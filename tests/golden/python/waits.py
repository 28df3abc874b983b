from datetime import timedelta

from golden_shop import *
from ruvon import human, now, new_id, random, receive, sleep, sleep_until, workflow


@workflow("Golden")
async def golden(state: Order) -> str:
    started = now()
    token = new_id()
    chance = random()
    await sleep(timedelta(hours=2))
    await sleep_until(started + timedelta(days=1))
    paid = await receive(Paid, key=f"{token}", timeout=timedelta(days=3))
    answer = await human(
        "finance.approve",
        form=Approval,
        show={"order": state, "amount": paid.amount},
        role="finance",
        assignee=state.owner,
        timeout=timedelta(days=2),
        default=Approval(ok=chance > 0.5),
        ask=ask_person,
    )
    return answer.reason
