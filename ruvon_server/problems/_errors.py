"""What the server itself refuses; nothing was changed when one of these is raised.

RuvonError
└── RequestRefusedError
    ├── BadJsonError                 the body is no JSON that is taken
    ├── UnsupportedMediaTypeError    the body is said to be something else
    ├── BadFilterError               a parameter of a list that is written in another way
    ├── BadCursorError               a cursor that no page has given
    ├── UnknownParameterError        a query parameter that the operation does not have
    ├── NotAuthenticatedError        nobody says who asks
    ├── NotAllowedError              whoever asks may not do it
    ├── OtherOriginError             a page of somebody else has opened a WebSocket
    ├── OtherTenantError             ... not for somebody else
    ├── IdempotencyKeyReusedError    another request had this key
    ├── TooManyStreamsError          as many event streams are open as the server takes
    ├── VersionTakenError            this version of a type has another content
    ├── DefinedByFilesError          the type is not one that is uploaded
    ├── CrossOriginError             a page from elsewhere asks, and nobody says who asks
    ├── BeyondOwnRightsError         a key that may do more than whoever makes it
    │   └── ForeignHostError         ... or it asks under a name of another machine
    ├── StoreWideError               it concerns all tenants, and whoever asks is one of them
    ├── UnknownRoleError             a role that there is not
    ├── DeviceWithoutOwnerError      a key of a device that belongs to nobody
    ├── KeyNotFoundError             an API key that there is not
    ├── KeyEndedError                ... that was revoked, rotated or has expired
    ├── KeysBusyError                another server changes keys
    ├── TooManyRequestsError         whoever asks does so too often
    └── IssuerUnreachableError       the keys of a token's issuer cannot be read
    ├── BusyElsewhereError           another process changes the same thing
    ├── HumanTaskNotFoundError       nothing like that waits for a person
    ├── TaskOfAnotherError           it waits for another person
    ├── SecretsRefusedError          an uploaded definition asks for secrets that uploads may not have
    ├── TaskOfRoleError              it waits for somebody of a role
    ├── LinksAreOffError             there is no key to sign approval links with
    ├── LinkNotFoundError            a text is no approval link
    ├── LinkExpiredError             its time is over
    ├── LinkUsedError                its task waits no more
    ├── ScheduleTakenError           somebody else has a schedule of this name
    ├── NoLimitsError                a queue has no limits
    ├── WebhookNotFoundError         a webhook that there is not
    ├── DeliveryNotFoundError        ... a delivery
    ├── WebhookUrlRefusedError       an address that webhooks never reach
    ├── WebhookDisabledError         a webhook is switched off
    ├── TooManyWebhooksError         there are as many as a store has
    └── NotDeadError                 a task is no dead letter
"""

import math
from collections.abc import Mapping, Sequence

from ruvon.ir import RuvonError

__all__ = [
    "BadCursorError",
    "BadFilterError",
    "BadJsonError",
    "BeyondOwnRightsError",
    "BusyElsewhereError",
    "CrossOriginError",
    "DefinedByFilesError",
    "DeliveryNotFoundError",
    "DeviceWithoutOwnerError",
    "ForeignHostError",
    "HumanTaskNotFoundError",
    "IdempotencyKeyReusedError",
    "IssuerUnreachableError",
    "KeyEndedError",
    "KeyNotFoundError",
    "KeysBusyError",
    "LinkExpiredError",
    "LinkNotFoundError",
    "LinkUsedError",
    "LinksAreOffError",
    "NoLimitsError",
    "NotAllowedError",
    "NotAuthenticatedError",
    "NotDeadError",
    "OtherOriginError",
    "OtherTenantError",
    "RequestRefusedError",
    "ScheduleTakenError",
    "SecretsRefusedError",
    "StoreWideError",
    "TaskOfAnotherError",
    "TaskOfRoleError",
    "TooManyRequestsError",
    "TooManyStreamsError",
    "TooManyWebhooksError",
    "UnknownParameterError",
    "UnknownRoleError",
    "UnsupportedMediaTypeError",
    "VersionTakenError",
    "WebhookDisabledError",
    "WebhookNotFoundError",
    "WebhookUrlRefusedError",
]


class RequestRefusedError(RuvonError):
    """The server does not do what a request asks for."""


