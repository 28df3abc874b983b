"""The ten programs, run through `.local` with their placeholder steps scripted."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from ruvon import HttpError, InTurn, Offline, Reply, Signal, StepFailed, World
from tests.programs import (
    w01_order,
    w02_travel,
    w03_loan,
    w04_pos,
    w06_nightly,
    w07_document,
    w08_subscription,
    w09_incident,
    w11_fork,
    w14_sensor,
)
from tests.unit.authoring.support import ran, result_of

# --- 1 order ----------------------------------------------------------------------------------------------------------


def order(price: int, *, vip: bool = False) -> w01_order.Order:
    """An order of two items."""
    items = [w01_order.Item(sku=sku, qty=1, price=Decimal(price)) for sku in ("a", "b")]
    return w01_order.Order(order_id="o1", customer="c", items=items, vip=vip)


def order_world(**more: Any) -> World:
    """Every placeholder of the order replies."""
    steps = {
        "check_fraud": None,
        "validate_address": None,
        "reserve": lambda item: w01_order.Hold(hold_id=item.sku),
        "charge": lambda amount: w01_order.Payment(payment_id="p1", amount=amount),
        **more.pop("steps", {}),
    }
    return World(steps=steps, **more)


def test_order_is_paid() -> None:
    """A small order goes through without a person; the dict of `book` merges."""
    outcome = ran(w01_order.order_processing, order(10), order_world())
    assert outcome.result == w01_order.Receipt(order_id="o1", total=Decimal(20), payment_id="p1")
    assert (outcome.state.payment_id, outcome.state.status) == ("p1", "done")


def test_order_is_refused_by_a_person() -> None:
    """A big order asks finance; a refusal raises, and nothing had completed that must be undone."""
    world = order_world(answers={"finance.approve": [{"approved": False, "reason": "too much"}]})
    outcome = ran(w01_order.order_processing, order(6000), world)
    assert isinstance(outcome.error, w01_order.Rejected)
    assert str(outcome.error) == "too much"
    assert world.shown[0][1]["total"] == Decimal(12000)
    assert world.compensations == []


def test_order_with_a_declined_card_releases_what_it_held() -> None:
    """A declined card is final; both holds are released, the charge is not refunded."""
    world = order_world(steps={"charge": w01_order.CardDeclined("51"), "release": None})
    assert isinstance(ran(w01_order.order_processing, order(10), world).error, w01_order.CardDeclined)
    assert [item.activation for item in world.compensations] == ["reserve#2", "reserve"]
    assert world.slept == []


def test_order_with_a_lost_charge_is_refunded() -> None:
    """Three attempts time out; the unknown charge is refunded with no payment."""
    seen: list[Any] = []
    late = Reply(takes=timedelta(minutes=1))
    refund = lambda payment, amount: seen.append((payment, amount))  # noqa: E731
    world = order_world(steps={"charge": late, "refund": refund, "release": None})
    assert isinstance(ran(w01_order.order_processing, order(10), world).error, TimeoutError)
    assert seen == [(None, Decimal(20))]


# --- 2 travel ---------------------------------------------------------------------------------------------------------


def trip() -> w02_travel.Trip:
    """A trip of two."""
    who = [w02_travel.Traveller(name=name, passport=name) for name in ("ada", "bob")]
    return w02_travel.Trip(
        trip_id="t",
        travellers=who,
        origin="MXP",
        destination="OSL",
        depart=date(2026, 5, 1),
        back=date(2026, 5, 9),
        budget=Decimal(1000),
    )


def trip_world(**steps: Any) -> World:
    """Every placeholder of the trip replies."""
    replies = {
        "ask_consulate": lambda state: w02_travel.VisaResult(granted=True, number=state.traveller.name),
        "book_flight": w02_travel.Booking(ref="F", price=Decimal(300)),
        "book_hotel": w02_travel.Booking(ref="H", price=Decimal(400)),
        "charge_card": w02_travel.Booking(ref="C", price=Decimal(700)),
        "tell_customer": None,
        "cancel_flight": None,
        "cancel_hotel": None,
        "refund_card": None,
    }
    return World(steps={**replies, **steps})


def test_trip_is_booked() -> None:
    """Visa children for each traveller, flight and hotel beside each other."""
    found = result_of(w02_travel.trip_booking, trip(), trip_world())
    assert found == w02_travel.Confirmed(flight="F", hotel="H", charge="C")


def test_trip_over_budget_is_undone_and_declined() -> None:
    """The scope undoes flight and hotel, then the handler tells the customer."""
    world = trip_world(book_hotel=w02_travel.Booking(ref="H", price=Decimal(900)))
    found = result_of(w02_travel.trip_booking, trip(), world)
    assert found == w02_travel.Declined(reason="cheapest offer is 1200")
    assert [item.step for item in world.compensations] == ["book_hotel", "book_flight"]
    assert world.steps_called[-1] == "tell_customer"


def test_trip_with_a_refused_visa_returns_inside_the_scope() -> None:
    """A `return` inside a scope undoes nothing."""
    world = trip_world(ask_consulate=w02_travel.VisaResult(granted=False))
    assert result_of(w02_travel.trip_booking, trip(), world) == w02_travel.Declined(reason="visa refused")
    assert world.compensations == []


# --- 3 loan -----------------------------------------------------------------------------------------------------------


def loan(**more: Any) -> World:
    """Every placeholder of the loan replies."""
    steps = {
        "credit_check": w03_loan.Credit(score=600, defaults=0),
        "income_check": w03_loan.Income(monthly=Decimal(2000)),
        "price": Decimal("4.5"),
        "record": None,
    }
    steps.update(more.pop("steps", {}))
    return World(**{"steps": steps, "children": {"KYC": {"level": "full"}}, **more})


APPLICATION = w03_loan.Application(application_id="a", applicant="ada", amount=Decimal(9000), months=12)


def test_loan_is_approved_automatically() -> None:
    """A good score needs nobody."""
    world = loan(steps={"credit_check": w03_loan.Credit(score=800, defaults=0)})
    outcome = ran(w03_loan.loan_application, APPLICATION, world)
    assert outcome.result.outcome == outcome.state.outcome == "approved"


def test_loan_is_reviewed_after_refused_answers() -> None:
    """An answer with a short comment is refused; the next one is taken."""
    answers = [
        {"approve": True, "max_amount": 5000, "comment": "ok"},
        {"approve": True, "max_amount": 5000, "comment": "good customer"},
    ]
    world = loan(answers={"loans.review": answers})
    found = result_of(w03_loan.loan_application, APPLICATION, world)
    assert (found.amount, found.reason) == (Decimal(5000), "good customer")
    assert len(world.refused) == 1


def test_loan_that_nobody_looks_at_is_withdrawn() -> None:
    """After five days the handler decides."""
    found = result_of(w03_loan.loan_application, APPLICATION, loan(answers={"loans.review": []}))
    assert found.outcome == "withdrawn"


# --- 4 point of sale --------------------------------------------------------------------------------------------------


def sale() -> w04_pos.Sale:
    """A sale of twenty."""
    return w04_pos.Sale(sale_id="s", terminal_id="t", card_token="x", amount=Decimal(20), currency="EUR")  # noqa: S106


def pos_world(reply: Any, **steps: Any) -> World:
    """A terminal whose gateway replies so."""
    limits = w04_pos.Limits(floor=Decimal(50), daily_left=Decimal(100), gateway="https://gw")
    replies = {"limits": limits, "approve_offline": "OFF1", "print_receipt": w04_pos.Ticket(number=7), **steps}
    return World(http={"POST https://gw/authorise": reply}, steps=replies)


def test_sale_is_authorised_online() -> None:
    """The gateway's code is in the state."""
    outcome = ran(w04_pos.pos_payment, sale(), pos_world({"approved": True, "code": "A1"}))
    assert (outcome.result.number, outcome.state.status, outcome.state.auth_code) == (7, "approved", "A1")


