"""The calls of the health room."""

from typing import Final

from ruvon_server.client._call import Call, json_of, text
from ruvon_server.models import health as models

__all__ = ["get_health", "get_metrics", "get_readiness"]

_AWAY: Final = frozenset({503})


def get_health() -> Call[models.Health]:
    """That the process lives, and its version."""
    return Call("get_health", "GET", "/health", json_of(models.Health), repeatable=True)


def get_readiness() -> Call[models.Readiness]:
    """Whether requests can be served."""
    return Call("get_readiness", "GET", "/ready", json_of(models.Readiness), repeatable=True, answers=_AWAY)


def get_metrics() -> Call[str]:
    """The numbers of the server's process in the text form of Prometheus."""
    return Call("get_metrics", "GET", "/metrics", text, repeatable=True)
