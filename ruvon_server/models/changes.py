"""What the changes room answers."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

__all__ = ["ChangeEntry", "Changes"]

_CHANGE: dict[str, Any] = {
    "at": "2026-11-21T12:00:00Z",
    "operation": "revoke_key",
    "path": "/api/v1/keys/5d41402abc4b2a76/revoke",
    "status": 200,
    "actor": "admin-key",
    "address": "192.0.2.7",
    "reason": "the laptop was lost",
}


class ChangeEntry(BaseModel):
    """Something that was changed."""

    model_config = ConfigDict(use_attribute_docstrings=True, json_schema_extra={"examples": [_CHANGE]})

    at: datetime
    operation: str
    """The name of the operation."""
    path: str
    status: int
    """The status that it was answered with."""
    actor: str | None
    """Who has made it."""
    address: str | None
    """From where."""
    reason: str | None
    """Why, where something was said."""


class Changes(BaseModel):
    """Changes, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_CHANGE]}]})

    items: list[ChangeEntry]
