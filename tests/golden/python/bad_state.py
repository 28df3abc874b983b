from datetime import timedelta

from golden_shop import *
from ruvon import gather, workflow

CACHE: list[int] = []


@workflow("State")
async def changed(state: Order) -> None:
    other = state
    state = Order()
    found = await pair(1)
    found.append(3)
    lines = state.lines
    lines.append(Line(sku="x"))
    first = state.lines[0]
    first.qty = 3
    state.lines[0].qty = 4
    await pack(first)
    for line in state.lines:
        line.qty = 1
        state.lines.append(line)
    for note in state.notes:
        state.notes = [*state.notes, note]
    numbers = [1, 2]
    same = numbers
    numbers.append(3)
    await tell(f"{same}")
    kept = {"a": 1}
    state.tags = kept
    kept["b"] = 2
    shown = [state]
    state.total = 1
    await tell(f"{shown}")
    given = [1]
    await gather(price(given), check(given))
    given.append(2)
    CACHE.append(1)
    numbers.sort()
    numbers.insert(0, 1)
    numbers.remove(1)
    state.notes.pop()
    grown = found
    grown += [1]
    a = b = 2
    head, *rest = numbers
    state.notes[1:] = []
    (lambda: a)()
    if (size := len(numbers)) > 2:
        await tell(f"{size}{head}{rest}")
    list = 3
    del numbers[0]
    total: Unknown = 1
    total: str = "x"

    async def branch() -> None:
        numbers.append(1)
        outer = same
        same = 3

    await gather(branch(), tell(f"{other}{kept}{b}{total}{list}"))
