from datetime import timedelta

from golden_shop import *
from ruvon import workflow


@workflow("Golden")
async def golden(state: Order) -> list[str]:
    packed = [await pack(line) for line in state.lines]
    state.notes = [await pack(line) for line in state.lines if line.qty > 0]
    [await price(line.qty) for line in state.lines]
    return [await pack(line) for line in state.lines]
