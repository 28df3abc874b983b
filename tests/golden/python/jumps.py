from datetime import timedelta

from golden_shop import *
from ruvon import workflow


@workflow("Golden")
async def golden(state: Order) -> None:
    for line in state.lines:
        try:
            for note in state.notes:
                if note == line.sku:
                    break
                elif note:
                    continue
                return
            await pack(line)
        except Refused:
            continue
        finally:
            await tell("turn")
        if line.qty:
            break
    if state.vip:
        return
    await charge(state)
