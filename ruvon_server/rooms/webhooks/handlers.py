"""The operations of the webhooks room."""

from typing import Annotated, Any, Final, TypeAlias

from litestar import Request, Response
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter

from ruvon_server.auth import Permission, Principal
from ruvon_server.changes import REASON
from ruvon_server.models import webhooks as models
from ruvon_server.paging import DEFAULT_LIMIT, NUMBER, Cursor, Limit, Paging
from ruvon_server.rooms.webhooks.service import WebhookService
from ruvon_server.routes import changes, deletes, reads, writes

__all__ = ["HANDLERS"]

Service: TypeAlias = NamedDependency[WebhookService]
Asker: TypeAlias = NamedDependency[Principal]
Asked: TypeAlias = Request[Principal, Any, Any]
Id: TypeAlias = Annotated[str, PathParameter(max_length=100, description="The id of a webhook.")]
Number: TypeAlias = Annotated[int, PathParameter(ge=1, le=2**53, description="The number of a delivery.")]
Status: TypeAlias = Annotated[
    models.DeliveryStatus | None, QueryParameter(description="Only deliveries that stand so.")
]
_ONE: Final = ("webhook-not-found",)
_CHANGE: Final = ("webhook-url-refused", "busy-elsewhere")
_SENDS: Final = (*_ONE, "webhook-disabled", "busy-elsewhere")
_LOCATION: Final = [
    ResponseHeader(name="Location", value="/api/v1/webhooks/...", description="Its path.", documentation_only=True)
]


@reads("/", name="list_webhooks", permission=Permission.WEBHOOKS_READ, problems=("bad-cursor",))
async def list_webhooks(
    service: Service, principal: Asker, pages: Paging, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> models.WebhookPage:
    """List webhooks, newest first."""
    (before,) = await pages.place(cursor, NUMBER) or (None,)
    items, left = await service.find(principal, limit, before)
    return models.WebhookPage(items=items, next_cursor=await pages.cursor((left,) if left else None))


@writes(
    "/",
    name="create_webhook",
    permission=Permission.WEBHOOKS_WRITE,
    status_code=201,
    problems=("other-tenant", "too-many-webhooks", *_CHANGE),
    response_headers=_LOCATION,
)
async def create_webhook(
    data: JSONBody[models.CreateWebhook], service: Service, principal: Asker, request: Asked
) -> Response[models.WebhookWithSecret]:
    """Tell somebody what happens from now on. The secret is shown in this answer and never again."""
    request.state[REASON] = data.reason
    made = await service.create(principal, data)
    return Response(made, status_code=201, headers={"Location": f"/api/v1/webhooks/{made.webhook_id}"})


@reads("/{webhook_id:str}", name="get_webhook", permission=Permission.WEBHOOKS_READ, problems=_ONE)
async def get_webhook(webhook_id: Id, service: Service, principal: Asker) -> models.Webhook:
    """Show a webhook, without its secrets."""
    return await service.show(principal, webhook_id)


@changes("/{webhook_id:str}", name="update_webhook", permission=Permission.WEBHOOKS_WRITE, problems=(*_ONE, *_CHANGE))
async def update_webhook(
    webhook_id: Id, data: JSONBody[models.UpdateWebhook], service: Service, principal: Asker, request: Asked
) -> models.Webhook:
    """Change what is given; the rest stays."""
    request.state[REASON] = data.reason
    return await service.change(principal, webhook_id, data)


@deletes(
    "/{webhook_id:str}",
    name="delete_webhook",
    permission=Permission.WEBHOOKS_WRITE,
    problems=(*_ONE, "busy-elsewhere"),
)
async def delete_webhook(webhook_id: Id, service: Service, principal: Asker) -> None:
    """Delete a webhook; what waits is not sent any more."""
    await service.delete(principal, webhook_id)


@writes(
    "/{webhook_id:str}/rotate",
    name="rotate_webhook_secret",
    permission=Permission.WEBHOOKS_WRITE,
    problems=(*_ONE, "busy-elsewhere"),
)
async def rotate_webhook_secret(
    webhook_id: Id, data: JSONBody[models.RotateWebhookSecret], service: Service, principal: Asker, request: Asked
) -> models.WebhookWithSecret:
    """Make a new secret, shown in this answer and never again; the old one signs beside it for `overlap_s`."""
    request.state[REASON] = data.reason
    return await service.rotate(principal, webhook_id, data)


@writes(
    "/{webhook_id:str}/test",
    name="test_webhook",
    permission=Permission.WEBHOOKS_WRITE,
    status_code=202,
    problems=_SENDS,
)
async def test_webhook(webhook_id: Id, service: Service, principal: Asker) -> models.Delivery:
    """Send the event `webhook.test`. It takes no body."""
    return await service.test(principal, webhook_id)


@reads(
    "/{webhook_id:str}/deliveries",
    name="list_webhook_deliveries",
    permission=Permission.WEBHOOKS_READ,
    problems=(*_ONE, "bad-cursor"),
)
async def list_webhook_deliveries(
    webhook_id: Id,
    service: Service,
    principal: Asker,
    pages: Paging,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
    status: Status = None,
) -> models.DeliveryPage:
    """List what was sent, and what is to be, with every attempt; newest first."""
    (before,) = await pages.place(cursor, NUMBER) or (None,)
    items, number = await service.deliveries(principal, webhook_id, limit, before, status)
    return models.DeliveryPage(items=items, next_cursor=await pages.cursor((number,) if number is not None else None))


@writes(
    "/{webhook_id:str}/deliveries/{number:int}/replay",
    name="replay_webhook_delivery",
    permission=Permission.WEBHOOKS_WRITE,
    status_code=202,
    problems=(*_SENDS, "delivery-not-found"),
)
async def replay_webhook_delivery(
    webhook_id: Id, number: Number, service: Service, principal: Asker
) -> models.Delivery:
    """Send an event again, under the same id. It takes no body."""
    return await service.replay(principal, webhook_id, number)


@writes(
    "/{webhook_id:str}/recover",
    name="recover_webhook",
    permission=Permission.WEBHOOKS_WRITE,
    status_code=202,
    problems=_SENDS,
)
async def recover_webhook(
    webhook_id: Id, data: JSONBody[models.RecoverWebhook], service: Service, principal: Asker, request: Asked
) -> models.Recovered:
    """Send everything again that has failed since a moment, oldest first; what was repeated before is left out."""
    request.state[REASON] = data.reason
    return await service.recover(principal, webhook_id, data.since)


HANDLERS: Final[list[Any]] = [
    list_webhooks,
    create_webhook,
    get_webhook,
    update_webhook,
    delete_webhook,
    rotate_webhook_secret,
    test_webhook,
    list_webhook_deliveries,
    replay_webhook_delivery,
    recover_webhook,
]
"""The operations of the room."""
