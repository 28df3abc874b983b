from datetime import timedelta

from golden_shop import *
from ruvon import gather, sleep, workflow


@workflow("Golden")
async def golden(state: Order) -> str:
    async def ship(line: Line) -> str:
        label = await pack(line)
        if not label:
            return "nothing"
        await sleep(timedelta(hours=1))
        return label

    async def settle_up() -> int:
        state.total = await price(state.number)
        return state.total

    async def note() -> None:
        await tell("only one effect")

    async def early() -> None:
        if state.vip:
            return
        await charge(state)

    shipped = await gather(*(ship(line) for line in state.lines), limit=4)
    total, _, _ = await gather(settle_up(), note(), early())
    return f"{total}{len(shipped)}"
