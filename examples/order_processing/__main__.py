"""The order example, end to end: `python -m examples.order_processing` (or `make run`)."""

import asyncio
from pathlib import Path

from examples.narrator import compare, heading, open_builder, tell, tell_where
from examples.order_processing.models import Transfer, Verdict
from examples.over_http import served
from ruvon_server.client import AsyncClient

HERE = Path(__file__).parent
DATABASE = Path("var/order_processing.db")
SMALL = [{"sku": "mug", "quantity": 2, "price": "12.50"}]
LARGE = [{"sku": "espresso-machine", "quantity": 3, "price": "4200"}, {"sku": "grinder", "quantity": 1, "price": "900"}]


async def main(database: Path = DATABASE) -> None:
    """Compile both forms, then run five orders, and a sixth over HTTP."""
    compare(HERE / "workflow.py", HERE / "order_processing.yaml")
    builder = await open_builder(HERE, database)

    heading("2. A small order runs to the end; each step is one durable commit")
    order = await builder.create_workflow("OrderProcessing", {"order_id": "A-1", "customer": "Ada", "items": SMALL})
    await order.run()
    tell(order)

    heading("3. A large order waits for a person; the process may end meanwhile")
    order = await builder.create_workflow("OrderProcessing", {"order_id": "A-2", "customer": "Grace", "items": LARGE})
    await order.run()
    tell(order)
    workflow_id = order.id
    await builder.close()

    print("   ... the database is closed, opened again by a new builder, and the order is loaded by its id ...")
    builder = await open_builder(HERE, database)
    order = await builder.load_workflow(workflow_id)
    await order.next_step(Verdict(approved=True))
    tell(order)

    heading("4. A declined card: what was reserved is released, the last first")
    items = [*SMALL, {"sku": "filter", "quantity": 10, "price": "4"}]
    order = await builder.create_workflow(
        "OrderProcessing", {"order_id": "A-3", "customer": "broke Bob", "items": items}
    )
    await order.run()
    tell(order)

    heading("5. A failure after the payment: the money goes back too")
    order = await builder.create_workflow(
        "OrderProcessing", {"order_id": "A-4", "customer": "Zoe in nowhere", "items": SMALL}
    )
    await order.run()
    tell(order)

    heading("6. By transfer: the order waits for the bank's message, for a week and after a reminder for another")
    order = await builder.create_workflow(
        "OrderProcessing",
        {"order_id": "A-5", "customer": "Ada, far away", "items": SMALL, "by_transfer": True},
    )
    await order.run()
    tell(order)
    print(
        "   ... the bank's message arrives; the first carrier is busy, so the parcel is handed over at the second try ..."
    )
    await order.signal(Transfer(reference="transfer-77"), key="A-5")
    await order.run()
    tell(order)

    await builder.close()
    await order_over_http(database)

    builder = await open_builder(HERE, database)
    await tell_where(builder, database, order, "examples/order_processing/order_processing.yaml", 6)
    await builder.close()


async def order_over_http(database: Path) -> None:
    """Start a server over the same database, and order over HTTP with the client."""
    heading("7. Over HTTP: `ruvon serve` answers, and its client starts a large order and approves it")
    async with served(HERE, database) as url, AsyncClient(url) as ruvon:
        health = await ruvon.get_health()
        print(f"   the server is {health.status} and answers on {url}")
        data = {"order_id": "A-6", "customer": "Linus", "items": LARGE}
        made = await ruvon.start_workflow(workflow_type="OrderProcessing", data=data)
        print(f"   POST /api/v1/workflows -> {made.workflow_id}")
        order = await ruvon.wait(made.workflow_id)
        print(f"   {order.status.value}: {order.waiting_for[0].name} at the step `{order.waiting_for[0].step}`")
        await ruvon.resume_workflow(order.workflow_id, answer={"approved": True}, step=order.waiting_for[0].step)
        order = await ruvon.wait(order.workflow_id, until_ended=True)
        print(f"   {order.status.value}: {order.result}")


if __name__ == "__main__":
    asyncio.run(main())
