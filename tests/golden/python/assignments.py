from datetime import timedelta

from golden_shop import *
from ruvon import workflow


@workflow("Golden")
async def golden(state: Order) -> int:
    total: int = 0
    note: str
    a, b = 1, 2
    (c, state.number) = (a, b)
    total += a
    state.total -= b
    note = "x"
    state.lines[0].qty = 4
    state.tags["k"] = note
    state.notes.append(note)
    state.notes.extend(["y"])
    state.tags.update({"a": "b"})
    state.tags.update(c="d")
    found = []
    counts: dict[str, int] = {}
    for line in state.lines:
        found.append(line.sku)
        found += [line.sku]
        found.extend([note])
        counts[line.sku] = line.qty
        counts.update(x=1)
    state.notes = [*found, *sorted(counts)]
    state.total = double(total) if state.vip else -c
    return sum(line.qty for line in state.lines)
