from datetime import timedelta

from golden_shop import *
from ruvon import gather, workflow, MergeStrategy, MergeConflictBehavior


@workflow("Golden")
async def golden(state: Order) -> None:
    limit = 2
    a, b = await gather(price(1), price(2), merge=MergeStrategy.DEEP, conflict=MergeConflictBehavior.PREFER_OLD, timeout=timedelta(minutes=3))
    part = await gather(*(price(line.qty) for line in state.lines), limit=limit, partial=True)
    more = await gather(*(pack(line) for line in state.lines if line.qty > 1), batch_size=10, tolerate=0.1)
    await gather(*(charge(state) for _ in range(3)), on_failure="collect")
    state.total = a + b + len(part.ok) + len(more.failed)
