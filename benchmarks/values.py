"""What a step costs in state handling: view and write set against the usual ways.

Run `python benchmarks/values.py`. A "step" touches two scalars (reads one, writes both). The view should cost the same at
any size of the state; deep copy and JSON validation grow with it.
"""

import copy
import sys
import timeit
from collections.abc import Callable
from decimal import Decimal

import pydantic

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


def microseconds(work: Callable[[], object], budget_s: float = 0.3) -> float:
    """The best time of one call, of five rounds."""
    once = max(timeit.timeit(work, number=3) / 3, 1e-7)
    number = max(1, int(budget_s / 5 / once))
    return min(timeit.repeat(work, number=number, repeat=5)) / number * 1e6


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


def main() -> int:
    columns = {size: {name: microseconds(work) for name, work in steps(lines).items()} for size, lines in SIZES.items()}
    print(f"{'one step, µs (x view)':28}" + "".join(f"{size:>20}" for size in SIZES))
    for name in columns["15 KB"]:
        cells = (
            f"{column[name]:10.1f} ({column[name] / column['view + write set']:6.1f}x)" for column in columns.values()
        )
        print(f"{name:28}" + "".join(f"{cell:>20}" for cell in cells))
    print("\none value, µs")
    for name, work in scalars().items():
        print(f"{name:28}{microseconds(work, 0.1):10.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
