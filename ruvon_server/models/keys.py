"""What the keys room is asked and answers."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ruvon_server.models.permissions import Permission

__all__ = ["CreateKey", "KeyCreated", "KeyInfo", "KeyPage", "RevokeKey", "RotateKey"]

_TEN_YEARS_S = 315_360_000
Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[\w .@:+-]+$")]
Tenant = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Reason = Annotated[str, StringConstraints(max_length=1_000)]
Lifetime = Annotated[int | None, Field(ge=1, le=_TEN_YEARS_S)]
_INFO: dict[str, Any] = {
    "key_id": "5d41402abc4b2a76",
    "prefix": "ruvon_5d41402abc4b2a76",
    "name": "billing",
    "status": "valid",
    "roles": ["operator"],
    "permissions": [],
    "owner_id": None,
    "org_id": "acme",
    "created_at": "2026-11-21T12:00:00Z",
    "created_by": "admin-key",
    "expires_at": "2027-02-19T12:00:00Z",
    "revoked_at": None,
    "used_at": "2026-11-21T12:30:00Z",
    "replaced_by": None,
}


def _config(*examples: dict[str, Any], closed: bool = False) -> ConfigDict:
    extra: Literal["forbid", "ignore"] = "forbid" if closed else "ignore"
    return ConfigDict(use_attribute_docstrings=True, extra=extra, json_schema_extra={"examples": list(examples)})


class KeyInfo(BaseModel):
    """A key, without its secret, which nobody knows but its holder."""

    model_config = _config(_INFO)

    key_id: str
    prefix: str
    """What the key begins with."""
    name: str
    status: Literal["valid", "expired", "revoked"]
    roles: list[str]
    permissions: list[str]
    """What it allows beside its roles."""
    owner_id: str | None
    """Only what this owner has is there for its holder; None: of all owners."""
    org_id: str | None
    """Only what this organisation has; None: of all organisations."""
    created_at: datetime
    created_by: str
    """Who has made it."""
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None
    """When it was used last, to the minute."""
    replaced_by: str | None
    """The id of the key that a rotation has made of it."""


class KeyCreated(KeyInfo):
    """A new key, with its secret."""

    model_config = _config({**_INFO, "key": "ruvon_5d41402abc4b2a76_..."})

    key: str
    """The key itself. It is shown this once: keep it where secrets are kept."""


class KeyPage(BaseModel):
    """A page of keys, newest first."""

    model_config = _config({"items": [_INFO], "next_cursor": None})

    items: list[KeyInfo]
    next_cursor: str | None
    """Pass it as `cursor` to get the next page; None: there is none."""


class CreateKey(BaseModel):
    """A key to make."""

    model_config = _config(
        {"name": "billing", "roles": ["operator"], "org_id": "acme", "expires_in_s": 7_776_000}, closed=True
    )

    name: Name
    """Says whose it is or what it is for; histories name it."""
    roles: list[Annotated[str, StringConstraints(min_length=1, max_length=100)]] = Field(default=[], max_length=20)
    """What it may do: admin, operator, viewer, device, or a role of the settings."""
    permissions: list[Permission] = Field(default=[], max_length=100)
    """What it may do besides."""
    owner_id: Tenant | None = None
    """Limit it to what this owner has; a key of the role device needs one."""
    org_id: Tenant | None = None
    """Limit it to what this organisation has."""
    expires_in_s: Lifetime = None
    """So long it is recognised, in seconds; None: until it is revoked."""
    reason: Reason | None = None
    """Why it is made."""


class RotateKey(BaseModel):
    """How a key is replaced."""

    model_config = _config({"grace_s": 3_600, "expires_in_s": 7_776_000}, closed=True)

    grace_s: int = Field(default=0, ge=0, le=2_592_000)
    """So long the old one still is recognised, in seconds."""
    expires_in_s: Lifetime = None
    """So long the new one is recognised, in seconds; None: until it is revoked."""
    reason: Reason | None = None
    """Why it is replaced."""


class RevokeKey(BaseModel):
    """Why a key is ended."""

    model_config = _config({"reason": "the laptop was lost"}, closed=True)

    reason: Reason | None = None
