from datetime import timedelta

from golden_shop import *
from ruvon import workflow


@workflow("Golden")
async def golden(state: Order) -> int:
    total = state.total or await price(1)
    kept = state.vip and await check(total)
    chosen = await price(2) if kept else total
    other = 3 if kept else await price(chosen)
    return other
