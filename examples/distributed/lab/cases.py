"""What is asked of the shop, by its number, and what must come of it: computed here, without the engine or the workflows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from examples.distributed.models import Delivered, Instalment

KINDS = 8
"""Case `n + KINDS` is of the kind of case `n`."""


@dataclass(frozen=True)
class Message:
    """A signal that the world sends."""

    event: Delivered | Instalment
    key: str


@dataclass(frozen=True)
class Case:
    """One run and its outcome."""

    number: int
    type: str
    data: Mapping[str, Any]
    status: str
    result: Any
    state: Mapping[str, Any]
    effects: frozenset[tuple[str, str, int]]
    """Subject, what, cents."""
    messages: tuple[Message, ...] = ()
    children: int = 0
    background: bool = False
    """A worker drives it from its first step; otherwise the application does, as far as it comes."""

    @property
    def key(self) -> str:
        return f"case-{self.number}"


@dataclass
class _Order:
    """Helps to spell an order."""

    number: int
    skus: tuple[str, ...] = ("cup", "mug")
    address: str = "Main Street 1"
    bank: str = "ready"
    cooling_ms: int = 0
    told: list[tuple[str, int]] = field(default_factory=list)

    @property
    def id(self) -> str:
        return f"order-{self.number}"

    @property
    def cents(self) -> int:
        return 1000 + self.number

    def case(self, status: str) -> Case:
        done = status == "COMPLETED"
        given = {
            "order_id": self.id,
            "skus": list(self.skus),
            "cents": self.cents,
            "address": self.address,
            "bank": self.bank,
            "cooling_ms": self.cooling_ms,
        }
        reached = {"risk": len(self.address), "stock": 10 * len(self.skus), "status": "done" if done else "new"}
        result = {
            "order_id": self.id,
            "payment": f"pay-{self.id}",
            "tracking": f"track-{self.id}",
            "signed_by": f"neighbour {self.number}",
        }
        return Case(
            self.number,
            "ShopOrder",
            given,
            status,
            result if done else None,
            {**given, **reached},
            frozenset((self.id, what, cents) for what, cents in self.told),
            (Message(Delivered(signed_by=f"neighbour {self.number}"), self.id),) if done else (),
            children=0 if self.bank == "declines" else 1,
            background=self.number // KINDS % 2 == 0,
        )


def case(number: int) -> Case:
    """The case of this number."""
    match number % KINDS:
        case 0:
            return _good(_Order(number))
        case 1:
            return _good(_Order(number, bank="busy", skus=("cup",)))
        case 2:
            return _good(_Order(number, cooling_ms=1500, skus=("cup", "mug", "pot")))
        case 3:
            return _refused(_Order(number, bank="declines"))
        case 4:
            return _undeliverable(_Order(number, address="nowhere", cooling_ms=300))
        case 5:
            return _plan(number, in_time=True)
        case 6:
            return _plan(number, in_time=False)
        case _:
            return _survey(number)


def _good(order: _Order) -> Case:
    order.told += [(f"reserve {sku}", 0) for sku in order.skus]
    order.told += [("charge", order.cents), ("pack", 0), ("hand over", 0), ("confirm", 0)]
    return order.case("COMPLETED")


def _refused(order: _Order) -> Case:
    for sku in order.skus:
        order.told += [(f"reserve {sku}", 0), (f"release {sku}", 0)]
    return order.case("FAILED_ROLLED_BACK")


def _undeliverable(order: _Order) -> Case:
    made = _refused(order)
    order.told += [("charge", order.cents), ("refund", -order.cents), ("pack", 0), ("unpack", 0)]
    return order.case(made.status)


def _plan(number: int, *, in_time: bool) -> Case:
    """Three instalments that come, or none and a reminder: what happens hangs on no race."""
    name, cents, months = f"plan-{number}", 500 + number, range(3 if in_time else 0)
    given = {"order_id": name, "months": 3, "cents": cents, "patience_ms": 3_600_000 if in_time else 1000}
    told = {(name, f"book {month}", cents) for month in months} or {(name, "remind 0", 0)}
    return Case(
        number,
        "ShopPlan",
        given,
        "COMPLETED",
        "paid" if in_time else "late in month 0",
        {**given, "paid": cents * len(months), "status": "paid" if in_time else "late"},
        frozenset(told),
        tuple(Message(Instalment(cents=cents), f"{name}/{month}") for month in months),
        background=number // KINDS % 2 == 1,
    )


def _survey(number: int) -> Case:
    name = f"survey-{number}"
    warehouses = [number % 5 + 1, number % 5 + 2, number % 5 + 3]
    given = {"survey_id": name, "warehouses": warehouses}
    counted = 10 * sum(warehouses)
    parcels = sum(100 + len(f"{name}/{warehouse}") for warehouse in warehouses)
    told = {(name, f"count {warehouse}", 0) for warehouse in warehouses}
    told |= {(f"{name}/{warehouse}", what, 0) for warehouse in warehouses for what in ("pack", "hand over")}
    return Case(
        number,
        "ShopSurvey",
        given,
        "COMPLETED",
        counted + parcels,
        {**given, "counted": counted, "parcels": parcels},
        frozenset(told),
        children=len(warehouses),
        background=number // KINDS % 2 == 0,
    )
