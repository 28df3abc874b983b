from datetime import timedelta

from golden_shop import *
from ruvon import workflow


@workflow("Golden")
async def golden(state: Order) -> int:
    """Steps in every position of a call."""
    await charge(state)
    total = await price(state.number, factor=2)
    state.total = await price(total)
    count, label = await pair(total)
    state.number, state.name = await pair(count)
    state = await rewrite(state)
    await tell(f"{label}: {total:>5} {state.name!r}")
    return await price(
        state.number,
        factor=len(state.lines)
        + 1,
    )
