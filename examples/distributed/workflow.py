"""The workflows of the shop: an order with a parcel as its child, instalments, and a survey."""

from datetime import timedelta

from examples.distributed.models import Delivered, Handover, Instalment, Order, Parcel, Plan, Receipt, Survey
from examples.distributed.steps import (
    add_up,
    book_instalment,
    charge,
    confirm,
    count,
    hand_over,
    look_up_stock,
    pack,
    rate_risk,
    remind,
    reserve,
)
from ruvon import Won, first_of, gather, named, receive, sleep, workflow


@workflow("ShopParcel", version="1.0.0", saga=True)
async def shop_parcel(state: Parcel) -> Handover:
    """A child: it is packed, dries, and is handed over; where nobody takes it, it is unpacked."""
    await pack(state)
    await sleep(timedelta(milliseconds=state.drying_ms))
    return await hand_over(state)


@workflow("ShopOrder", version="1.0.0", saga=True)
async def shop_order(state: Order) -> Receipt:
    """What fails behind the payment gives the money back and puts the articles back on their shelves."""
    await gather(rate_risk(state), look_up_stock(state))
    for sku in state.skus:
        await reserve(state, sku)
    await sleep(timedelta(milliseconds=state.cooling_ms))
    payment = await charge(state)
    parcel = await shop_parcel(Parcel(order_id=state.order_id, address=state.address, drying_ms=state.cooling_ms))
    delivered = await receive(Delivered, key=state.order_id)
    await confirm(state)
    return Receipt(
        order_id=state.order_id, payment=payment.reference, tracking=parcel.tracking, signed_by=delivered.signed_by
    )


@workflow("ShopPlan", version="1.0.0")
async def shop_plan(state: Plan) -> str:
    """Each month's money is waited for, and a reminder ends the plan where it does not come."""
    for month in range(state.months):
        won = await first_of(
            named("paid", receive(Instalment, key=f"{state.order_id}/{month}")),
            named("late", sleep(timedelta(milliseconds=state.patience_ms))),
        )
        match won:
            case Won("paid", Instalment() as instalment):
                await book_instalment(state, month=month, cents=instalment.cents)
            case _:
                await remind(state, month=month)
                return f"late in month {month}"
    state.status = "paid"
    return "paid"


@workflow("ShopSurvey", version="1.0.0")
async def shop_survey(state: Survey) -> int:
    """Two warehouses at a time are counted; then a parcel is sent from each, as children side by side."""
    counts = await gather(*(count(state.survey_id, warehouse) for warehouse in state.warehouses), limit=2)
    parcels = await gather(
        *(shop_parcel(Parcel(order_id=f"{state.survey_id}/{number}", address="HQ")) for number in state.warehouses)
    )
    await add_up(state, counts, [parcel.weight for parcel in parcels])
    return state.counted + state.parcels
