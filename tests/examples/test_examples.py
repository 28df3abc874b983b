"""The examples: both forms are one graph, every path ends as its README says, and the demonstrations print what is kept."""

import asyncio
import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from examples.loan_application.kyc import kyc
from examples.loan_application.models import Application, IdentityUnknown, Kyc, KycResult
from examples.loan_application.workflow import loan_application
from examples.order_processing.models import Order, Transfer
from examples.order_processing.workflow import order_processing
from examples.payment_terminal.models import Sale, Settlement
from examples.payment_terminal.steps import LINE
from examples.payment_terminal.workflow import pos_payment
from ruvon import LocalOutcome, Signal, World, run_local
from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.workflow import Workflow
from ruvon_dsl import compile_file, require
from tests.support.engine_world import CountedIds, JumpingClock
from tests.support.golden import GOLDEN

EXAMPLES = Path(__file__).parents[2] / "examples"
FORMS = (
    ("order_processing/workflow.py", "order_processing/order_processing.yaml"),
    ("loan_application/workflow.py", "loan_application/loan_application.yaml"),
    ("loan_application/kyc.py", "loan_application/kyc.yaml"),
    ("payment_terminal/workflow.py", "payment_terminal/payment_terminal.yaml"),
)
DEMOS = ("order_processing", "loan_application", "payment_terminal")
BY_KEY = re.compile(r"(pay|OFF)-[0-9a-f]+")


@pytest.mark.parametrize(("python", "yaml"), FORMS)
def test_both_forms_are_one_graph(python: str, yaml: str) -> None:
    """The Python file and the YAML file beside it have the same digest (S3-018: a step without `type` is STANDARD)."""
    found = [require(compile_file(EXAMPLES / name))[0] for name in (python, yaml)]

    assert found[0].digest is not None
    assert found[0].digest == found[1].digest


@pytest.mark.parametrize("name", DEMOS)
def test_an_example_is_complete(name: str) -> None:
    """Each folder can be imported, has both forms, and says on one page what it shows (S1-077)."""
    modules = [
        importlib.import_module(f"examples.{name}.{part}") for part in ("models", "steps", "workflow", "__main__")
    ]

    assert all(module.__doc__ for module in modules)
    assert (EXAMPLES / name / f"{name}.yaml").is_file()
    assert 10 < len((EXAMPLES / name / "README.md").read_text().splitlines()) < 70


@dataclass
class Case:
    """One path through an example."""

    flow: Any
    state: Any
    status: str = "COMPLETED"
    error: str | None = None
    result: dict[str, object] = field(default_factory=dict)
    answers: dict[str, list[Any]] = field(default_factory=dict)
    signals: tuple[Signal, ...] = ()
    compensated: tuple[str, ...] = ()
    line: bool = True
    paper: bool = True
    final: dict[str, object] = field(default_factory=dict)


def order(customer: str, price: str, *, vip: bool = False, sku: str = "mug", by_transfer: bool = False) -> Order:
    """An order of two articles."""
    items = [{"sku": "cup", "quantity": 1, "price": "1"}, {"sku": sku, "quantity": 2, "price": price}]
    return Order.model_validate(
        {"order_id": "A-1", "customer": customer, "items": items, "vip": vip, "by_transfer": by_transfer}
    )


def transfer(days: int) -> tuple[Signal, ...]:
    """The bank's message, so many days after the order."""
    return (Signal(Transfer(reference="T-9"), key="A-1", after=timedelta(days=days)),)


def settlement(*, approved: bool, hours: int = 2) -> tuple[Signal, ...]:
    """What the bank says when the line is back."""
    return (Signal(Settlement(approved=approved, code="S77"), key="S-1", after=timedelta(hours=hours)),)


def loan(applicant: str, amount: int, *, country: str = "IT") -> Application:
    """An application over four years."""
    data = {"application_id": "L-1", "applicant": applicant, "amount": amount, "months": 48, "country": country}
    return Application.model_validate(data)


def sale(amount: int) -> Sale:
    """A sale at terminal T1."""
    return Sale.model_validate({"sale_id": "S-1", "terminal_id": "T1", "card_token": "tok", "amount": amount})


def review(*, approve: bool) -> dict[str, list[Any]]:
    """An underwriter's answer."""
    return {"loans.review": [{"approve": approve, "max_amount": "40000", "comment": "looked at it well"}]}


