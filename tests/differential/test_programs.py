"""The programs written by hand, with their placeholder steps scripted, by both roads in the same worlds."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import wraps
from inspect import isawaitable
from typing import Any

import pytest

from ruvon import Reply, Signal, World
from ruvon.authoring._local._script import NOTHING, reply_of
from ruvon.engine import _compile
from ruvon.engine._functions import Function, describe_function
from ruvon.ir import Definition, ImportRoots
from ruvon_dsl import compile_function, compile_source, require
from tests.programs import w01_order, w02_travel, w03_loan, w06_nightly, w08_subscription, w09_incident, w11_fork
from tests.support.differential import OUTSIDE, Outside, Sent, differences, local_outcome
from tests.support.differential_engine import engine_run, memory
from tests.unit.authoring import test_programs as worlds

KYC = """
from ruvon import workflow
from tests.programs.w03_loan import Kyc, KycResult


@workflow("KYC")
async def kyc(state: Kyc) -> KycResult:
    return KycResult(level="full")
"""


@dataclass
class Scripted:
    """The world of an engine run, written as the world of a local run."""

    world: World

    def outside(self) -> Outside:
        """The same answers, signals and times for the engine."""
        answers = {task: (values[0], 0) for task, values in self.world.answers.items() if values}
        signals = [
            Sent(item.event, item.after // timedelta(microseconds=1), item.key)
            for item in sorted(self.world.signals, key=lambda item: item.after)
        ]
        return Outside(lambda *_: Reply(), answers=answers, signals=signals, script=self)

    async def perform(self, name: str, given: Mapping[str, Any]) -> Any:
        """What a scripted step does."""
        entry = self.world.fake_of(name)
        assert entry is not NOTHING, name
        reply = reply_of(entry, given)
        outside = OUTSIDE.get()
        assert outside.clock is not None
        await outside.clock.sleep_us(reply.takes // timedelta(microseconds=1))
        if reply.error is not None:
            raise reply.error
        return reply.value


def _scripted(path: str, found: object) -> Function:
    """A function whose body is the script's."""
    described = describe_function(path, found)
    name = described.call.__name__

    @wraps(described.call)
    async def call(**given: Any) -> Any:
        outside = OUTSIDE.get()
        assert outside.script is not None
        if not outside.script.world.steps.has(name):
            made = described.call(**given)
            return await made if isawaitable(made) else made
        plain = {key: value for key, value in given.items() if key not in ("state", "context")}
        outside.noted(name, plain, given.get("context"))
        return await outside.script.perform(name, given)

    return replace(described, call=call, is_async=True) if OUTSIDE.get().script is not None else described


