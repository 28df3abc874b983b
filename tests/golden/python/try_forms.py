from datetime import timedelta

from golden_shop import *
from ruvon import workflow


@workflow("Golden")
async def golden(state: Order) -> int:
    try:
        await charge(state)
    except (Refused, Broken) as err:
        await tell(str(err))
        raise Broken("no") from err
    except TimeoutError:
        raise
    finally:
        await tell("end")
    try:
        total = await price(1)
    except Refused:
        total = 0
    else:
        total = await price(total)
    try:
        await tell("plain")
    finally:
        pass
    try:
        await charge(state)
    except Exception:
        pass
    return total
