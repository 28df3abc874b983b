"""Options where they do not belong, and values that they cannot have."""

from datetime import timedelta

from golden_shop import Approval, Order, kyc, price
from ruvon import MergeStrategy, after, first_of, gather, human, node, receive, sleep, workflow


@workflow("BadOptions")
async def bad_options(state: Order) -> None:
    await receive.with_(queue="net")(Approval)
    await receive.queued(Approval)
    await gather.with_(name="Both")(price(1), price(2))
    await gather(after(price(1)), after(price(2), label="a", other="b"))
    await first_of(after(receive(Approval), "sleep"), sleep(timedelta(1)), limit=1)
    await first_of(receive(Approval), timeout=timedelta(1))
    await price.with_(merge=3, conflict=MergeStrategy.DEEP, merge_function=len(state.lines))(1)
    await price.with_(required_input="amount", deadline=timedelta(0), queue_timeout=state.number)(1)
    await human("x", answer_to="me", required_input=(1, 2))
    await kyc()
    await kyc.schedule(state.lines[0], cron="0 9 * * *", catch_up="often")
    node("Injected", injected=state.number)
    if state.number:
        await price(1)
