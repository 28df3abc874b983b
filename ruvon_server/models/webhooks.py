"""What the webhooks room is asked and answers, and which events there are."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema

from ruvon_server.models.workflows import ID, Name, Reason

__all__ = [
    "EVENTS",
    "CreateWebhook",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryPage",
    "DeliveryStatus",
    "RecoverWebhook",
    "Recovered",
    "RotateWebhookSecret",
    "UpdateWebhook",
    "Webhook",
    "WebhookPage",
    "WebhookWithSecret",
    "covers",
]

EVENTS: Final[Mapping[str, str]] = {
    "workflow.started": "it was made",
    "workflow.waiting": "it rests, and waits for a person, an input or a signal",
    "workflow.completed": "it has ended well",
    "workflow.failed": "it has ended with an error",
    "workflow.cancelled": "it was cancelled",
    "workflow.repaired": "somebody has retried, rewound, moved or migrated it",
    "workflow.restarted": "it goes on under the same id with a fresh history",
    "step.completed": "a step, or a wait, has its result",
    "step.failed": "a step has failed for good",
    "step.retried": "an attempt of a step has failed, another one follows",
    "step.compensated": "a step was undone, or that was tried",
    "webhook.disabled": "another webhook was switched off by the server",
    "webhook.test": "somebody has asked for it; every webhook gets it, whatever its `events` say",
}
"""The events, and what has happened to a workflow or a webhook when they are told."""

DeliveryStatus = Literal["pending", "delivered", "failed"]
_MONTH_S: Final = 2_592_000


def covers(pattern: str, event: str) -> bool:
    """Whether a pattern (`*`, `workflow.*`, or an event itself) means an event."""
    return pattern in {"*", event} or (pattern.endswith(".*") and event.startswith(pattern[:-1]))


def _known(pattern: str) -> str:
    if not any(covers(pattern, event) for event in EVENTS):
        raise ValueError(
            f"no event is called that; they are {', '.join(EVENTS)}, with patterns like `workflow.*` and `*`"
        )
    return pattern


_PATTERNS: Final = ("*", *sorted({f"{event.partition('.')[0]}.*" for event in EVENTS}), *EVENTS)
Pattern = Annotated[
    str,
    StringConstraints(min_length=1, max_length=100),
    AfterValidator(_known),
    WithJsonSchema({"type": "string", "enum": list(_PATTERNS)}),
]
Url = Annotated[str, StringConstraints(min_length=1, max_length=2_000, pattern=r"^https?://\S+$")]
Description = Annotated[str, StringConstraints(max_length=500)]
Tenant = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Patterns = Annotated[list[Pattern], Field(min_length=1, max_length=50)]
Types = Annotated[list[Name], Field(max_length=100)]

_WEBHOOK: dict[str, Any] = {
    "webhook_id": "5d41402abc4b2a76",
    "url": "https://shop.example/hooks/ruvon",
    "events": ["workflow.*"],
    "workflow_types": ["Parcel"],
    "description": "tells the shop",
    "enabled": True,
    "disabled_reason": None,
    "owner_id": None,
    "org_id": "acme",
    "created_at": "2026-11-21T12:00:00Z",
    "created_by": "admin-key",
    "secrets": 1,
    "waiting": 0,
    "last_success_at": "2026-11-21T12:30:00Z",
    "failing_since": None,
}
_ATTEMPT: dict[str, Any] = {
    "at": "2026-11-21T12:30:00Z",
    "response_code": 500,
    "duration_ms": 41.3,
    "error": "answered 500",
    "answer": "Internal Server Error",
}
_DELIVERY: dict[str, Any] = {
    "number": 17,
    "webhook_id": "5d41402abc4b2a76",
    "event_id": "msg_0b9a1c5e77d04f3e8a6bb1d2c3e4f506",
    "event": "workflow.completed",
    "workflow_id": ID,
    "status": "pending",
    "created_at": "2026-11-21T12:30:00Z",
    "next_at": "2026-11-21T12:30:05Z",
    "attempts": [_ATTEMPT],
    "replay_of": None,
    "replayed_as": None,
    "body": '{"type":"workflow.completed","timestamp":"2026-11-21T12:30:00Z","data":{}}',
}


def _config(*examples: dict[str, Any], closed: bool = False) -> ConfigDict:
    extra: Literal["forbid", "ignore"] = "forbid" if closed else "ignore"
    return ConfigDict(use_attribute_docstrings=True, extra=extra, json_schema_extra={"examples": list(examples)})


class Webhook(BaseModel):
    """A webhook, without its secrets."""

    model_config = _config(_WEBHOOK)

    webhook_id: str
    url: str
    events: list[str]
    """What it is told, as events and patterns."""
    workflow_types: list[str]
    """Of which workflows; none: of all."""
    description: str
    enabled: bool
    disabled_reason: str | None
    """Why the server has switched it off."""
    owner_id: str | None
    """Only what this owner has is told; None: of all owners."""
    org_id: str | None
    """Only what this organisation has; None: of all organisations."""
    created_at: datetime
    created_by: str
    secrets: int
    """So many secrets sign now; more than one while a rotation lasts."""
    waiting: int
    """So many deliveries at most are not done yet."""
    last_success_at: datetime | None
    """When it took a delivery last, to some seconds."""
    failing_since: datetime | None
    """Since when no attempt has succeeded; None: the last one has."""


class WebhookWithSecret(Webhook):
    """A webhook, with a new secret."""

    model_config = _config({**_WEBHOOK, "secret": "whsec_..."})

    secret: str
    """Signs what is sent. It is shown this once: keep it where secrets are kept."""


class WebhookPage(BaseModel):
    """A page of webhooks, newest first."""

    model_config = _config({"items": [_WEBHOOK], "next_cursor": None})

    items: list[Webhook]
    next_cursor: str | None
    """Pass it as `cursor` to get the next page; None: there is none."""


class CreateWebhook(BaseModel):
    """A webhook to make."""

    model_config = _config(
        {"url": "https://shop.example/hooks/ruvon", "events": ["workflow.*"], "workflow_types": ["Parcel"]}, closed=True
    )

    url: Url
    """Where events are sent to; https, without a user or a password in it."""
    events: Patterns = ["workflow.*"]
    """Events, or patterns such as `workflow.*` and `*`."""
    workflow_types: Types = []
    """Only events of workflows of these types; of all where none is named."""
    description: Description = ""
    enabled: bool = True
    owner_id: Tenant | None = None
    """Tell only of what this owner has."""
    org_id: Tenant | None = None
    """Tell only of what this organisation has."""
    reason: Reason | None = None
    """Why it is made."""


class UpdateWebhook(BaseModel):
    """What is to change; what is left out stays."""

    model_config = _config({"events": ["workflow.failed"], "enabled": True, "reason": "quieter"}, closed=True)

    url: Url | None = None
    events: Patterns | None = None
    workflow_types: Types | None = None
    description: Description | None = None
    enabled: bool | None = None
    """False: nothing is sent until it is true again; then what waited is sent, and what happened meanwhile is not."""
    reason: Reason | None = None
    """Why it is changed."""


class RotateWebhookSecret(BaseModel):
    """How a secret is replaced."""

    model_config = _config({"overlap_s": 86_400, "reason": "every year"}, closed=True)

    overlap_s: int = Field(default=86_400, ge=0, le=_MONTH_S)
    """So long the old secret signs beside the new one, in seconds; 0: it is known to others, it ends now."""
    reason: Reason | None = None
    """Why it is replaced."""


class DeliveryAttempt(BaseModel):
    """One request, and what came of it."""

    model_config = _config(_ATTEMPT)

    at: datetime
    response_code: int | None
    """The status of the answer; None: there was none."""
    duration_ms: float
    error: str | None
    """Why it counts as failed."""
    answer: str
    """The first 500 characters of the answer's body."""


