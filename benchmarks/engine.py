"""Sequential no-op steps a second, in memory, encoding included; and the same work in a bare loop.

    python benchmarks/engine.py [--steps N] [--rounds N]

The bare loop does what no durable engine can leave out: await the body, encode result and position, append a log entry,
update a row in a dictionary. The ratio says what the interpreter adds.
"""

import argparse
import asyncio
import gc
import time

import orjson
from pydantic import BaseModel

from benchmarks.table import Row, Table, show
from ruvon.builder import WorkflowBuilder
from ruvon.ir import END, Call, Definition, Graph, Loop, Node
from ruvon.ir.expr import parse
from ruvon.providers import LogEntry


class Counter(BaseModel):
    count: int = 0
    name: str = "bench"
    note: str = ""
    total: int = 0


async def noop() -> None:
    """Nothing."""


async def touch(state: Counter) -> dict[str, object]:
    """Read two fields and write them."""
    return {"count": state.count + 1, "total": state.total + state.count}


def definition(kind: str, steps: int) -> Definition:
    """A chain of three steps in a loop."""
    call = (
        Call(function=f"{__name__}:noop")
        if kind == "noop"
        else Call(function=f"{__name__}:touch", args={"state": parse("state")})
    )
    names = ["one", "two", "three"]
    nodes = {
        name: Node(id=name, action=call, next=following)
        for name, following in zip(names, [*names[1:], END], strict=True)
    }
    loop = Loop(over=parse(f"range({steps // 3})"), item=parse("i"), body=Graph(entry="one", nodes=nodes))
    return Definition(
        workflow_type=f"Bench-{kind}",
        state=f"{__name__}:Counter",
        graph=Graph(entry="loop", nodes={"loop": Node(id="loop", action=loop, next=END, automate_next=True)}),
        variables={"i": "int"},
    )


def chain(kind: str, length: int) -> Definition:
    """A plain chain of steps without a loop."""
    call = (
        Call(function=f"{__name__}:noop")
        if kind == "noop"
        else Call(function=f"{__name__}:touch", args={"state": parse("state")})
    )
    nodes = {
        f"s{i}": Node(id=f"s{i}", action=call, next=f"s{i + 1}" if i + 1 < length else END, automate_next=True)
        for i in range(length)
    }
    return Definition(workflow_type=f"Chain-{kind}", state=f"{__name__}:Counter", graph=Graph(entry="s0", nodes=nodes))


async def engine_rate(made: Definition, steps: int) -> float:
    """Steps a second through the engine."""
    builder = WorkflowBuilder(plugins=False, import_roots=["benchmarks"])
    builder.register(made)
    workflow = await builder.create_workflow(made.workflow_type, {})
    gc.collect()
    begin = time.process_time()
    await workflow.run()
    took = time.process_time() - begin
    if workflow.status.value != "COMPLETED":
        raise RuntimeError(f"the workflow failed: {workflow.error}")
    return steps / took


async def bare_rate(steps: int) -> float:
    """Steps a second of the bare loop."""
    row: dict[str, object] = {}
    log: list[LogEntry] = []
    begin = time.process_time()
    for number in range(steps):
        await noop()
        encoded = orjson.dumps(None)
        position = orjson.dumps(["step", 0, number])
        log.append(LogEntry(number, "step", "step", f"step[{number}]", time.time_ns() // 1000, 1, b"", encoded))
        row["revision"] = number
        row["position"] = position
        row["status"] = "ACTIVE"
    return steps / (time.process_time() - begin)


def measure(steps: int, rounds: int) -> Table:
    """Measure everything and print the table."""
    bare = max(asyncio.run(bare_rate(steps)) for _ in range(rounds))
    cases = [("chain, no-op", chain("noop", 2000), 2000), ("loop, no-op", definition("noop", steps), steps)]
    cases += [("chain, state", chain("touch", 2000), 2000), ("loop, state", definition("touch", steps), steps)]
    rows = [Row("bare loop", 1e6 / bare, "us/step", "itself", 1e6 / bare)]
    for name, made, count in cases:
        rate = max(asyncio.run(engine_rate(made, count)) for _ in range(rounds))
        rows.append(Row(f"{name}: {rate:,.0f} steps/s", 1e6 / rate, "us/step", "the bare loop", 1e6 / bare))
    return show("Engine, in memory", rows)


def main() -> Table:
    """Measure as the whole run does."""
    return measure(30_000, 3)


if __name__ == "__main__":
    # Steps are found by path, so the script is imported once more under its own name.
    from benchmarks import engine

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=30_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    engine.measure(options.steps, options.rounds)
