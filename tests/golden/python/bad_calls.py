import asyncio
import random as chance
import time
import urllib.request as requests
from datetime import datetime as clock
from datetime import timedelta
from uuid import uuid4

from golden_shop import *
from ruvon import Retry, after, call, first_of, gather, human, named, node, now, sleep, start, workflow


@workflow("Calls")
async def calls(state: Order) -> None:
    total = state.number + await price(state.number)
    if state.vip and await check(total):
        await tell("deep")
    while total > await price(1):
        total -= 1
    await tell(f"{await price(2)}")
    price(3)
    charge(state)
    sleep(timedelta(seconds=1))
    if check(total):
        await tell("always")
    later = price(4)
    value = await later
    await asyncio.sleep(1)
    await asyncio.gather(price(1), price(2))
    time.sleep(3)
    moment = clock.now()
    token = uuid4()
    luck = chance.random()
    print(moment, token, luck)
    requests.get("https://example.org")
    await double(3)
    await Order()
    await nothing(1)
    await state.number
    await value(3)
    await human()
    await human("x", form=Approval, colour="red")
    await gather()
    await gather(state.lines, price(1))
    await gather(*(price(n) for n in state.lines for _ in state.notes))
    await gather(price(1), after(price(2), "nobody"))
    await gather(price(1), price(2), limit="many", conflict="new")
    await first_of(sleep(timedelta(seconds=1)), named("x"))
    await named("x", sleep(timedelta(seconds=1)))
    await price.with_(retries=3, timeout=state.number)(1)
    await price.with_(retry=Retry(attempts=1))(1)
    await price.with_(retry=Retry(max_attempts=0))(1)
    await price(*state.lines)
    await price.local(1)
    await shipment(Line(sku="a"), Line(sku="b"))
    await shipment.schedule(Line(sku="a"))
    await call(state.name)(state)
    await price.with_(name="END")(1)
    due = now().year
    await tell(str(now()))
    node("Nothing")
    work = start(price(1))
    await tell(f"{due}{work}")
    state.number + 1
    state.name.upper()
    double(2)
