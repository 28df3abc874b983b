from datetime import timedelta

from golden_shop import *
from ruvon import after, gather, workflow


@workflow("Golden")
async def golden(state: Order) -> object:
    from_price, ok = await gather(price(1), check(2))
    await gather(charge(state), price.with_(name="Named")(3), shipment(Line(sku="a")))
    both = await gather(price(4), price(5), after(price(6), "price"), after(tell("x"), "price", "price_3"))
    first, state.number = await gather(price(7), price(8))
    return await gather(gather(price(9), price(10)), price(11))
