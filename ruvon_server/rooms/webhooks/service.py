"""What the webhooks room does."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, final

from ruvon.providers import Clock, IdSource, microseconds_of
from ruvon_server.auth import Principal
from ruvon_server.models import webhooks as models
from ruvon_server.problems import OtherTenantError, WebhookDisabledError, WebhookNotFoundError
from ruvon_server.shown import moment
from ruvon_server.webhooks._courier import require_url
from ruvon_server.webhooks._events import event_of_webhook
from ruvon_server.webhooks._records import DeliveryRecord, Endpoint, tenant_of
from ruvon_server.webhooks._relay import Webhooks

__all__ = ["WebhookService"]

_SECOND_US: Final = 1_000_000
_LOOKED_AT: Final = 2_000
"""So many deliveries one request looks at."""
_REPLAYED: Final = 500
"""So many deliveries one request repeats."""
_CHANGED: Final = ("url", "events", "workflow_types", "description", "enabled")


@final
class WebhookService:
    """Makes, shows, changes and tests webhooks. One of another tenant is not there for whoever asks.

    Args:
        webhooks: the webhooks of the store.
        clock: says when.
        ids: make ids of events.
    """

    def __init__(self, webhooks: Webhooks, clock: Clock, ids: IdSource) -> None:
        self._webhooks = webhooks
        self._endpoints = webhooks.endpoints
        self._deliveries = webhooks.deliveries
        self._clock = clock
        self._ids = ids

    async def create(self, principal: Principal, wanted: models.CreateWebhook) -> models.WebhookWithSecret:
        """Make a webhook.

        Raises:
            OtherTenantError: it would be told what somebody else has.
            WebhookUrlRefusedError: webhooks never reach the address.
            TooManyWebhooksError: there are as many as a tenant has.
        """
        whose = principal.narrowed(wanted.owner_id, wanted.org_id)
        if whose is None:
            raise OtherTenantError
        require_url(self._webhooks.policy, wanted.url)
        made, secret = await self._endpoints.create(
            url=wanted.url,
            events=tuple(wanted.events),
            workflow_types=tuple(wanted.workflow_types),
            description=wanted.description,
            enabled=wanted.enabled,
            owner_id=whose[0],
            org_id=whose[1],
            created_by=principal.name,
            tenant=tenant_of(principal.owner_id, principal.org_id) if principal.is_limited else tenant_of(*whose),
        )
        self._webhooks.wake()
        return models.WebhookWithSecret(**(await self._shown(made)).model_dump(), secret=secret)

    async def find(self, principal: Principal, limit: int, before: int | None) -> tuple[list[models.Webhook], int]:
        """A page of the webhooks that are there for whoever asks, newest first, and how many come behind it."""
        seen = [item for item in await self._endpoints.list() if principal.sees(item.owner_id, item.org_id)]
        before = len(seen) if before is None else min(before, len(seen))
        first = max(before - limit, 0)
        items = [await self._shown(await self._endpoints.get(item.webhook_id)) for item in reversed(seen[first:before])]
        return items, first

    async def show(self, principal: Principal, webhook_id: str) -> models.Webhook:
        """A webhook."""
        return await self._shown(await self._known(principal, webhook_id))

    async def change(self, principal: Principal, webhook_id: str, wanted: models.UpdateWebhook) -> models.Webhook:
        """Change what is given.

        Raises:
            WebhookUrlRefusedError: webhooks never reach the new address.
        """
        await self._known(principal, webhook_id)
        given = {name: getattr(wanted, name) for name in _CHANGED if getattr(wanted, name) is not None}
        if wanted.url is not None:
            require_url(self._webhooks.policy, wanted.url)
        given |= {name: tuple(given[name]) for name in ("events", "workflow_types") if name in given}
        changed = await self._endpoints.change(webhook_id, **given)
        self._webhooks.wake()
        return await self._shown(changed)

    async def delete(self, principal: Principal, webhook_id: str) -> None:
        """Forget a webhook, and soon what was sent."""
        await self._known(principal, webhook_id)
        await self._endpoints.delete(webhook_id)

    async def rotate(
        self, principal: Principal, webhook_id: str, wanted: models.RotateWebhookSecret
    ) -> models.WebhookWithSecret:
        """Give it a new secret."""
        await self._known(principal, webhook_id)
        changed, secret = await self._endpoints.rotate(webhook_id, wanted.overlap_s * _SECOND_US)
        return models.WebhookWithSecret(**(await self._shown(changed)).model_dump(), secret=secret)

    async def test(self, principal: Principal, webhook_id: str) -> models.Delivery:
        """Send an event that means nothing.

        Raises:
            WebhookDisabledError: it is switched off.
        """
        endpoint, now_us = await self._enabled(principal, webhook_id), self._clock.now_us()
        data = {"webhook_id": webhook_id, "asked_by": principal.name}
        event = event_of_webhook(
            f"msg_{self._ids.token(16).hex()}", "webhook.test", now_us, data, endpoint.owner_id, endpoint.org_id
        )
        return (await self._added([DeliveryRecord.first(webhook_id, event, now_us)]))[0]

    async def deliveries(
        self,
        principal: Principal,
        webhook_id: str,
        limit: int,
        before: int | None,
        status: models.DeliveryStatus | None,
    ) -> tuple[list[models.Delivery], int | None]:
        """A page of deliveries, newest first, and before which number the next one begins.

        One that narrows them may have few items and yet a next one.
        """
        await self._known(principal, webhook_id)
        span = await self._deliveries.span(webhook_id)
        number = (span.end if before is None else min(before, span.end)) - 1
        lowest = max(span.first, number - _LOOKED_AT + 1)
        items: list[models.Delivery] = []
        while number >= lowest and len(items) < limit:
            found = await self._deliveries.find(webhook_id, number)
            if found is not None and status in {None, found.status}:
                items.append(_delivery(found))
            number -= 1
        return items, number + 1 if number >= span.first else None

    async def replay(self, principal: Principal, webhook_id: str, number: int) -> models.Delivery:
        """Send an event again, under its own id, from the beginning of the schedule.

        Raises:
            DeliveryNotFoundError: there is none.
            WebhookDisabledError: it is switched off.
        """
        await self._known(principal, webhook_id)
        found = await self._deliveries.get(webhook_id, number)
        await self._enabled(principal, webhook_id)
        return (await self._replayed([found]))[0]

    async def recover(self, principal: Principal, webhook_id: str, since: datetime) -> models.Recovered:
        """Send everything again that has failed since a moment and was not repeated.

        Raises:
            WebhookDisabledError: it is switched off.
        """
        await self._enabled(principal, webhook_id)
        since_us, span = microseconds_of(since), await self._deliveries.span(webhook_id)
        failed: list[DeliveryRecord] = []
        for number in range(span.end - 1, span.first - 1, -1):
            found = await self._deliveries.find(webhook_id, number)
            if found is not None and found.created_us < since_us:
                break
            if found is not None and found.status == "failed" and found.replayed_as is None:
                failed.append(found)
        again = failed[::-1][:_REPLAYED]
        if again:
            await self._replayed(again)
        return models.Recovered(replayed=len(again), more=len(failed) > len(again))

    async def _replayed(self, old: Sequence[DeliveryRecord]) -> list[models.Delivery]:
        now_us = self._clock.now_us()
        made = await self._added([item.again(now_us) for item in old])
        for item, new in zip(old, made, strict=True):
            if item.status != "pending":  # else whoever sends it writes it
                await self._deliveries.put(replace(item, replayed_as=new.number))
        return made

    async def _added(self, wanted: Sequence[DeliveryRecord]) -> list[models.Delivery]:
        made = await self._deliveries.add(wanted)
        self._webhooks.wake()
        return [_delivery(item) for item in made]

    async def _known(self, principal: Principal, webhook_id: str) -> Endpoint:
        found = await self._endpoints.get(webhook_id)
        if not principal.sees(found.owner_id, found.org_id):
            raise WebhookNotFoundError(webhook_id)
        return found

    async def _enabled(self, principal: Principal, webhook_id: str) -> Endpoint:
        found = await self._known(principal, webhook_id)
        if not found.enabled:
            raise WebhookDisabledError(webhook_id)
        return found

    async def _shown(self, endpoint: Endpoint) -> models.Webhook:
        progress = await self._webhooks.progress(endpoint.webhook_id)
        span = await self._deliveries.span(endpoint.webhook_id)
        return models.Webhook(
            webhook_id=endpoint.webhook_id,
            url=endpoint.url,
            events=list(endpoint.events),
            workflow_types=list(endpoint.workflow_types),
            description=endpoint.description,
            enabled=endpoint.enabled,
            disabled_reason=endpoint.disabled_reason,
            owner_id=endpoint.owner_id,
            org_id=endpoint.org_id,
            created_at=moment(endpoint.created_us),
            created_by=endpoint.created_by,
            secrets=len(endpoint.signing(self._clock.now_us())),
            waiting=max(span.end - max(progress.done, span.first), 0),
            last_success_at=_moment(progress.success_us),
            failing_since=_moment(progress.failing_us),
        )


def _delivery(found: DeliveryRecord) -> models.Delivery:
    tried = [
        models.DeliveryAttempt(
            at=moment(item.at_us),
            response_code=item.status,
            duration_ms=item.duration_us / 1_000,
            error=item.error,
            answer=item.answer,
        )
        for item in found.attempts
    ]
    columns: dict[str, Any] = {
        "number": found.number,
        "webhook_id": found.webhook_id,
        "event_id": found.event_id,
        "event": found.type,
        "workflow_id": found.workflow_id,
        "status": found.status,
        "replay_of": found.replay_of,
        "replayed_as": found.replayed_as,
        "body": found.body,
    }
    return models.Delivery(
        **columns, created_at=moment(found.created_us), next_at=_moment(found.next_us), attempts=tried
    )


def _moment(moment_us: int | None) -> datetime | None:
    return None if moment_us is None else moment(moment_us)