def test_sale_is_approved_offline_and_forwarded() -> None:
    """Without a network the floor limit decides, and the outbox has the sale."""
    world = pos_world(Offline("gw"))
    outcome = ran(w04_pos.pos_payment, sale(), world)
    assert (outcome.state.status, outcome.state.auth_code) == ("approved_offline", "OFF1")
    assert [item.topic for item in world.published] == ["sales.forward"]


def test_sale_survives_a_printer_without_paper() -> None:
    """The printer's failure is caught; nothing is voided."""
    world = pos_world(HttpError(503), print_receipt=StepFailed("no paper"))
    assert result_of(w04_pos.pos_payment, sale(), world).number == 0
    assert world.compensations == []


# --- 6 nightly report -------------------------------------------------------------------------------------------------


def test_nightly_report_counts_the_failures() -> None:
    """One statement of twenty fails in both passes; the report says which."""

    def statement(customer: str) -> w06_nightly.Statement:
        if customer == "c3":
            raise ValueError("no data")
        return w06_nightly.Statement(customer=customer, total=Decimal(2))

    everyone = [f"c{number}" for number in range(20)]
    steps = {"business_day": date(2026, 1, 2), "customers": InTurn(everyone), "statement": statement, "publish": None}
    found = result_of(w06_nightly.nightly_report, w06_nightly.Night(), World(steps=steps))
    assert (found.done, found.failed, found.total) == (19, ["c3"], Decimal(38))


