"""Requests to servers outside: `HttpEgress`, and the `EgressPolicy` that says where they may go."""

from ruvon.implementations.egress._client import HttpEgress
from ruvon.implementations.egress._policy import EgressPolicy
from ruvon.implementations.egress._resolver import Resolver, SystemResolver

__all__ = ["EgressPolicy", "HttpEgress", "Resolver", "SystemResolver"]
