from datetime import timedelta

from golden_shop import *
from ruvon import saga, workflow


@workflow("Golden")
async def golden(state: Order) -> None:
    try:
        async with saga():
            await charge(state)
            if state.total > 3:
                raise Refused("too much")
    except Refused as err:
        await tell(f"undone: {err}")
