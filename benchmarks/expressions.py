"""How fast compiled expressions run, against CPython's own closures: `python benchmarks/expressions.py`.

For every expression: microseconds of one evaluation through `Compiled.__call__`, of a native Python lambda over the same
data, their ratio, and microseconds to read, check and compile it. The aim is under 2 us for a condition.
"""

import timeit
from datetime import UTC, datetime
from decimal import Decimal

from pydantic import BaseModel

from ruvon.ir.expr import Environment, TypeEnv, check, compile_expr, parse, print_expr


class Line(BaseModel):
    """An order line."""

    qty: int
    price: Decimal


class State(BaseModel):
    """An order."""

    amount: Decimal = Decimal(20_000)
    vip: bool = False
    status: str = "open"
    at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    lines: list[Line] = [Line(qty=n, price=Decimal("9.90")) for n in range(20)]


EXPRESSIONS = (
    "state.amount > 10000 and not state.vip",
    "state.status == 'open'",
    "state.amount * 2 + 5",
    "f'order of {state.amount} at {state.at:%Y-%m-%d}'",
    "state.status.upper() in ('OPEN', 'CLOSED')",
    "len(state.lines)",
    "sum(line.price * line.qty for line in state.lines)",
    "[line.qty for line in state.lines if line.qty > 5]",
    "{line.qty: line.price for line in state.lines}",
    "any(line.qty > 18 for line in state.lines)",
)


def _microseconds(action: object) -> float:
    timer = timeit.Timer(action)  # type: ignore[arg-type]
    count, _ = timer.autorange()
    return min(timer.repeat(5, max(1, count // 4))) / max(1, count // 4) * 1e6


def main() -> None:
    """Print the table."""
    env = Environment({"state": State()})
    types = TypeEnv({"state": State})
    print(f"{'expression':58} {'ours us':>8} {'python':>8} {'ratio':>6} {'read':>7} {'check':>7} {'compile':>8}")
    for text in EXPRESSIONS:
        expr = parse(text)
        compiled = compile_expr(expr)
        native = eval(f"lambda state: {print_expr(expr)}")  # noqa: S307 - our own texts
        state = env.names["state"]
        ours, python = _microseconds(lambda: compiled(env)), _microseconds(lambda: native(state))  # noqa: B023 - run here
        costs = [
            _microseconds(lambda: parse(text)),  # noqa: B023 - run here
            _microseconds(lambda: check(expr, types)),  # noqa: B023 - run here
            _microseconds(lambda: compile_expr(expr)),  # noqa: B023 - run here
        ]
        print(
            f"{text:58} {ours:8.2f} {python:8.2f} {ours / python:6.1f} {costs[0]:7.0f} {costs[1]:7.0f} {costs[2]:8.0f}"
        )


if __name__ == "__main__":
    main()
