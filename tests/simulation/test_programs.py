"""The programs written by hand bear every crash, with stand-ins for their placeholder steps."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest

from ruvon import Offline, workflow
from ruvon.builder import WorkflowBuilder
from ruvon.ir import Call
from ruvon.ir.expr import Const
from ruvon.testing import Script, ScriptedSignal, crash_test, describe
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

DAY = timedelta(days=1)


@workflow("KYC")
async def kyc(state: w03_loan.Kyc) -> w03_loan.KycResult:
    """Stands for the workflow of another team."""
    return w03_loan.KycResult(level="full")


@dataclass(frozen=True)
class Case:
    """A program, its data, and its world; what `stubs` does not name answers with a value of its declared type."""

    program: Any
    data: Any
    status: str = "COMPLETED"
    stubs: Mapping[str, object] = field(default_factory=dict)
    script: Script = field(default_factory=Script)
    also: tuple[Any, ...] = ()


def _trip() -> w02_travel.Trip:
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


def _order(price: int) -> w01_order.Order:
    items = [w01_order.Item(sku=sku, qty=1, price=Decimal(price)) for sku in ("a", "b")]
    return w01_order.Order(order_id="o1", customer="ada", items=items)


def _sale() -> w04_pos.Sale:
    return w04_pos.Sale(sale_id="s", terminal_id="t", card_token="x", amount=Decimal(20), currency="EUR")  # noqa: S106


def _statement(customer: str) -> w06_nightly.Statement:
    if customer == "c2":
        raise ValueError("no data")
    return w06_nightly.Statement(customer=customer, total=Decimal(2))


def _subscription() -> w08_subscription.Subscription:
    return w08_subscription.Subscription(
        subscription_id="s", customer="c", price=Decimal(9), next_bill=datetime(2026, 1, 31, tzinfo=UTC)
    )


LIMITS = w04_pos.Limits(floor=Decimal(50), daily_left=Decimal(100), gateway="https://gw")
APPLICATION = w03_loan.Application(application_id="a", applicant="ada", amount=Decimal(9000), months=12)
DOCUMENT = w07_document.Document(document_id="1", url="https://d/1", kind="invoice")
INCIDENT = w09_incident.Incident(incident_id="i", severity=1, chain=["ada", "bob"])


def _signal(message: Any, key: str | None, after: timedelta) -> ScriptedSignal:
    return ScriptedSignal(message, key=key, after=after)


CASES = {
    "order": Case(w01_order.order_processing, _order(10)),
    "order that is refused": Case(
        w01_order.order_processing,
        _order(6000),
        "FAILED_ROLLED_BACK",
        script=Script(answers={"finance.approve": [{"approved": False, "reason": "too much"}]}),
    ),
    "order whose card is declined": Case(
        w01_order.order_processing, _order(10), "FAILED_ROLLED_BACK", {"charge": w01_order.CardDeclined("51")}
    ),
    "trip": Case(w02_travel.trip_booking, _trip(), also=(w02_travel.visa_check,)),
    "trip over budget": Case(
        w02_travel.trip_booking,
        _trip(),
        stubs={"book_hotel": w02_travel.Booking(ref="H", price=Decimal(9000))},
        also=(w02_travel.visa_check,),
    ),
    "loan": Case(
        w03_loan.loan_application,
        APPLICATION,
        also=(kyc,),
        script=Script(
            answers={"loans.review": [{"approve": True, "max_amount": 5000, "comment": "good customer"}]},
            answer_after=DAY,
        ),
    ),
    "sale without a network": Case(w04_pos.pos_payment, _sale(), stubs={"limits": LIMITS, "http": Offline("gw")}),
    "sale": Case(
        w04_pos.pos_payment,
        _sale(),
        stubs={"limits": LIMITS, "http": w04_pos.Authorisation(approved=True, code="A1")},
    ),
    "nightly report": Case(
        w06_nightly.nightly_report,
        w06_nightly.Night(),
        stubs={"customers": [f"c{number}" for number in range(10)], "statement": _statement},
    ),
    "document": Case(
        w07_document.document_pipeline,
        DOCUMENT,
        stubs={
            "http": w07_document.Meta(mime="pdf", pages=3),
            "http_2": w07_document.Text(text="t"),
            "infer": w07_document.Score(label="invoice", confidence=0.5),
            "wasm": w07_document.Checked(valid=True),
        },
        script=Script(answers={"documents.label": [{"label": "contract"}]}),
    ),
    "subscription": Case(
        w08_subscription.subscription,
        _subscription(),
        stubs={"charge": w08_subscription.CardDeclined()},
        script=Script(
            signals=[_signal(w08_subscription.PriceChange(price=Decimal(11)), "s", 3 * DAY)],
        ),
    ),
    "incident": Case(
        w09_incident.incident_response,
        INCIDENT,
        script=Script(
            signals=[
                _signal(w09_incident.Ack(who="bob"), "i", timedelta(minutes=7)),
                _signal(w09_incident.Resolved(note="fixed"), "i", timedelta(hours=1)),
            ]
        ),
    ),
    "launch": Case(w11_fork.product_launch, w11_fork.Launch(product="p")),
    "pump": Case(
        w14_sensor.pump_guard,
        w14_sensor.Pump(device_id="d"),
        stubs={"read_sensor": w14_sensor.Reading(pressure=5, temperature=20), "infer": w14_sensor.Anomaly(score=0.1)},
        script=Script(signals=[_signal(w14_sensor.Stop(by="ada"), None, timedelta(seconds=3))]),
    ),
}


def _runnable(case: Case) -> tuple[WorkflowBuilder, str]:
    """A builder with the program; a WASM step names a whole digest instead of its beginning."""
    builder = WorkflowBuilder(import_roots=["tests"], plugins=False)
    builder.register(*case.also, case.program)
    definition = builder.get_definition(case.program.name)
    nodes = dict(definition.graph.nodes)
    for name, node in nodes.items():
        if isinstance(node.action, Call) and node.action.type == "WASM":
            config = {**node.action.config, "module": Const("sha256:" + "9f2c" * 16)}
            nodes[name] = replace(node, action=replace(node.action, config=MappingProxyType(config)))
    mended = replace(definition, graph=replace(definition.graph, nodes=MappingProxyType(nodes)))
    if mended == definition:
        return builder, definition.workflow_type
    other = WorkflowBuilder(import_roots=["tests"], plugins=False)
    other.register(mended)
    return other, definition.workflow_type


@pytest.mark.parametrize("name", CASES)
def test_a_program_bears_every_crash(name: str) -> None:
    """Every single fault, some pairs and some random schedules; the placeholders answer by their declared types."""
    case = CASES[name]
    builder, program = _runnable(case)
    report = crash_test(
        program,
        case.data,
        stubs=case.stubs,
        script=case.script,
        builder=builder,
        seeds=2,
        pairs=2,
    )
    assert report.ok, "\n".join(describe(report))
    assert (report.status, report.waits) == (case.status, ()), "\n".join(describe(report))
