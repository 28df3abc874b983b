"""The client of the payment service; it is made when a step needs it, so that nothing is asked for at import."""

import importlib
import os
from typing import Any

__all__ = ["StripeKeyMissingError", "stripe_client"]


class StripeKeyMissingError(RuntimeError):
    """The environment has no key."""

    def __init__(self) -> None:
        super().__init__("the environment variable STRIPE_API_KEY is not set; export the secret key of your account")


def stripe_client() -> Any:
    """The module `stripe` with the key of the environment; RUVON_STRIPE_CLIENT names another module for tests.

    Raises:
        StripeKeyMissingError: there is no key.
    """
    key = os.environ.get("STRIPE_API_KEY")
    if not key:
        raise StripeKeyMissingError
    client: Any = importlib.import_module(os.environ.get("RUVON_STRIPE_CLIENT", "stripe"))
    client.api_key = key
    return client
