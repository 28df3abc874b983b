"""The records of webhooks as the store keeps them: endpoints, deliveries, attempts."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, final
from urllib.parse import quote

from ruvon_server.models.webhooks import DeliveryStatus, covers

__all__ = ["ATTEMPTS", "DELAYS_US", "Attempt", "DeliveryRecord", "Endpoint", "Event", "Secret", "tenant_of"]

_SECOND_US: Final = 1_000_000
DELAYS_US: Final = tuple(
    seconds * _SECOND_US
    for seconds in (0, 5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
)
"""The wait before each attempt, in microseconds: the example of Standard Webhooks 1.0.0, 75 hours and a half together."""
ATTEMPTS: Final = len(DELAYS_US)


def tenant_of(owner_id: str | None, org_id: str | None) -> str:
    """The name under which the webhooks of an owner in an organisation are counted; nothing for those of nobody."""
    return "/".join(quote(part or "", safe="") for part in (org_id, owner_id)).removesuffix("/")


@final
@dataclass(frozen=True, slots=True)
class Secret:
    """A secret, and until when it signs."""

    text: str
    ends_us: int | None = None
    """None: until it is replaced."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened, as it is told."""

    event_id: str
    """The same whenever this event is read from the store."""
    type: str
    at_us: int
    body: bytes
    """JSON: `type`, `timestamp` and `data`."""
    workflow_id: str | None = None
    workflow_type: str | None = None
    owner_id: str | None = None
    org_id: str | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A webhook."""

    webhook_id: str
    url: str
    events: tuple[str, ...]
    workflow_types: tuple[str, ...]
    description: str
    owner_id: str | None
    org_id: str | None
    created_us: int
    created_by: str
    secrets: tuple[Secret, ...]
    """The newest one first."""
    enabled: bool = True
    since_us: int = 0
    """What happened earlier is not told: it was made, or enabled, then."""
    disabled_reason: str | None = None
    tenant: str = ""
    """Whose share of the places it takes when it sends; nothing: of those that belong to no tenant."""

    def sees(self, owner_id: str | None, org_id: str | None) -> bool:
        """Whether it is told of what an owner and an organisation have."""
        return self.owner_id in {None, owner_id} and self.org_id in {None, org_id}

    def cares_for(self, workflow_type: str, owner_id: str | None, org_id: str | None) -> bool:
        """Whether it is told anything of a workflow."""
        return (
            self.enabled and workflow_type in (self.workflow_types or {workflow_type}) and self.sees(owner_id, org_id)
        )

    def wants(self, event: Event) -> bool:
        """Whether it is told of an event."""
        return (
            self.enabled
            and event.at_us >= self.since_us
            and any(covers(pattern, event.type) for pattern in self.events)
            and self.sees(event.owner_id, event.org_id)
            and (event.workflow_type is None or event.workflow_type in (self.workflow_types or {event.workflow_type}))
        )

    def signing(self, now_us: int) -> tuple[str, ...]:
        """The secrets that sign now, the newest first."""
        return tuple(item.text for item in self.secrets if item.ends_us is None or now_us < item.ends_us)

    def tree(self) -> dict[str, Any]:
        """It, as the store keeps it."""
        return asdict(self)

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> "Endpoint":
        """What `tree` has given."""
        values = dict(tree)
        values["events"], values["workflow_types"] = tuple(values["events"]), tuple(values["workflow_types"])
        values["secrets"] = tuple(Secret(item["text"], item["ends_us"]) for item in values["secrets"])
        return cls(**values)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One request, and what came of it."""

    at_us: int
    status: int | None
    duration_us: int
    error: str | None
    answer: str = ""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRecord:
    """One event on its way to one webhook. Whoever sends it writes it until it is done; nobody else before."""

    webhook_id: str
    number: int
    event_id: str
    type: str
    workflow_id: str | None
    body: str
    created_us: int
    status: DeliveryStatus = "pending"
    next_us: int | None = None
    attempts: tuple[Attempt, ...] = ()
    replay_of: int | None = None
    replayed_as: int | None = None

    @classmethod
    def first(cls, webhook_id: str, event: Event, now_us: int) -> "DeliveryRecord":
        """An event that nobody has tried to send; its number is given by the store."""
        return cls(
            webhook_id=webhook_id,
            number=0,
            event_id=event.event_id,
            type=event.type,
            workflow_id=event.workflow_id,
            body=event.body.decode(),
            created_us=now_us,
            next_us=now_us,
        )

    def again(self, now_us: int) -> "DeliveryRecord":
        """The same event, from the beginning."""
        return replace(
            self, number=0, created_us=now_us, next_us=now_us, status="pending", attempts=(),
            replay_of=self.number, replayed_as=None,
        )  # fmt: skip

    def tree(self) -> dict[str, Any]:
        """It, as the store keeps it."""
        return asdict(self)

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> "DeliveryRecord":
        """What `tree` has given."""
        values = dict(tree)
        values["attempts"] = tuple(Attempt(**item) for item in values["attempts"])
        return cls(**values)
