from datetime import timedelta

from golden_shop import *
from ruvon import workflow


@workflow("Golden")
async def golden(state: Order) -> None:
    match (state.vip, state.number):
        case (True, number) if number > 3:
            await price(number)
        case (False, _):
            await price(0)
    first, second = await pair(1)
    match (second, first):
        case (first, second):
            await tell(f"{first}{second}")
    match state.notes:
        case []:
            await tell("empty")
        case [only]:
            await tell(only)
        case [head, *middle, tail]:
            await tell(f"{head}{len(middle)}{tail}")
    match state.tags:
        case {"kind": "a", "name": name, **rest}:
            await tell(f"{name}{len(rest)}")
    match state.total:
        case int(amount) | (None as amount):
            await tell(f"{amount}")