YES, NO = ({"finance.approve": [{"approved": yes, "reason": "" if yes else "too much"}]} for yes in (True, False))
ROLLED_BACK = "FAILED_ROLLED_BACK"
CASES = {
    "order: small": Case(order_processing, order("Ada", "12.50"), result={"total": "26.00"}, final={"status": "done"}),
    "order: large and approved": Case(order_processing, order("Ada", "9000"), answers=YES, result={"total": "18001"}),
    "order: large and rejected": Case(order_processing, order("Ada", "9000"), ROLLED_BACK, "Rejected", answers=NO),
    "order: large, nobody answers": Case(
        order_processing, order("Ada", "9000"), ROLLED_BACK, "TimedOut", answers={"finance.approve": []}
    ),
    "order: large, of a VIP": Case(order_processing, order("Ada", "9000", vip=True), result={"total": "18001"}),
    "order: sold out": Case(
        order_processing, order("Ada", "2", sku="sold-out-1"), ROLLED_BACK, "OutOfStock", compensated=("reserve",)
    ),
    "order: card declined": Case(
        order_processing, order("broke Bob", "2"), ROLLED_BACK, "CardDeclined", compensated=("reserve", "reserve")
    ),
    "order: no carrier": Case(
        order_processing,
        order("Zoe in nowhere", "2"),
        ROLLED_BACK,
        "NoCarrier",
        compensated=("charge", "reserve", "reserve"),
    ),
    "order: a busy carrier": Case(order_processing, order("Ada, far away", "2"), final={"status": "done"}),
    "order: by transfer": Case(
        order_processing,
        order("Ada", "2", by_transfer=True),
        signals=transfer(3),
        result={"payment_id": "T-9"},
        final={"reminders": 0},
    ),
    "order: by transfer, after a reminder": Case(
        order_processing,
        order("Ada", "2", by_transfer=True),
        signals=transfer(9),
        result={"payment_id": "T-9"},
        final={"reminders": 1},
    ),
    "order: a transfer that never comes": Case(
        order_processing,
        order("Ada", "2", by_transfer=True),
        ROLLED_BACK,
        "TimedOut",
        compensated=("reserve", "reserve"),
        final={"reminders": 1},
    ),
    "order: by transfer, no carrier": Case(
        order_processing,
        order("Zoe in nowhere", "2", by_transfer=True),
        ROLLED_BACK,
        "NoCarrier",
        signals=transfer(1),
        compensated=("accept_transfer", "reserve", "reserve"),
    ),
    "loan: automatic": Case(
        loan_application, loan("Ada", 20_000), result={"outcome": "approved", "reason": "automatic", "rate": "3.9"}
    ),
    "loan: approved by a person": Case(
        loan_application,
        loan("Grace", 60_000, country="US"),
        answers=review(approve=True),
        result={"outcome": "approved", "amount": "40000", "rate": "6.4"},
        final={"notes": ["collateral requested", "approved: looked at it well"]},
    ),
    "loan: declined by a person": Case(
        loan_application, loan("Grace", 60_000), answers=review(approve=False), result={"outcome": "declined"}
    ),
    "loan: nobody looks": Case(
        loan_application, loan("Grace", 60_000), answers={"loans.review": []}, result={"outcome": "withdrawn"}
    ),
    "loan: a bureau that is closed at first": Case(
        loan_application, loan("Edsger", 20_000), answers=review(approve=False), result={"outcome": "declined"}
    ),
    "loan: policy": Case(loan_application, loan("Bob", 5_000), result={"outcome": "declined", "reason": "policy"}),
    "loan: unknown identity": Case(
        loan_application, loan("Nobody", 5_000), result={"outcome": "declined", "reason": "identity: Nobody"}
    ),
    "loan: the register is closed": Case(
        loan_application, loan("Ada Unlucky", 20_000), ROLLED_BACK, "ConnectionError", compensated=("pay_out",)
    ),
    "terminal: online": Case(pos_payment, sale(30), result={"number": 3}, final={"status": "approved"}),
    "terminal: declined": Case(pos_payment, sale(2000), result={"number": 3}, final={"status": "declined"}),
    "terminal: offline below the floor": Case(
        pos_payment,
        sale(30),
        line=False,
        signals=settlement(approved=True),
        result={"number": 3},
        final={"status": "approved", "auth_code": "S77"},
    ),
    "terminal: offline above the floor": Case(
        pos_payment,
        sale(80),
        line=False,
        signals=settlement(approved=False, hours=23),
        result={"number": 3},
        final={"status": "declined"},
    ),
    "terminal: a line that stays down": Case(
        pos_payment, sale(80), line=False, result={"number": 3}, final={"status": "unsettled", "auth_code": None}
    ),
    "terminal: no paper": Case(pos_payment, sale(30), paper=False, result={"number": 0}, final={"status": "approved"}),
}


def set_line(case: Case) -> None:
    """The world of a payment terminal."""
    LINE.up, LINE.paper = case.line, case.paper
    LINE.forwarded.clear()


def identity(state: Kyc) -> KycResult:
    """What the child workflow finds, for runs of the parent alone."""
    if "nobody" in state.applicant.lower():
        raise IdentityUnknown(state.applicant)
    return KycResult(level="full")


