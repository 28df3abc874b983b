"""Payments with Stripe: a sample of a plugin. The entry point names `plugin`, which says what the package brings."""

from pathlib import Path

__all__ = ["plugin"]


def plugin() -> dict[str, object]:
    """What the plugin brings; nothing of it is imported before it is used."""
    return {
        "name": "ruvon-stripe",
        "version": "1.0.0",
        "description": "Payments with Stripe",
        "workflows_dir": Path(__file__).parent / "workflows",
        "steps_module": "ruvon_stripe.steps",
        "models_module": "ruvon_stripe.models",
        "observers": ["ruvon_stripe.observer:PaymentJournal"],
    }
