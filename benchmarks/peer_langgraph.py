"""The work of `durable.py` and `postgres.py` done by LangGraph; run by an interpreter that has it and its checkpointers.

    PYTHON benchmarks/peer_langgraph.py URL WORKFLOWS STEPS

A chain of nodes, each a step; `durability="sync"`, so that a step is written before the next one begins, which is what the
others do. On PostgreSQL the checkpointer has a pool of connections, set up as its documentation says. Prints one JSON
object: the version, and steps a second together and alone.
"""

import asyncio
import importlib.metadata
import json
import sys
import time
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any, TypedDict


class State(TypedDict):
    """What goes through the chain."""

    n: int


@asynccontextmanager
async def checkpointer(url: str) -> Any:
    """The checkpointer of an address."""
    if url.startswith("sqlite:///"):
        made = import_module("langgraph.checkpoint.sqlite.aio").AsyncSqliteSaver
        async with made.from_conn_string(url.removeprefix("sqlite:///")) as saver:
            await saver.setup()
            yield saver
        return
    rows = import_module("psycopg.rows").dict_row
    settings = {"autocommit": True, "prepare_threshold": 0, "row_factory": rows}
    pool = import_module("psycopg_pool").AsyncConnectionPool
    async with pool(url, min_size=4, max_size=20, open=False, kwargs=settings) as connections:
        saver = import_module("langgraph.checkpoint.postgres.aio").AsyncPostgresSaver(connections)
        await saver.setup()
        yield saver


def chain(steps: int, saver: Any) -> Any:
    """The graph."""
    library = import_module("langgraph.graph")

    async def counted(state: State) -> State:
        return {"n": state["n"] + 1}

    graph = library.StateGraph(State)
    for number in range(steps):
        graph.add_node(f"s{number}", counted)
        graph.add_edge(f"s{number - 1}" if number else library.START, f"s{number}")
    graph.add_edge(f"s{steps - 1}", library.END)
    return graph.compile(checkpointer=saver)


async def main(url: str, workflows: int, steps: int) -> None:
    """Measure and print."""
    async with checkpointer(url) as saver:
        graph = chain(steps, saver)

        async def rate(count: int, mark: str) -> float:
            begin = time.perf_counter()
            results = await asyncio.gather(
                *(
                    graph.ainvoke({"n": 0}, {"configurable": {"thread_id": f"{mark}{number}"}}, durability="sync")
                    for number in range(count)
                )
            )
            took = time.perf_counter() - begin
            if [result["n"] for result in results] != [steps] * count:
                raise SystemExit("wrong results")
            return count * steps / took

        await rate(1, "warm")
        found = {
            "version": importlib.metadata.version("langgraph"),
            "together": await rate(workflows, "many"),
            "alone": await rate(1, "one"),
        }
    sys.stdout.write("\n" + json.dumps(found) + "\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
