"""What is stored and passed around."""

from pydantic import BaseModel

__all__ = ["Exchange", "HTTPError"]


class HTTPError(Exception):
    """The service answered with an error."""


class Exchange(BaseModel):
    """The state: a question to a service, and its answer."""

    url: str
    answer: str | None = None
    retry_count: int = 0
    """How many calls had failed before the one that worked."""
    last_error: str | None = None
    """Why the last of them failed."""