class BadJsonError(RequestRefusedError, ValueError):
    """The body of a request is no JSON, or JSON that is not taken."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"the body cannot be read: {problem}")


class UnsupportedMediaTypeError(RequestRefusedError):
    """The body of a request is said to be something that is not taken here."""

    def __init__(self, given: str, taken: str) -> None:
        super().__init__(f"the body is {given or 'of no type'}; send it with the header `Content-Type: {taken}`")


class BadCursorError(RequestRefusedError, ValueError):
    """A cursor is none that a page of this list has given."""

    def __init__(self) -> None:
        super().__init__("the cursor is none that this server gave; begin without one, and pass `next_cursor` as it is")


class BadFilterError(RequestRefusedError, ValueError):
    """A parameter that narrows a list cannot be understood."""


class UnknownParameterError(RequestRefusedError, ValueError):
    """A request has query parameters that its operation does not have.

    Args:
        near: for each of them the known one that is written most like it, if any is.
        known: those that the operation has.
    """

    def __init__(self, near: Mapping[str, str | None], known: Sequence[str]) -> None:
        said = [
            f"there is no parameter `{name[:100]}`" + (f" (did you mean `{other}`?)" if other is not None else "")
            for name, other in near.items()
        ]
        names = ", ".join(f"`{name}`" for name in known)
        super().__init__(f"{'; '.join(said)}; this operation takes {names or 'none'}")


class NotAuthenticatedError(RequestRefusedError):
    """Nothing of a request says who asks, or what it says is not true."""

    def __init__(self, reason: str = "the request does not say who asks") -> None:
        super().__init__(reason)


class NotAllowedError(RequestRefusedError):
    """Whoever asks lacks the permission."""

    def __init__(self, permission: str | None) -> None:
        self.permission = permission
        super().__init__(
            f"this takes the permission {permission}, which you do not have; an administrator can give it to you"
            if permission is not None
            else "nobody may do this: the handler does not say what it asks for"
        )


class OtherOriginError(RequestRefusedError):
    """A page that comes from elsewhere has opened a WebSocket."""

    def __init__(self, origin: str) -> None:
        super().__init__(f"pages of {origin[:60]} may not read this; name it in RUVON_SERVER_CORS_ORIGINS")


class OtherTenantError(RequestRefusedError):
    """Whoever asks would make something that belongs to somebody else."""

    def __init__(self) -> None:
        super().__init__("you can only make what belongs to you; leave `owner_id` and `org_id` out, or name your own")


class IdempotencyKeyReusedError(RequestRefusedError):
    """A key that was used for something else is used again."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"the idempotency key {key!r} was used for another request; repeat that one as it was, or use a new key"
        )


class TooManyStreamsError(RequestRefusedError):
    """As many event streams are open as this server takes."""

    def __init__(self, most: int) -> None:
        super().__init__(
            f"{most} event streams are open, and this server takes no more (RUVON_SERVER_STREAMS); "
            "close one that is no longer read, or try again later"
        )


class VersionTakenError(RequestRefusedError):
    """A definition differs from the one that is stored under its type and version."""

    def __init__(self, workflow_type: str, version: str) -> None:
        super().__init__(
            f"{workflow_type} {version} is stored with another content, and runs may have it; "
            "give the changed definition a version of its own"
        )


class DefinedByFilesError(RequestRefusedError):
    """A type that files of this server define cannot be uploaded."""

    def __init__(self, workflow_type: str) -> None:
        super().__init__(
            f"files of this server define {workflow_type}; deploy a new file, or upload the workflow under another type"
        )


class CrossOriginError(RequestRefusedError):
    """A page of another origin asks a server where nobody has to say who he is."""

    def __init__(self, origin: str) -> None:
        super().__init__(
            f"a page of {origin[:200]} may not ask this server; where that is wanted, RUVON_SERVER_CORS_ORIGINS names it"
        )


class ForeignHostError(CrossOriginError):
    """A request for another machine reaches this one, where nobody has to say who he is."""

    def __init__(self, host: str) -> None:
        RequestRefusedError.__init__(
            self,
            f"the request is for {host[:200]!r}, and this server answers for its own machine only, as nobody has to say "
            "who he is; where that name is yours, RUVON_SERVER_ALLOWED_HOSTS has it",
        )


class StoreWideError(RequestRefusedError):
    """Whoever is limited to a tenant asks for something that concerns all of them."""

    def __init__(self, permission: str) -> None:
        super().__init__(
            f"{permission} concerns all tenants, and you are limited to one; ask an administrator of the server"
        )


class BeyondOwnRightsError(RequestRefusedError):
    """Somebody would get a key that may do more than he himself, or that is what he is not.

    Args:
        permission: what it may do and he may not.
        role: the role that it has and he has not: human tasks are for roles, whatever these allow.
    """

    def __init__(self, permission: str = "", *, role: str | None = None) -> None:
        what = f"may do {permission}, which you may not" if role is None else f"has the role {role}, which you have not"
        super().__init__(f"the key {what}; nobody handles keys that may do more than he")


class UnknownRoleError(RequestRefusedError, ValueError):
    """There is no role of this name."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(
            f"there is no role {name!r}; the roles are {', '.join(known)} (RUVON_SERVER_ROLES adds others)"
        )


class DeviceWithoutOwnerError(RequestRefusedError, ValueError):
    """A key of the role device is limited to no owner."""

    def __init__(self) -> None:
        super().__init__("a key of the role device belongs to one owner; name the device as its `owner_id`")


class KeyNotFoundError(RequestRefusedError):
    """There is no API key with this id."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"there is no key {key_id[:40]!r}; the list of keys has their ids")