@pytest.fixture(autouse=True)
def _scripted_functions(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(_compile, "describe_function", _scripted)
    return


def _definitions(*workflows: Any) -> list[Definition]:
    roots = ImportRoots({"tests"})
    return [item.definition for flow in workflows for item in require(compile_function(flow, roots=roots))]


def _signals(*signals: Signal, **steps: Any) -> World:
    return World(signals=signals, steps=steps)


def _statement(customer: str) -> w06_nightly.Statement:
    if customer == "c3":
        raise ValueError("no data")
    return w06_nightly.Statement(customer=customer, total=Decimal(2))


def _launch() -> World:
    label, contract = w11_fork.Label(url="u"), w11_fork.Contract(number="7")
    return World(steps={
        "order_stock": Reply(w11_fork.Stock(lot="L"), takes=timedelta(seconds=3)), "inspect": True, "shelve": "S1",
        "draw_label": Reply(label, takes=timedelta(seconds=1)), "translate": label, "print_label": label,
        "draft": Reply(contract, takes=timedelta(seconds=2)), "legal_review": contract, "sign": contract,
    })  # fmt: skip


RELEASE = {"release": None, "refund": None}
PAGED = {"page": None, "open_bridge": None}
NIGHT = {
    "business_day": date(2026, 1, 2),
    "customers": [f"c{number}" for number in range(20)],
    "statement": _statement,
    "publish": None,
}
ORDER, TRIP, SUBSCRIPTION = w01_order.order_processing, w02_travel.trip_booking, w08_subscription.subscription
CHANGE = w08_subscription.PriceChange(price=Decimal(11))
CANCEL = w08_subscription.Cancel(reason="moved")

CASES: list[tuple[str, Any, Any, Callable[[], World]]] = [
    ("order", ORDER, worlds.order(10), worlds.order_world),
    ("order asks", ORDER, worlds.order(6000), lambda: worlds.order_world(answers={"finance.approve": [{"approved": True, "reason": ""}]})),
    ("order refused", ORDER, worlds.order(6000), lambda: worlds.order_world(answers={"finance.approve": [{"approved": False, "reason": "no"}]})),
    ("order declined", ORDER, worlds.order(10), lambda: worlds.order_world(steps={"charge": w01_order.CardDeclined("51"), **RELEASE})),
    ("order lost", ORDER, worlds.order(10), lambda: worlds.order_world(steps={"charge": Reply(takes=timedelta(minutes=1)), **RELEASE})),
    ("trip", TRIP, worlds.trip(), worlds.trip_world),
    ("trip too dear", TRIP, worlds.trip(), lambda: worlds.trip_world(book_hotel=w02_travel.Booking(ref="H", price=Decimal(900)))),
    ("trip without visa", TRIP, worlds.trip(), lambda: worlds.trip_world(ask_consulate=w02_travel.VisaResult(granted=False))),
    ("trip sold out", TRIP, worlds.trip(), lambda: worlds.trip_world(book_hotel=Reply(error=w02_travel.SoldOut("full"), takes=timedelta(seconds=2)))),
    ("night", w06_nightly.nightly_report, w06_nightly.Night(), lambda: World(steps=NIGHT)),
    ("incident", w09_incident.incident_response, worlds.incident(), lambda: _signals(
        Signal(w09_incident.Ack(who="bob"), key="i", after=timedelta(minutes=7)),
        Signal(w09_incident.Resolved(note="fixed"), key="i", after=timedelta(hours=1)), **PAGED)),
    ("incident alone", w09_incident.incident_response, worlds.incident(), lambda: World(steps=PAGED)),
    ("subscription moved", SUBSCRIPTION, worlds.subscription(), lambda: _signals(
        Signal(CHANGE, key="s", after=timedelta(days=3)), Signal(CANCEL, key="s", after=timedelta(days=29)))),
    ("subscription unpaid", SUBSCRIPTION, worlds.subscription(), lambda: World(steps={"charge": w08_subscription.CardDeclined(), "mail": None})),
    ("launch", w11_fork.product_launch, w11_fork.Launch(product="p"), _launch),
    ("loan", w03_loan.loan_application, worlds.APPLICATION, lambda: worlds.loan(steps={"credit_check": w03_loan.Credit(score=800, defaults=0)})),
    ("loan alone", w03_loan.loan_application, worlds.APPLICATION, lambda: worlds.loan(answers={"loans.review": []})),
]  # fmt: skip


def _of(flow: Any) -> list[Definition]:
    found = _definitions(flow)
    if flow is TRIP:
        found += _definitions(w02_travel.visa_check)
    if flow is w03_loan.loan_application:
        found += [
            item.definition for item in require(compile_source(KYC, roots=ImportRoots({"tests"}), module="kyc_child"))
        ]
    return found


@pytest.mark.parametrize(("flow", "initial", "world"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_program_by_both_roads(flow: Any, initial: Any, world: Callable[[], World]) -> None:
    """Same end, state, result, error and calls; and the same again when the process is lost after each commit."""
    expected = local_outcome(flow, initial, world())
    definitions = _of(flow)
    found = engine_run(definitions, initial, Scripted(world()).outside(), share=False)
    assert not differences(expected, found)
    for number in range(1, found.commits + 1):
        again = engine_run(definitions, initial, Scripted(world()).outside(), memory(), (number, True), share=False)
        assert not differences(found, again), number
        assert not again.repeated
