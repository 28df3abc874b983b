"""How fast compiled expressions run, against CPython's own closures: `python benchmarks/expressions.py`.

For every expression: microseconds of one evaluation through `Compiled.__call__`, beside a native Python lambda over the
same data; for the first one also what it costs to read, check and compile it. A condition takes 2 us at most.
"""

from datetime import UTC, datetime
from decimal import Decimal
from functools import partial

from pydantic import BaseModel

from benchmarks.table import Row, Table, microseconds, show
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


def main() -> Table:
    """Measure everything and print the table."""
    env = Environment({"state": State()})
    types = TypeEnv({"state": State})
    state = env.names["state"]
    rows: list[Row] = []
    for text in EXPRESSIONS:
        expr = parse(text)
        compiled = compile_expr(expr)
        native = eval(f"lambda state: {print_expr(expr)}")  # noqa: S307 - our own texts
        python = microseconds(partial(native, state), 0.1)
        condition = text == EXPRESSIONS[0]
        rows.append(
            Row(
                text,
                microseconds(partial(compiled, env), 0.1),
                "us",
                "a Python lambda",
                python,
                2 if condition else None,
            )
        )
    text = EXPRESSIONS[0]
    expr = parse(text)
    built = microseconds(partial(compile, text, "text", "eval"), 0.1)
    rows += [
        Row("read the first one", microseconds(partial(parse, text), 0.1), "us", "compile()", built),
        Row("check it", microseconds(partial(check, expr, types), 0.1), "us", "compile()", built),
        Row("compile it", microseconds(partial(compile_expr, expr), 0.1), "us", "compile()", built),
    ]
    return show("Expressions", rows)


if __name__ == "__main__":
    main()
