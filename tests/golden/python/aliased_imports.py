from datetime import datetime as dt
from datetime import timedelta as td

import golden_shop as shop
import ruvon as rv
from ruvon import human as ask
from ruvon import now as clock
from ruvon import workflow as flowing


@flowing("Golden", version="3.0.0", saga=True, strict_results=False, automate_next=False, history=50, commit="iteration")
async def golden(state: "shop.Order") -> "str | None":
    at = clock()
    answer = await ask("one", form=shop.Approval, timeout=td(days=1))
    await rv.gather(shop.charge(state), shop.price(shop.LIMIT))
    if state.due is not None and at > dt.fromisoformat("2026-01-01T00:00:00+00:00"):
        return answer.reason
    raise shop.Refused()