# --- 7 document -------------------------------------------------------------------------------------------------------


def document_world(confidence: float) -> World:
    """A document that is scored so."""
    return World(
        http={"GET https://d/1/meta": {"mime": "pdf", "pages": 3}, "POST https://ocr.internal/v1/read": {"text": "t"}},
        infer={"doc-classifier@3": {"label": "invoice", "confidence": confidence}},
        wasm={"sha256:9f2c...": {"valid": True}},
        answers={"documents.label": [{"label": "contract"}]},
        steps={"archive": None},
    )


def test_document_is_filed_by_score() -> None:
    """A sure score is taken, an unsure one asks a person."""
    document = w07_document.Document(document_id="1", url="https://d/1", kind="invoice")
    sure = result_of(w07_document.document_pipeline, document, document_world(0.95))
    unsure = result_of(w07_document.document_pipeline, document, document_world(0.5))
    assert (sure.label, sure.route) == ("invoice", "auto")
    assert (unsure.label, unsure.route) == ("contract", "human")


# --- 8 subscription ---------------------------------------------------------------------------------------------------

START = datetime(2026, 1, 1, tzinfo=UTC)


def subscription() -> w08_subscription.Subscription:
    """A subscription that is billed in a month."""
    return w08_subscription.Subscription(
        subscription_id="s", customer="c", price=Decimal(9), next_bill=START + timedelta(days=30)
    )


def test_subscription_takes_a_price_change_and_a_cancel() -> None:
    """A price change goes on, a cancel that comes with the timer wins by argument order."""
    world = World(
        signals=[
            Signal(w08_subscription.PriceChange(price=Decimal(11)), key="s", after=timedelta(days=3)),
            Signal(w08_subscription.Cancel(reason="moved"), key="s", after=timedelta(days=30)),
        ],
        start=START,
    )
    outcome = ran(w08_subscription.subscription, subscription(), world)
    assert outcome.result.why == "moved"
    assert outcome.state.price == Decimal(11)
    assert world.calls == []


def test_subscription_ends_after_dunning() -> None:
    """Five declined charges, four mails and one goodbye, sixteen days after the first."""
    world = World(steps={"charge": w08_subscription.CardDeclined(), "mail": None}, start=START)
    outcome = ran(w08_subscription.subscription, subscription(), world)
    assert outcome.result.why == "payment failed"
    assert world.steps_called == ["charge", *["mail", "charge"] * 4, "mail"]
    assert world.now - START == timedelta(days=30 + 16)


