"""The plugin's own tests: they run where it is installed, against a service in memory."""

import json
from pathlib import Path

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.testing import TestHarness

ORDER = {"order_id": "ORDER-123", "amount": "99.99", "currency": "usd"}


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the service was asked."""
    path = tmp_path / "calls.txt"
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test")
    monkeypatch.setenv("RUVON_STRIPE_CLIENT", "fake_stripe")
    monkeypatch.setenv("FAKE_STRIPE_CALLS", str(path))
    return path


def asked(path: Path) -> list[dict[str, object]]:
    """The calls in order."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_payment_is_taken_in_cents(calls: Path) -> None:
    """99.99 dollars are 9999 cents; the metadata says for what."""
    with TestHarness(builder=WorkflowBuilder()) as harness:
        run = harness.start("StripePayment", ORDER)
        run.finish()
        assert run.status == "COMPLETED"
        assert run.state.receipt_sent == "Paid: 99.99 USD"
    created = asked(calls)[0]
    assert (created["amount"], created["currency"]) == (9999, "usd")
    assert created["metadata"] == {"workflow_id": run.id, "order_id": "ORDER-123"}


def test_what_fails_behind_the_payment_pays_it_back(calls: Path) -> None:
    """The compensation asks for one refund."""
    with TestHarness(builder=WorkflowBuilder()) as harness:
        harness.stub("Send_Receipt", raises=ConnectionError("no printer"))
        run = harness.start("StripePayment", ORDER)
        run.finish()
        assert run.status == "FAILED_ROLLED_BACK"
        assert (run.state.refund_id, run.state.refund_status, run.state.payment_refunded) == ("re_1", "succeeded", True)
    assert [item["what"] for item in asked(calls)] == ["create", "confirm", "refund"]


def test_a_missing_key_is_named_at_the_step(calls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at import: a program that takes no payment needs none."""
    monkeypatch.delenv("STRIPE_API_KEY")
    with TestHarness(builder=WorkflowBuilder()) as harness:
        run = harness.start("StripePayment", ORDER)
        run.finish()
        assert "STRIPE_API_KEY" in str(run.error)
    assert not calls.exists()
