"""The types that the examples of `CODES` are checked against.

They live in the package, because the catalogue of the front ends shows the examples and its tests check them.
"""

from collections.abc import Awaitable
from datetime import date
from decimal import Decimal
from typing import Final, Literal

from pydantic import BaseModel, Field

from ruvon.ir.expr._type_env import TypeEnv

__all__ = ["EXAMPLE_ENV", "ExampleBasket", "ExampleOrder"]


class ExampleBasket(BaseModel):
    """A model with its own truth."""

    items: list[str] = Field(default_factory=list)

    def __len__(self) -> int:
        """How many items there are."""
        return len(self.items)


class ExampleOrder(BaseModel):
    """The state of the examples."""

    amount: Decimal
    count: int
    vip: bool
    note: str
    owner: str | None
    status: Literal["open", "closed"]
    tags: list[str]
    labels: set[str]
    pairs: list[tuple[int, str]]
    lines: list[int]
    due: date
    basket: ExampleBasket

    @property
    def shouted(self) -> str:
        """Code, not data."""
        return self.note.upper()


EXAMPLE_ENV: Final = TypeEnv({"state": ExampleOrder, "charge": Awaitable[bool]})
"""`state` is an `ExampleOrder`; `charge` is work that was not awaited."""
