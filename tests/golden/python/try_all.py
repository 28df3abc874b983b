from golden_shop import *
from ruvon import node, workflow


@workflow("Golden")
async def golden(state: Order) -> None:
    """The `else` of a `try` runs before its `finally`."""
    node("Whole")
    try:
        await price(1)
    except Refused:
        await tell("no")
    else:
        await tell("yes")
    finally:
        await tell("end")
    await charge(state)
