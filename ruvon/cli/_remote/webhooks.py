"""Whom a server tells what happens: `ruvon webhooks`."""

from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

import rich_click as click

from ruvon.cli._output import Exit, fail, print_json, print_table
from ruvon.cli._remote.shown import PAGE, at, maybe, print_fields, seconds
from ruvon.cli._remotely import Place
from ruvon_server.models import webhooks as models

__all__ = [
    "add",
    "deliveries",
    "disable",
    "enable",
    "list_",
    "recover",
    "remove",
    "replay",
    "rotate",
    "show",
    "test",
    "update",
]

_COLUMNS: Final = ("webhook_id", "url", "events", "types", "enabled", "waiting", "failing_since", "owner_id", "org_id")
_SENT: Final = ("number", "event", "workflow_id", "status", "attempts", "last", "created_at", "next_at")
_MOMENTS: Final = ("created_at", "last_success_at", "failing_since")


def list_(place: Place, *, limit: int, as_json: bool) -> None:
    """`ruvon webhooks list`."""
    rows = [_data(item) for item in islice(place.client.each_webhook(limit=min(limit, PAGE)), limit)]
    if as_json:
        print_json(rows)
        return
    shown = [
        {
            **row,
            "events": ",".join(row["events"]),
            "types": ",".join(row["workflow_types"]) or None,
            "enabled": _yes_or_no(row["enabled"]),
        }
        for row in rows
    ]
    print_table(shown, _COLUMNS)


def show(place: Place, webhook_id: str, *, as_json: bool) -> None:
    """`ruvon webhooks show`."""
    _print(place.client.get_webhook(webhook_id), as_json=as_json)


def add(
    place: Place,
    url: str,
    *,
    events: tuple[str, ...],
    workflow_types: tuple[str, ...],
    description: str | None,
    owner: str | None,
    org: str | None,
    disabled: bool,
    reason: str,
    as_json: bool,
) -> None:
    """`ruvon webhooks add`."""
    wanted = {**_wishes(events, workflow_types, description), "owner_id": owner, "org_id": org}
    made = place.client.create_webhook(url=url, enabled=not disabled, reason=reason or None, **wanted)
    _print_secret(made, as_json=as_json)


def update(
    place: Place,
    webhook_id: str,
    *,
    url: str | None,
    events: tuple[str, ...],
    workflow_types: tuple[str, ...],
    all_types: bool,
    description: str | None,
    reason: str,
    as_json: bool,
) -> None:
    """`ruvon webhooks update`."""
    if all_types and workflow_types:
        fail("say --type or --all-types, not both", Exit.USAGE)
    wanted = _wishes(events, workflow_types, description)
    if url is not None:
        wanted["url"] = url
    if all_types:
        wanted["workflow_types"] = []
    if not wanted:
        fail("say what is to change: --url, --event, --type, --all-types, --description", Exit.USAGE)
    _print(place.client.update_webhook(webhook_id, reason=reason or None, **wanted), as_json=as_json)


def enable(place: Place, webhook_id: str, *, reason: str, as_json: bool) -> None:
    """`ruvon webhooks enable`."""
    _print(place.client.update_webhook(webhook_id, enabled=True, reason=reason or None), as_json=as_json)


def disable(place: Place, webhook_id: str, *, reason: str, as_json: bool) -> None:
    """`ruvon webhooks disable`."""
    _print(place.client.update_webhook(webhook_id, enabled=False, reason=reason or None), as_json=as_json)


def remove(place: Place, webhook_id: str) -> None:
    """`ruvon webhooks remove`."""
    place.client.delete_webhook(webhook_id)
    click.echo(f"{webhook_id}: removed")


def rotate(place: Place, webhook_id: str, *, overlap: timedelta | None, reason: str, as_json: bool) -> None:
    """`ruvon webhooks rotate`."""
    wanted: dict[str, Any] = {} if overlap is None else {"overlap_s": seconds(overlap)}
    _print_secret(place.client.rotate_webhook_secret(webhook_id, reason=reason or None, **wanted), as_json=as_json)


def test(place: Place, webhook_id: str, *, as_json: bool) -> None:
    """`ruvon webhooks test`."""
    _print_sent(place.client.test_webhook(webhook_id), as_json=as_json)


def deliveries(
    place: Place, webhook_id: str, *, status: models.DeliveryStatus | None, limit: int, as_json: bool
) -> None:
    """`ruvon webhooks deliveries`."""
    found = place.client.each_webhook_delivery(webhook_id, status=status, limit=min(limit, PAGE))
    rows = [_sent(item) for item in islice(found, limit)]
    if as_json:
        print_json(rows)
        return
    print_table([{**row, "attempts": len(row["attempts"]), "last": _last(row["attempts"])} for row in rows], _SENT)


def replay(place: Place, webhook_id: str, number: int, *, as_json: bool) -> None:
    """`ruvon webhooks replay`."""
    _print_sent(place.client.replay_webhook_delivery(webhook_id, number), as_json=as_json)


def recover(place: Place, webhook_id: str, *, since: datetime, reason: str, as_json: bool) -> None:
    """`ruvon webhooks recover`: in as many requests as it takes."""
    replayed, more = 0, True
    while more:
        done = place.client.recover_webhook(webhook_id, since=since, reason=reason or None)
        replayed, more = replayed + done.replayed, done.more
    if as_json:
        print_json({"replayed": replayed})
    else:
        click.echo(f"{webhook_id}: {replayed} to be sent again")


def _wishes(events: tuple[str, ...], workflow_types: tuple[str, ...], description: str | None) -> dict[str, Any]:
    """What of these was given."""
    found: dict[str, Any] = {"events": list(events), "workflow_types": list(workflow_types)}
    told = {name: values for name, values in found.items() if values}
    return told if description is None else {**told, "description": description}


def _data(webhook: models.Webhook) -> dict[str, Any]:
    return {**webhook.model_dump(mode="json"), **{name: maybe(getattr(webhook, name)) for name in _MOMENTS}}


def _sent(delivery: models.Delivery) -> dict[str, Any]:
    attempts = [{**item.model_dump(mode="json"), "at": at(item.at)} for item in delivery.attempts]
    moments = {"created_at": at(delivery.created_at), "next_at": maybe(delivery.next_at)}
    return {**delivery.model_dump(mode="json"), **moments, "attempts": attempts}


def _last(attempts: list[dict[str, Any]]) -> object:
    """What the last attempt was answered, or why it was not."""
    return (attempts[-1]["response_code"] or attempts[-1]["error"]) if attempts else None


def _yes_or_no(is_so: bool) -> str:
    return "yes" if is_so else "no"


def _print(webhook: models.Webhook, *, as_json: bool) -> None:
    data = _data(webhook)
    print_fields(data if as_json else {**data, "enabled": _yes_or_no(webhook.enabled)}, as_json=as_json)


def _print_sent(delivery: models.Delivery, *, as_json: bool) -> None:
    if as_json:
        print_json(_sent(delivery))
    else:
        click.echo(f"{delivery.webhook_id}: delivery {delivery.number} ({delivery.event}) is {delivery.status}")


def _print_secret(made: models.WebhookWithSecret, *, as_json: bool) -> None:
    """The secret alone on standard output, so that it can be piped to where it is kept."""
    if as_json:
        print_json(_data(made))
        return
    click.echo(f"the secret of the webhook {made.webhook_id} is shown this once:", err=True)
    click.echo(made.secret)