async def by_engine(case: Case, store: Any, clock: JumpingClock) -> tuple[Workflow, list[str]]:
    """Run a case to its end in the engine; give the workflow and the steps that were undone."""
    builder = WorkflowBuilder(
        persistence_provider=store, clock=clock, ids=CountedIds(), plugins=False, import_roots=["examples"]
    )
    builder.register(case.flow, kyc)
    await builder.initialize()
    try:
        began_us, signals = clock.now_us(), list(case.signals)
        workflow = await builder.create_workflow(case.flow.name, case.state)
        await workflow.run()
        while workflow.waiting_for:
            wait = workflow.waiting_for[0]
            given = case.answers.get(wait["name"])
            arrives_us = began_us + signals[0].after // timedelta(microseconds=1) if signals else wait["due_us"]
            if given:
                await workflow.answer(given[0], wait_id=wait["id"])
            elif arrives_us < wait["due_us"]:
                clock.advance(arrives_us - clock.now_us())
                sent = signals.pop(0)
                await workflow.signal(sent.event, key=sent.key)
            else:
                clock.advance(wait["due_us"] - clock.now_us())
            if not workflow.status.is_terminal:
                await workflow.run()
        undone = [entry["step"] for entry in await workflow.history() if entry["kind"] == "compensate"]
        return workflow, [step for step in undone if step != "KYC"]
    finally:
        await builder.close()


def masked(value: object) -> str:
    """A value as text, without what the idempotency key makes different in each run."""
    return BY_KEY.sub(r"\1-KEY", repr(value))


@pytest.mark.parametrize("store", ["memory", "sqlite"])
@pytest.mark.parametrize("name", CASES)
def test_a_path_ends_as_promised(name: str, store: str, tmp_path: Path) -> None:
    """Each path has its end, result and compensations, the last first; one call runs it all (S1-066, S3-012, S3-053)."""
    case, clock = CASES[name], JumpingClock()
    set_line(case)
    provider: Any = (
        MemoryPersistenceProvider(clock)
        if store == "memory"
        else SQLitePersistenceProvider(tmp_path / "runs.db", durability="OFF", clock=clock)
    )

    workflow, undone = asyncio.run(by_engine(case, provider, clock))

    assert workflow.status.value == case.status
    assert (type(workflow.error).__name__ if workflow.error else None) == case.error
    shown = workflow.result.model_dump(mode="json") if workflow.result is not None else {}
    assert {key: shown[key] for key in case.result} == case.result
    assert {key: getattr(workflow.state, key) for key in case.final} == case.final
    assert tuple(undone) == case.compensated


@pytest.mark.parametrize("name", CASES)
def test_local_agrees_with_the_engine(name: str) -> None:
    """The same body under CPython gives the same state, result, error and compensations (law 1)."""
    case, clock = CASES[name], JumpingClock()
    set_line(case)
    workflow, undone = asyncio.run(by_engine(case, MemoryPersistenceProvider(clock), clock))
    set_line(case)

    world = World(answers=case.answers, signals=case.signals, children={"KYC": identity})
    outcome: LocalOutcome = asyncio.run(run_local(case.flow, case.state, world))

    assert masked(outcome.state) == masked(workflow.state)
    assert masked(outcome.result) == masked(workflow.result)
    assert (type(outcome.error), str(outcome.error)) == (type(workflow.error), str(workflow.error))
    assert [item.step for item in outcome.compensations] == undone


MASKS = (
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:<port>"),
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<id>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<digest>"),
    (re.compile(r"\d+\.\d ms"), "<time>"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"), "<moment>"),
    (BY_KEY, r"\1-<key>"),
)
SIDE_BY_SIDE = re.compile(r"   ■ (check_fraud|validate_address|credit_check|income_check) ")


def demo_text(text: str, database: Path) -> str:
    """What a demonstration printed, without ids and times, the lines of concurrent steps in a fixed order."""
    text = text.replace(str(database), "<database>")
    for pattern, word in MASKS:
        text = pattern.sub(word, text)
    lines: list[str] = []
    together: list[str] = []
    for line in text.splitlines():
        if SIDE_BY_SIDE.match(line):
            together.append(line)
            continue
        lines += [*sorted(together), line]
        together = []
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", DEMOS)
def test_a_demonstration_prints_what_is_kept(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], golden: Callable[[Path, str], None]
) -> None:
    """`python -m examples.NAME` runs on a fresh SQLite file, and again on the same one, and prints the same."""
    database = tmp_path / "demo.db"
    main = importlib.import_module(f"examples.{name}.__main__").main

    asyncio.run(main(database))
    first = demo_text(capsys.readouterr().out, database)
    asyncio.run(main(database))
    second = demo_text(capsys.readouterr().out, database)

    golden(GOLDEN / "examples" / f"{name}.txt", first)
    assert second == first
