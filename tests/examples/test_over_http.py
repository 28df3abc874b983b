"""The three examples over HTTP: started, answered and signalled by the client, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar.testing import TestClient

from examples.payment_terminal.steps import LINE
from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon_server.client import Client, ProblemError
from tests.support import postgres
from tests.support.serving import new_app

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = ("order_processing", "loan_application", "payment_terminal")
ITEMS = [{"sku": "mug", "quantity": 2, "price": "12.50"}]
MACHINES = [{"sku": "espresso-machine", "quantity": 3, "price": "4200"}]
STORES = ["sqlite", pytest.param("postgres", marks=postgres.needs_postgres)]


@pytest.fixture(params=STORES)
def ruvon(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Client]:
    """A client of a server that has the examples, and a worker."""
    if request.param == "postgres":
        postgres.emptied()
    store = SQLitePersistenceProvider(tmp_path / "ruvon.db") if request.param == "sqlite" else postgres.store()
    builder = WorkflowBuilder(
        persistence_provider=store,
        execution_provider="queue",
        import_roots=["examples"],
        plugins=False,
    )
    builder.register(*(EXAMPLES / name for name in NAMES))
    with TestClient(new_app(builder, worker=True), raise_server_exceptions=False) as http:
        yield Client(http=http)


def test_an_order_is_approved_by_a_person(ruvon: Client) -> None:
    """A large order waits for the finance department, with its form, and ends with a receipt."""
    data = {"order_id": "A-1", "customer": "Grace", "items": MACHINES}
    made = ruvon.start_workflow(workflow_type="OrderProcessing", data=data, idempotency_key="A-1")
    asked = ruvon.wait(made.workflow_id)

    ruvon.resume_workflow(made.workflow_id, answer={"approved": True}, step=asked.waiting_for[0].step)
    done = ruvon.wait(made.workflow_id, until_ended=True)

    assert (asked.status, asked.waiting_for[0].name) == ("WAITING_HUMAN", "finance.approve")
    assert (done.status, done.result["total"]) == ("COMPLETED", "12600")


def test_an_order_by_transfer_waits_for_the_bank(ruvon: Client) -> None:
    """The bank's message is a signal under the number of the order; two orders under one key are one."""
    data = {"order_id": "A-5", "customer": "Ada", "items": ITEMS, "by_transfer": True}
    one, other = (
        ruvon.start_workflow(workflow_type="OrderProcessing", data=data, idempotency_key="A-5") for _ in range(2)
    )
    ruvon.wait(one.workflow_id)

    ruvon.signal_workflow(one.workflow_id, name="Transfer", payload={"reference": "transfer-77"}, key="A-5")
    done = ruvon.wait(one.workflow_id, until_ended=True)

    assert one.workflow_id == other.workflow_id
    assert (done.status, done.result["payment_id"]) == ("COMPLETED", "transfer-77")


def test_an_order_that_cannot_be_paid_is_undone(ruvon: Client) -> None:
    """The answer has the status of the rollback and the error."""
    data = {"order_id": "A-3", "customer": "broke Bob", "items": ITEMS}
    made = ruvon.start_workflow(workflow_type="OrderProcessing", data=data)

    done = ruvon.wait(made.workflow_id, until_ended=True)

    assert (done.status, "CardDeclined" in (done.error or "")) == ("FAILED_ROLLED_BACK", True)


def test_a_loan_is_decided_with_its_child_and_a_person(ruvon: Client) -> None:
    """The identity check runs as a child; a comment that is too short is a problem, a proper one ends the application."""
    data = {"application_id": "L-2", "applicant": "Grace Hopper", "amount": 60_000, "months": 48, "country": "US"}
    made = ruvon.start_workflow(workflow_type="LoanApplication", data=data)
    asked = ruvon.wait(made.workflow_id)

    with pytest.raises(ProblemError) as refused:
        ruvon.resume_workflow(made.workflow_id, answer={"approve": True, "max_amount": 40_000, "comment": "ok"})
    ruvon.resume_workflow(
        made.workflow_id, answer={"approve": True, "max_amount": 40_000, "comment": "good, but not all of it"}
    )
    done = ruvon.wait(made.workflow_id, until_ended=True)

    assert asked.waiting_for[0].name == "loans.review"
    assert refused.value.code == "invalid-input"
    assert (done.result["outcome"], done.result["amount"]) == ("approved", "40000")
    assert [row.workflow_type for row in ruvon.list_workflows(parent_id=made.workflow_id).items] == ["KYC"]


def test_a_payment_without_the_line_is_settled_later(ruvon: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The terminal decides alone, then waits for the bank's settlement."""
    monkeypatch.setattr(LINE, "up", False)
    data = {"sale_id": "S-3", "terminal_id": "T1", "card_token": "tok_1", "amount": 30}
    made = ruvon.start_workflow(workflow_type="PosPayment", data=data)
    ruvon.wait(made.workflow_id)
    before = (ruvon.get_workflow_state(made.workflow_id).state or {})["status"]

    ruvon.signal_workflow(made.workflow_id, name="Settlement", payload={"approved": True, "code": "B-3"}, key="S-3")
    ruvon.wait(made.workflow_id, until_ended=True)

    after = ruvon.get_workflow_state(made.workflow_id).state or {}
    assert (before, after["status"], after["auth_code"]) == ("approved_offline", "approved", "B-3")
