from datetime import timedelta

from golden_shop import *
from ruvon import workflow


@workflow("Golden")
async def golden(state: Order) -> None:
    for line in state.lines:
        try:
            await pack(line)
        except Refused:
            await tell("in loop")
        else:
            await tell("packed")
    try:
        try:
            await price(1)
        except Refused:
            await tell("inner")
        else:
            await tell("fine")
    except Broken:
        await tell("outer")
    finally:
        try:
            await price(2)
        except Refused:
            await tell("last")
        else:
            await tell("good")
    try:
        await price(3)
    except Refused:
        await tell("at the end")
    else:
        await tell("over")