class KeyEndedError(RequestRefusedError):
    """The API key was revoked or rotated, or has expired."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"the key {key_id} has ended or was rotated before; make a new one")


class KeysBusyError(RequestRefusedError):
    """Another server of the store changes keys at this moment."""

    def __init__(self) -> None:
        super().__init__("another server changes keys at this moment; nothing was changed, try again")


class TooManyRequestsError(RequestRefusedError):
    """Whoever asks does so too often.

    Args:
        wait_s: after so many seconds the next request is taken.
    """

    def __init__(self, wait_s: float) -> None:
        self.retry_after_s = max(1, math.ceil(wait_s))
        super().__init__(f"there were too many requests; ask again in {self.retry_after_s} s")


class IssuerUnreachableError(RequestRefusedError):
    """The keys of whoever issues tokens cannot be read, so nobody can be recognised."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"the keys at {place} cannot be read: {reason}")


class BusyElsewhereError(RequestRefusedError):
    """Another process changes the same thing at this moment."""

    def __init__(self) -> None:
        super().__init__("somebody else changes this at the moment; nothing was done, try again")


class HumanTaskNotFoundError(RequestRefusedError):
    """Nothing with this id waits for a person (any more)."""

    def __init__(self, task_id: str) -> None:
        super().__init__(
            f"no task {task_id[:100]!r} waits for anybody; it was answered or has ended, or never was there"
        )


class TaskOfAnotherError(RequestRefusedError):
    """A task is for another person, or another person has it."""

    def __init__(self, whose: str) -> None:
        self.whose = whose
        super().__init__(f"the task is {whose}'s; it can be answered once it is released, or by {whose}")


class SecretsRefusedError(RequestRefusedError):
    """An uploaded definition asks for secrets that uploads may not have; nothing was stored.

    Args:
        steps: the names of the secrets, each with a step that asks for it.
    """

    def __init__(self, steps: Mapping[str, str]) -> None:
        self.steps = dict(steps)
        named = ", ".join(f'secret("{name}")' for name in sorted(steps))
        super().__init__(
            f"an uploaded definition may not read {named}; whoever runs the server allows it with RUVON_SECRET_NAMES, "
            "or loads the definition from a file of the server"
        )


class TaskOfRoleError(RequestRefusedError):
    """A task is for people of a role that whoever asks has not."""

    def __init__(self, role: str) -> None:
        self.role = role
        super().__init__(f"the task is for the role {role}; somebody who has it, or an administrator, can answer it")


class LinksAreOffError(RequestRefusedError):
    """There is no key to sign approval links with."""

    def __init__(self) -> None:
        super().__init__("this server has no approval links; RUVON_SERVER_APPROVAL_KEY switches them on")


class LinkNotFoundError(RequestRefusedError):
    """A text is no approval link of this server."""

    def __init__(self) -> None:
        super().__init__("this is no approval link of this server, or not all of it; open it as it was sent")


class LinkExpiredError(RequestRefusedError):
    """The time of an approval link is over."""

    def __init__(self) -> None:
        super().__init__("the time of this link is over; ask for a new one")


class LinkUsedError(RequestRefusedError):
    """The task of an approval link waits no more."""

    def __init__(self) -> None:
        super().__init__("the task waits no more: it was answered, by this link or otherwise, or has ended")


class ScheduleTakenError(RequestRefusedError):
    """Somebody else has a schedule of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"somebody else has a schedule {name!r}; choose another name")


class NoLimitsError(RequestRefusedError):
    """A queue has no limits."""

    def __init__(self, queue: str) -> None:
        super().__init__(f"the queue {queue!r} has no limits; the list of queues has those that have")


class NotDeadError(RequestRefusedError):
    """A task is no dead letter."""

    def __init__(self, task_id: str, status: str) -> None:
        super().__init__(
            f"the task {task_id[:100]} is {status}; only a dead letter can be queued again or forgotten "
            "(to withdraw a task, cancel its workflow)"
        )


class WebhookNotFoundError(RequestRefusedError):
    """There is no webhook with this id."""

    def __init__(self, webhook_id: str) -> None:
        super().__init__(f"there is no webhook {webhook_id[:40]!r}; the list of webhooks has their ids")


class DeliveryNotFoundError(RequestRefusedError):
    """A webhook has no delivery with this number (any more)."""

    def __init__(self, number: int) -> None:
        super().__init__(
            f"there is no delivery {number}, or it is no longer kept; the list of deliveries has the others"
        )


class WebhookUrlRefusedError(RequestRefusedError, ValueError):
    """Webhooks never reach an address."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the address of the webhook is not taken: {reason}")


class WebhookDisabledError(RequestRefusedError):
    """A webhook is switched off, so nothing would be sent."""

    def __init__(self, webhook_id: str) -> None:
        super().__init__(f"the webhook {webhook_id} is switched off, and nothing would be sent; enable it first")


class TooManyWebhooksError(RequestRefusedError):
    """There are as many webhooks as a tenant has."""

    def __init__(self, most: int) -> None:
        super().__init__(
            f"there are {most} webhooks for whoever asks, and nobody has more; delete one that nobody needs"
        )
