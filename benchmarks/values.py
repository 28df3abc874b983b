"""What a step costs in state handling: view and write set against the usual ways.

Run `python benchmarks/values.py`. A "step" touches two scalars (reads one, writes both). The view should cost the same at
any size of the state; deep copy and JSON validation grow with it.
"""

import copy
from collections.abc import Callable
from decimal import Decimal

import pydantic

from benchmarks.table import Row, Table, microseconds, show
from ruvon.ir.values import StateCodec, class_table, codec_for, copy_value


class Line(pydantic.BaseModel):
    sku: str
    qty: int = 1
    price: Decimal = Decimal("9.90")


class Order(pydantic.BaseModel):
    order_id: str
    status: str = "new"
    customer: str = "c-1"
    attempts: int = 0
    total: Decimal = Decimal(0)
    paid: bool = False
    note: str | None = None
    lines: list[Line] = []


SIZES = {"0.4 KB": 4, "1.6 KB": 24, "15 KB": 240}


def steps(lines: int) -> dict[str, Callable[[], object]]:
    codec = StateCodec(Order, class_table([Order]))
    state = Order(order_id="o-1", lines=[Line(sku=f"s{index}") for index in range(lines)])
    table = codec.initial(state)
    text = state.model_dump_json()

    def view() -> object:
        step = codec.view(table)
        step.attempts += 1  # type: ignore[attr-defined]
        step.status = "paid"  # type: ignore[attr-defined]
        return codec.write_set(step, table)

    def deepcopy() -> object:
        step = copy.deepcopy(state)
        step.attempts += 1
        step.status = "paid"
        return step

    def by_value() -> object:
        return copy_value(state)

    def whole() -> object:
        return codec_for(Order, whole_table).encode(state)

    def json() -> object:
        step = Order.model_validate_json(text)
        step.attempts += 1
        step.status = "paid"
        return step.model_dump_json()

    def nested() -> object:
        step = codec.view(table)
        step.lines[0].qty += 1  # type: ignore[attr-defined]
        return codec.write_set(step, table)

    whole_table = class_table([Order])
    return {
        "view + write set": view,
        "view, nested change": nested,
        "encode whole state": whole,
        "copy_value": by_value,
        "deepcopy": deepcopy,
        "validate from JSON + dump": json,
    }


def scalars() -> dict[str, Callable[[], object]]:
    table = class_table([Line])
    samples: dict[str, tuple[object, object]] = {
        "int": (int, 5),
        "str": (str, "abc"),
        "bool": (bool, True),
        "float": (float, 1.5),
        "None of int | None": (int | None, None),
        "Decimal": (Decimal, Decimal("9.90")),
        "object (str)": (object, "abc"),
        "list[str] of 10": (list[str], ["abc"] * 10),
        "model of 3 fields": (Line, Line(sku="a")),
    }
    found: dict[str, Callable[[], object]] = {}
    for name, (annotation, value) in samples.items():
        codec = codec_for(annotation, table)
        data = codec.encode(value)
        found[f"encode {name}"] = lambda codec=codec, value=value: codec.encode(value)  # type: ignore[misc]
        found[f"decode {name}"] = lambda codec=codec, data=data: codec.decode(data)  # type: ignore[misc]
    return found


def main() -> Table:
    """Measure everything and print the table."""
    rows: list[Row] = []
    for size, lines in SIZES.items():
        found = {name: microseconds(work) for name, work in steps(lines).items()}
        base = found["deepcopy"]
        rows += [Row(f"{name}, state of {size}", value, "us", "deepcopy", base) for name, value in found.items()]
    call = microseconds(lambda: None, 0.1)
    rows += [Row(name, microseconds(work, 0.1), "us", "an empty call", call) for name, work in scalars().items()]
    return show("One step's state, and single values", rows)


if __name__ == "__main__":
    main()
