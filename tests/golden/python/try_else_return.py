from golden_shop import *
from ruvon import workflow


@workflow("Golden")
async def golden(state: Order) -> None:
    """A bare `return` behind a `try` with `else` is an edge: the handler ends with a RETURN of its own."""
    if state.vip:
        try:
            await price(1)
        except Refused:
            await tell("no")
        else:
            await tell("yes")
        return
    await charge(state)
