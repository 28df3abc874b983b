from datetime import timedelta

from golden_shop import *
from ruvon import workflow


@workflow("Golden")
async def golden(state: Order) -> int:
    total = 0
    for index, line in enumerate(state.lines):
        if line.qty == 0:
            continue
        if line.qty > 100:
            break
        total += line.qty * index
    else:
        await tell("all")
    for wait in WAITS:
        await tell(f"{wait}")
    while total > 0:
        total -= 1
        if total == 5:
            break
        await price(total)
    else:
        await tell("zero")
    while await check(total):
        total = await price(total)
    while True:
        state.number += 1
        if await check(state.number):
            return state.number
