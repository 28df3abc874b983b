from datetime import timedelta

from golden_shop import *
from ruvon import BREAK, Elapsed, first_of, flow, gather, node, receive, saga, sleep, workflow


@workflow("Shape", versoin="1")
async def shape(state: Order, extra: int = 3, *args: int) -> None:
    import json
    global COUNT
    assert state.number
    class Inner:
        pass
    def helper(x):
        return x
    async def unused() -> None:
        await price(1)
    async def twice() -> None:
        await price(1)
    await gather(twice(), twice())
    await unused()
    with open("x") as handle:
        await tell("x")
    async with saga() as scope:
        await tell("x")
    async with lock():
        await tell("x")
    async for item in source():
        await tell(item)
    try:
        await price(1)
    except:
        pass
    try:
        await price(1)
    except BaseException:
        pass
    except errors[0]:
        pass
    finally:
        return
    try:
        await price(1)
    except* Refused:
        pass
    for state.name in state.notes:
        pass
    while True:
        await price(1)
    await tell("never")


@workflow("Ways")
async def ways(state: Order) -> str:
    match await first_of(receive(Paid), sleep(timedelta(days=1))):
        case Paid():
            pass
    match state:
        case Order(1):
            pass
        case (a, 1) | (b, 2):
            pass
    async for at in flow("One"):
        match at.step:
            case "One":
                at.go("Two")
                await price(1)
            case "Two":
                at.go("Three")
            case "Four":
                at.go(BREAK)
            case "Five":
                for note in state.notes:
                    at.go("One")
            case "Six":
                break
    async for at in flow("None"):
        match at.step:
            case "Only" | "Other":
                pass
    if state.vip:
        raise
    if state.total:
        continue
    node("Same")
    await price(1)
    await price.with_(name="Same")(2)
    try:
        return "x"
        await tell("dead")
    finally:
        for note in state.notes:
            break
        break
    return "y"


@workflow
async def nameless(state: Order) -> None:
    yield 1


@timed
@workflow("Decorated")
def decorated(order):
    return None
