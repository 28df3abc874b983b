"""The order example, end to end: `python -m examples.order_processing` (or `make run`)."""

import asyncio
from pathlib import Path

from examples.narrator import Narrator, heading
from examples.order_processing.models import Verdict
from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.ir import drawing
from ruvon_dsl import compile_file, require

HERE = Path(__file__).parent
DATABASE = Path("var/order_processing.db")
SMALL = [{"sku": "mug", "quantity": 2, "price": "12.50"}]
LARGE = [{"sku": "espresso-machine", "quantity": 3, "price": "4200"}, {"sku": "grinder", "quantity": 1, "price": "900"}]


def open_builder() -> WorkflowBuilder:
    """What a process does once at its start."""
    store = SQLitePersistenceProvider(DATABASE)
    return WorkflowBuilder(HERE, persistence_provider=store, observers=[Narrator()], import_roots=[Path.cwd()])


async def main() -> None:
    """Compile both forms, then run four orders."""
    heading("1. One workflow in two forms, one graph")
    python = require(compile_file(HERE / "workflow.py"))[0]
    yaml = require(compile_file(HERE / "order_processing.yaml"))[0]
    print(f"   workflow.py            {python.digest.hex() if python.digest else '-'}")
    print(f"   order_processing.yaml  {yaml.digest.hex() if yaml.digest else '-'}")
    assert python.digest == yaml.digest
    print()
    print(drawing.to_terminal(python.definition), end="")

    DATABASE.parent.mkdir(exist_ok=True)
    builder = open_builder()
    await builder.initialize()

    heading("2. A small order runs to the end; each step is one durable commit")
    order = await builder.create_workflow("OrderProcessing", {"order_id": "A-1", "customer": "Ada", "items": SMALL})
    await order.run()
    print(f"   result: {order.result}")

    heading("3. A large order waits for a person; the process may end meanwhile")
    order = await builder.create_workflow("OrderProcessing", {"order_id": "A-2", "customer": "Grace", "items": LARGE})
    await order.run()
    print(f"   waiting for: {order.waiting_for}")
    workflow_id = order.id
    await builder.close()

    print("   ... another process opens the database and answers ...")
    builder = open_builder()
    await builder.initialize()
    order = await builder.load_workflow(workflow_id)
    await order.next_step(Verdict(approved=True))
    print(f"   result: {order.result}")

    heading("4. A declined card: what was reserved is released, in reverse order")
    items = [*SMALL, {"sku": "filter", "quantity": 10, "price": "4"}]
    order = await builder.create_workflow("OrderProcessing", {"order_id": "A-3", "customer": "broke Bob", "items": items})
    await order.run()
    print(f"   status: {order.status.value}; {type(order.error).__name__}: {order.error}")

    heading("5. A failure after the payment: the money goes back too")
    order = await builder.create_workflow(
        "OrderProcessing", {"order_id": "A-4", "customer": "Zoe in nowhere", "items": SMALL}
    )
    await order.run()
    print(f"   status: {order.status.value}; {type(order.error).__name__}: {order.error}")

    heading("Where the data lies")
    rows = await builder.list_workflows(limit=4)
    for row in rows:
        print(f"   {row['workflow_id']}  {row['status']:<18} {row['workflow_type']}")
    print(f"\n   {DATABASE} holds every run: try")
    print(f"     .venv/bin/ruvon list --db {DATABASE}")
    print(f"     .venv/bin/ruvon show {order.id} --logs --db {DATABASE}")
    print("     .venv/bin/ruvon graph examples/order_processing/order_processing.yaml --format svg -o order.svg")
    await builder.close()


if __name__ == "__main__":
    asyncio.run(main())
