from datetime import timedelta

from golden_shop import *
from ruvon import workflow


@workflow("Golden")
async def golden(state: Order) -> str:
    label = await shipment(Line(sku="a"))
    approval = await kyc.with_(version="1.0.0", timeout=timedelta(days=1))(Line(sku="b"))
    child = await shipment.spawn(Line(sku="c"), key=state.name)
    await shipment.schedule(Line(sku="d"), cron="0 9 * * *", tz="Europe/Rome", name="daily")
    if state.number > LIMIT:
        golden.restart(state)
    return f"{label}{approval.ok}{child}"