class Delivery(BaseModel):
    """One event on its way to one webhook."""

    model_config = _config(_DELIVERY)

    number: int
    """Its number; each webhook counts its own."""
    webhook_id: str
    event_id: str
    """What the header `webhook-id` says, in every attempt and replay."""
    event: str
    workflow_id: str | None
    status: DeliveryStatus
    created_at: datetime
    next_at: datetime | None
    """When the next attempt is due."""
    attempts: list[DeliveryAttempt]
    replay_of: int | None
    """The delivery that this one repeats."""
    replayed_as: int | None
    """The delivery that has repeated this one last."""
    body: str
    """What is sent."""


class DeliveryPage(BaseModel):
    """A page of deliveries, newest first."""

    model_config = _config({"items": [_DELIVERY], "next_cursor": None})

    items: list[Delivery]
    next_cursor: str | None
    """Pass it as `cursor` to get the next page, also where this one has few items; None: there is none."""


class RecoverWebhook(BaseModel):
    """Which failed deliveries are repeated."""

    model_config = _config({"since": "2026-11-20T00:00:00Z", "reason": "the shop was down"}, closed=True)

    since: AwareDatetime
    """Those that were made at this moment or later."""
    reason: Reason | None = None


class Recovered(BaseModel):
    """How many were repeated."""

    model_config = _config({"replayed": 12, "more": False})

    replayed: int
    more: bool
    """There are more of them than one request repeats: ask again."""
