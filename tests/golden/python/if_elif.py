from datetime import timedelta

from golden_shop import *
from ruvon import workflow


@workflow("Golden")
async def golden(state: Order) -> str:
    await charge(state)
    if state.total > 10 and not state.vip:
        await tell("big")
    elif state.color is Color.BLUE:
        state.name = "blue"
    elif await check(state.total):
        await tell("checked")
    elif state.total:
        pass
    else:
        return "nothing"
    if await check(state.number):
        return "yes"
    if state.vip:
        if state.total:
            await tell("inner")
        else:
            await tell("other")
    return "no"
