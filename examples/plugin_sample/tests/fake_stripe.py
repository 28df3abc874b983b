"""A payment service in memory; it appends what it is asked to the file that FAKE_STRIPE_CALLS names."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

api_key = ""


def _note(what: str, **given: object) -> None:
    with Path(os.environ["FAKE_STRIPE_CALLS"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"what": what, **given}) + "\n")


class PaymentIntent:
    """Payments."""

    @staticmethod
    def create(**given: object) -> SimpleNamespace:
        """Note one."""
        _note("create", **given)
        return SimpleNamespace(id="pi_1", status="requires_confirmation")

    @staticmethod
    def confirm(payment: str, **given: object) -> SimpleNamespace:
        """Take the money."""
        _note("confirm", payment=payment, **given)
        return SimpleNamespace(id=payment, status="succeeded")


class Refund:
    """Refunds."""

    @staticmethod
    def create(**given: object) -> SimpleNamespace:
        """Pay it back."""
        _note("refund", **given)
        return SimpleNamespace(id="re_1", status="succeeded")
