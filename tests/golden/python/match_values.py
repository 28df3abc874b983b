from datetime import timedelta

from golden_shop import *
from ruvon import workflow


@workflow("Golden")
async def golden(state: Order) -> str:
    match state.number:
        case 0 | -1:
            await tell("none")
        case 1 if state.vip:
            await tell("one")
        case 2:
            return "two"
        case other:
            await tell(f"{other}")
    match state.color:
        case Color.RED:
            await tell("red")
        case Color.BLUE:
            await tell("blue")
    match state.owner:
        case None:
            await tell("nobody")
        case "root" | "admin" as who:
            await tell(who)
    match state.lines[0]:
        case Line(sku="x", qty=qty) if qty > 1:
            await tell(f"{qty}")
        case Line():
            pass
    return "done"
