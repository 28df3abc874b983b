"""What one evaluation may cost, and how the cost is counted.

An expression has no unbounded loop, but a comprehension over a long range, a repeated text or a large power can still
take all time or memory of a worker. Steps count work (turns of a loop, items a function goes through), size counts what
is built (characters, items, bytes of integers, and everything reachable from a built collection, because a collection
that holds another one twice is twice as large to print, compare or store). Straight-line expressions pay nothing but a
look at the type of each sum or product.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from types import CodeType, GeneratorType
from typing import Any, Final, cast, final
from uuid import UUID

from ruvon.ir.expr._errors import ExpressionBudgetError

__all__ = ["ATOMS", "COUNTING", "Budget", "FlatMeter", "Meter", "counted", "weigh"]

ATOMS: Final[frozenset[type]] = frozenset(
    {bool, int, float, type(None), Decimal, timedelta, datetime, date, time, UUID, range}
)
"""Types whose values have no parts worth counting."""
_SMALL_TEXT: Final = 256


@final
@dataclass(frozen=True, slots=True)
class Budget:
    """What one evaluation may cost; every evaluation starts anew."""

    steps: int = 100_000
    """Turns of comprehensions and items that functions go through."""
    size: int = 1_000_000
    """Characters and items that are built."""
    bits: int = 65_536
    """Bits of any one integer."""


def weigh(value: object, limit: int) -> int:
    """How large a value is with everything in it; counting stops soon after `limit`."""
    total = 0
    pending: list[object] = [value]
    while pending and total <= limit:
        item = pending.pop()
        if type(item) in ATOMS:
            continue
        if isinstance(item, str | bytes):
            total += len(item) >> 3
        elif isinstance(item, list | tuple | set | frozenset):
            parts = cast("Collection[object]", item)
            total += len(parts)
            pending.extend(part for part in parts if type(part) not in ATOMS)
        elif isinstance(item, dict):
            entries = cast("dict[object, object]", item)
            total += 2 * len(entries)
            pending.extend(entries)
            pending.extend(entries.values())
        elif not isinstance(item, type | Enum):
            fields = cast("dict[str, object]", getattr(item, "__dict__", None) or {})
            total += len(fields) + 1
            pending.extend(part for part in fields.values() if type(part) not in ATOMS)
    return total


class FlatMeter:
    """Limits for one operation at a time, for expressions without loops; it keeps no count and is shared."""

    __slots__ = ("budget",)

    def __init__(self, budget: Budget) -> None:
        self.budget = budget

    def step(self, count: int = 1) -> None:
        """Account for work."""
        if count > self.budget.steps:
            raise ExpressionBudgetError("steps", count, self.budget.steps)

    def grow(self, size: int) -> None:
        """Account for something that is about to be built."""
        if size > self.budget.size:
            raise ExpressionBudgetError("characters or items", size, self.budget.size)

    def bits(self, bits: int) -> None:
        """Account for an integer of so many bits."""
        if bits > self.budget.bits:
            raise ExpressionBudgetError("bits of an integer", bits, self.budget.bits)
        if bits > 1024:
            self.grow(bits >> 3)

    def grown(self, value: object) -> Any:
        """Account for a value that was built, and return it."""
        kind = type(value)
        if kind is str or kind is bytes:
            self.grow(len(cast("str | bytes", value)))
        elif kind is int:
            self.bits(cast("int", value).bit_length())
        elif kind not in ATOMS:
            self.grow(weigh(value, self.budget.size))
        return value

    def part(self, value: object) -> Any:
        """Account for a value that becomes part of a collection, and return it."""
        kind = type(value)
        if kind is str:
            length = len(cast("str", value))
            if length > _SMALL_TEXT:
                self.grow(length >> 3)
        elif kind not in ATOMS:
            self.grow(weigh(value, self.budget.size))
        return value

    def compared(self, value: object) -> None:
        """Account for a comparison or a search that may go through the whole value."""
        kind = type(value)
        if kind is str or kind is bytes:
            self.step(len(cast("str | bytes", value)) >> 8)
        elif kind not in ATOMS:
            self.step(weigh(value, self.budget.size) >> 2)


@final
class Meter(FlatMeter):
    """Counts over one whole evaluation; belongs to one evaluation and so to one thread."""

    __slots__ = ("size", "steps")

    def __init__(self, budget: Budget) -> None:
        super().__init__(budget)
        self.steps = budget.steps
        self.size = budget.size

    def step(self, count: int = 1) -> None:
        """Account for work."""
        self.steps -= count
        if self.steps < 0:
            raise ExpressionBudgetError("steps", self.budget.steps - self.steps, self.budget.steps)

    def grow(self, size: int) -> None:
        """Account for something that is about to be built."""
        self.size -= size
        if self.size < 0:
            raise ExpressionBudgetError("characters or items", self.budget.size - self.size, self.budget.size)


def counted(items: Any, meter: FlatMeter) -> Any:
    """The same items, accounted for: at once where their number is known, one by one where it is not."""
    kind = type(cast("object", items))
    if kind is GeneratorType and items.gi_code in COUNTING:
        return items
    if kind is range or hasattr(kind, "__next__"):
        return _count(items, meter)
    if kind not in ATOMS and hasattr(kind, "__len__"):
        meter.step(len(items))
    return items


def _count(items: Iterable[object], meter: FlatMeter) -> Iterator[object]:
    for item in items:
        meter.step()
        yield item


COUNTING: Final[set[CodeType]] = {_count.__code__}
"""The code of generators that account for their items themselves."""
