from datetime import timedelta

from golden_shop import *
from ruvon import node, workflow


@workflow("Golden")
async def golden(state: Order) -> None:
    node("First question", automate_next=False)
    if state.vip:
        await price(1)
    node("Walk", max_iterations=30)
    for line in state.lines:
        await pack(line)
    node("Remember")
    state.total = 1
    node("Wait for it")
    await price(2)
    node("Give up")
    raise Refused
