from datetime import timedelta

from golden_shop import *
from ruvon import gather, workflow


@workflow("Golden")
async def golden(state: Order) -> int:
    first = await settle(state.number, "first")
    await remind(state)
    if await settle(first, note="second"):
        return await settle(number=first, note="third")
    one, two = await gather(settle(1, "a"), price(2))
    return one + two
