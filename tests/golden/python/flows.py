from datetime import timedelta

from golden_shop import *
from ruvon import BREAK, CONTINUE, END, flow, workflow


@workflow("Golden")
async def golden(state: Order) -> str:
    async for at in flow("Route"):
        match at.step:
            case "Route":
                if state.total > 10:
                    at.go("High")
                elif state.total > 5:
                    at.go("Mid")
                else:
                    at.go("Low")
            case "High":
                await price(3)
                at.go("Mid")
            case "Mid":
                try:
                    await price(2)
                except Refused:
                    at.go("Route")
                else:
                    at.go("Low")
            case "Low":
                if await check(1):
                    at.go(END)
                else:
                    return "low"
    for line in state.lines:
        async for at in flow("One"):
            match at.step:
                case "One":
                    await pack(line)
                    if line.qty > 3:
                        at.go(BREAK)
                    else:
                        at.go("Two")
                case "Two":
                    if line.qty:
                        at.go("One")
                    elif line.sku:
                        at.go(CONTINUE)
        if at.left(BREAK):
            break
        if at.left(CONTINUE):
            continue
        await tell("after")
    return "done"
