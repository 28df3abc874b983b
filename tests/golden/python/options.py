from datetime import timedelta

from golden_shop import *
from ruvon import Retry, workflow


@workflow("Golden")
async def golden(state: Order) -> None:
    await price.with_(name="Ask price", retry=POLITE, timeout=timedelta(minutes=1), queue="fast")(state.number)
    await price.with_(retry=None, timeout=None)(state.number)
    await charge.with_(compensate=None, automate_next=False, input_model=Approval)(state)
    await charge.with_(compensate=refund)(state)
    await pack.queued(state.lines[0])
    await price.with_(retry=Retry(max_attempts=4, backoff=1, on=(Refused, TimeoutError), never=(Broken,))).queued(1)