def test_subscription_restarts_once_a_year() -> None:
    """After twelve charges the run begins again with the same state."""
    start = subscription().model_copy(update={"billed": 11})
    steps = {"charge": w08_subscription.Charged(payment_id="p"), "mail": None}
    module: Any = w08_subscription
    pure, module.next_month = module.next_month, lambda when: when + timedelta(days=30)
    try:
        outcome = ran(w08_subscription.subscription, start, World(steps=steps, start=START))
    finally:
        module.next_month = pure
    assert outcome.restarted.billed == 12
    assert outcome.restarted.next_bill == START + timedelta(days=60)


# --- 9 incident -------------------------------------------------------------------------------------------------------


def incident() -> w09_incident.Incident:
    """A severe incident with a chain of two."""
    return w09_incident.Incident(incident_id="i", severity=1, chain=["ada", "bob"])


def test_incident_is_acknowledged_by_the_second_person() -> None:
    """The first is paged, five minutes pass, the second acknowledges, then it is resolved."""
    signals = [
        Signal(w09_incident.Ack(who="bob"), key="i", after=timedelta(minutes=7)),
        Signal(w09_incident.Resolved(note="fixed"), key="i", after=timedelta(hours=1)),
    ]
    world = World(signals=signals, steps={"page": None, "open_bridge": None})
    found = result_of(w09_incident.incident_response, incident(), world)
    assert found == w09_incident.Closed(owner="bob", note="fixed", escalations=1)
    assert world.steps_called == ["page", "page"]


def test_incident_that_nobody_answers_opens_a_bridge() -> None:
    """The `else` of the loop runs, and eight hours later it is closed."""
    world = World(steps={"page": None, "open_bridge": None})
    found = result_of(w09_incident.incident_response, incident(), world)
    assert (found.owner, found.note, found.escalations) == (None, "not resolved in 8 hours", 2)
    assert world.steps_called[-1] == "open_bridge"


# --- 11 fork ----------------------------------------------------------------------------------------------------------


def test_launch_joins_three_branches() -> None:
    """Each branch is in order, and the write of one of them is in the state after the join."""
    label, contract = w11_fork.Label(url="u"), w11_fork.Contract(number="7")
    steps = {
        "order_stock": w11_fork.Stock(lot="L"),
        "inspect": True,
        "shelve": "S1",
        "draw_label": label,
        "translate": label,
        "print_label": label,
        "draft": contract,
        "legal_review": contract,
        "sign": contract,
    }
    world = World(steps=steps)
    outcome = ran(w11_fork.product_launch, w11_fork.Launch(product="p"), world)
    assert outcome.result == w11_fork.Launched(lot="L", label="u", contract="7")
    assert (outcome.state.shelf, outcome.state.ready) == ("S1", True)
    assert world.by_branch["gather[label]"] == ["draw_label", "translate", "print_label"]


# --- 14 sensor --------------------------------------------------------------------------------------------------------


def test_pump_guard_opens_closes_and_stops() -> None:
    """High pressure opens the valve, low pressure closes it, a message stops the loop."""
    readings = [w14_sensor.Reading(pressure=pressure, temperature=20) for pressure in (5, 1, 3, 3)]
    world = World(
        steps={"read_sensor": InTurn(*readings), "valve": None, "alarm": None},
        infer={"pump@2": ValueError("no model")},
        signals=[Signal(w14_sensor.Stop(by="ada"), after=timedelta(seconds=3))],
    )
    outcome = ran(w14_sensor.pump_guard, w14_sensor.Pump(device_id="d"), world)
    assert outcome.result == "stopped by ada"
    assert [item.args["position"] for item in world.calls if item.step == "valve"] == ["open", "closed", "closed"]


def test_pump_guard_counts_missed_readings() -> None:
    """A lost sensor is an alarm after eleven misses."""
    world = World(
        steps={"read_sensor": StepFailed("lost"), "valve": None, "alarm": None},
        signals=[Signal(w14_sensor.Stop(by="x"), after=timedelta(seconds=12))],
    )
    outcome = ran(w14_sensor.pump_guard, w14_sensor.Pump(device_id="d"), world)
    assert outcome.state.misses == 12
    assert world.steps_called.count("alarm") == 2
