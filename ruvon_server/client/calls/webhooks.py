"""The calls of the webhooks room."""

from ruvon_server.client._call import API, Call, asking, asking_named, json_of, nothing, part, query
from ruvon_server.models import webhooks as models

__all__ = [
    "create_webhook",
    "delete_webhook",
    "get_webhook",
    "list_webhook_deliveries",
    "list_webhooks",
    "recover_webhook",
    "replay_webhook_delivery",
    "rotate_webhook_secret",
    "test_webhook",
    "update_webhook",
]

_secret = json_of(models.WebhookWithSecret)
create_webhook = asking("create_webhook", "/webhooks", models.CreateWebhook, _secret)
update_webhook = asking_named(
    "update_webhook", "/webhooks/{}", models.UpdateWebhook, json_of(models.Webhook), method="PATCH"
)
rotate_webhook_secret = asking_named(
    "rotate_webhook_secret", "/webhooks/{}/rotate", models.RotateWebhookSecret, _secret
)
recover_webhook = asking_named(
    "recover_webhook", "/webhooks/{}/recover", models.RecoverWebhook, json_of(models.Recovered)
)


def list_webhooks(*, limit: int | None = None, cursor: str | None = None) -> Call[models.WebhookPage]:
    """A page of the webhooks, newest first, without their secrets."""
    name, wanted = "list_webhooks", query({"limit": limit, "cursor": cursor})
    return Call(name, "GET", f"{API}/webhooks", json_of(models.WebhookPage), wanted, repeatable=True)


def get_webhook(webhook_id: str, /) -> Call[models.Webhook]:
    """A webhook, without its secrets."""
    name = "get_webhook"
    return Call(name, "GET", f"{API}/webhooks/{part(name, webhook_id)}", json_of(models.Webhook), repeatable=True)


def delete_webhook(webhook_id: str, /) -> Call[None]:
    """Delete a webhook; what waits is not sent any more."""
    name = "delete_webhook"
    return Call(name, "DELETE", f"{API}/webhooks/{part(name, webhook_id)}", nothing)


def test_webhook(webhook_id: str, /) -> Call[models.Delivery]:
    """Send a webhook the event `webhook.test`."""
    name = "test_webhook"
    return Call(name, "POST", f"{API}/webhooks/{part(name, webhook_id)}/test", json_of(models.Delivery))


def list_webhook_deliveries(
    webhook_id: str,
    /,
    *,
    limit: int | None = None,
    cursor: str | None = None,
    status: models.DeliveryStatus | None = None,
) -> Call[models.DeliveryPage]:
    """A page of what was sent to a webhook, newest first; one with a `status` may have few items and yet a next one."""
    name, wanted = "list_webhook_deliveries", query({"limit": limit, "cursor": cursor, "status": status})
    path = f"{API}/webhooks/{part(name, webhook_id)}/deliveries"
    return Call(name, "GET", path, json_of(models.DeliveryPage), wanted, repeatable=True)


def replay_webhook_delivery(webhook_id: str, number: int, /) -> Call[models.Delivery]:
    """Send an event again, under the same id."""
    name = "replay_webhook_delivery"
    path = f"{API}/webhooks/{part(name, webhook_id)}/deliveries/{part(name, str(number))}/replay"
    return Call(name, "POST", path, json_of(models.Delivery))
