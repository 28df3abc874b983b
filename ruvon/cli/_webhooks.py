"""`ruvon webhooks`: whom a server tells what happens to workflows, and what it has sent; only a server answers it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeVar

import rich_click as click

from ruvon.cli._bulk import span
from ruvon.cli._options import argument, option
from ruvon.cli._remotely import remotely, require_a_server

__all__ = ["webhooks"]

F = TypeVar("F", bound=Callable[..., Any])

_STATUSES: Final = ("pending", "delivered", "failed")
_JSON = option("--json", "as_json", is_flag=True, help="Print JSON.")
_REASON = option("--reason", default="", help="Why; `ruvon changes` tells it.")
_LIMIT = option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many, the newest."
)
_WEBHOOK = argument("webhook_id", metavar="WEBHOOK")


def _moment(_: click.Context, __: click.Parameter, value: str) -> datetime:
    """A moment with its zone, such as `2026-11-20T08:00:00Z`."""
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise click.BadParameter(f"`{value}` is no moment with a zone; write it like 2026-11-20T08:00:00Z")
    return found


def _wishes(command: F) -> F:
    """What a webhook is told; the command gets `events`, `workflow_types` and `description`."""
    for decorate in (
        option("--description", metavar="TEXT", help="What it is for."),
        option(
            "--type",
            "workflow_types",
            multiple=True,
            metavar="TYPE",
            help="Only of workflows of this type; repeatable.",
        ),
        option(
            "--event",
            "events",
            multiple=True,
            metavar="EVENT",
            help="An event, or a pattern such as workflow.* or *; repeatable. A new webhook without any has workflow.*.",
        ),
    ):
        command = decorate(command)
    return command


@click.group()
def webhooks() -> None:
    """Make, list, change and remove the webhooks of a server, and see what was sent.

    A new secret is printed once, and nobody can show it again. Keep it where secrets are kept.
    """


@webhooks.command("list")
@_LIMIT
@_JSON
@remotely("webhooks.list_")
def list_(**_: Any) -> None:
    """List the webhooks, newest first, without their secrets.

    Example: ruvon webhooks list --server https://flows.example.org
    """
    require_a_server()


@webhooks.command("show")
@_WEBHOOK
@_JSON
@remotely("webhooks.show")
def show(webhook_id: str, **_: Any) -> None:
    """Show a webhook, without its secrets.

    Example: ruvon webhooks show 5d41402abc4b2a76
    """
    del webhook_id
    require_a_server()


@webhooks.command("add")
@argument("url", metavar="URL")
@_wishes
@option("--owner", metavar="ID", help="Tell only of what this owner has.")
@option("--org", metavar="ID", help="Tell only of what this organisation has.")
@option("--disabled", is_flag=True, help="Send nothing until it is enabled.")
@_REASON
@_JSON
@remotely("webhooks.add")
def add(url: str, **_: Any) -> None:
    """Tell URL what happens from now on, and print the secret: this once.

    Example: ruvon webhooks add https://shop.example/hooks/ruvon --event 'workflow.*' --type Parcel
    """
    del url
    require_a_server()


@webhooks.command("update")
@_WEBHOOK
@option("--url", metavar="URL", help="Where events are sent to.")
@_wishes
@option("--all-types", is_flag=True, help="Of workflows of all types.")
@_REASON
@_JSON
@remotely("webhooks.update")
def update(webhook_id: str, **_: Any) -> None:
    """Change what is given; the rest stays.

    Example: ruvon webhooks update 5d41402abc4b2a76 --event workflow.failed --reason quieter
    """
    del webhook_id
    require_a_server()


@webhooks.command("enable")
@_WEBHOOK
@_REASON
@_JSON
@remotely("webhooks.enable")
def enable(webhook_id: str, **_: Any) -> None:
    """Send again, also what has waited.

    Example: ruvon webhooks enable 5d41402abc4b2a76 --reason "the shop is back"
    """
    del webhook_id
    require_a_server()


@webhooks.command("disable")
@_WEBHOOK
@_REASON
@_JSON
@remotely("webhooks.disable")
def disable(webhook_id: str, **_: Any) -> None:
    """Send nothing more; what waits is kept, and what happens meanwhile is never told.

    Example: ruvon webhooks disable 5d41402abc4b2a76 --reason "the shop moves"
    """
    del webhook_id
    require_a_server()


@webhooks.command("remove")
@_WEBHOOK
@remotely("webhooks.remove")
def remove(webhook_id: str) -> None:
    """Forget a webhook; what waits is not sent any more.

    Example: ruvon webhooks remove 5d41402abc4b2a76
    """
    del webhook_id
    require_a_server()


@webhooks.command("rotate")
@_WEBHOOK
@option(
    "--overlap",
    callback=span,
    metavar="SPAN",
    help="So long the old secret signs, too, such as 1h; 0s after a theft. Default: a day.",
)
@_REASON
@_JSON
@remotely("webhooks.rotate")
def rotate(webhook_id: str, **_: Any) -> None:
    """Make a new secret, and print it: this once.

    Example: ruvon webhooks rotate 5d41402abc4b2a76 --overlap 1h
    """
    del webhook_id
    require_a_server()


@webhooks.command("test")
@_WEBHOOK
@_JSON
@remotely("webhooks.test")
def test(webhook_id: str, **_: Any) -> None:
    """Send the event `webhook.test`.

    Example: ruvon webhooks test 5d41402abc4b2a76
    """
    del webhook_id
    require_a_server()


@webhooks.command("deliveries")
@_WEBHOOK
@option("--status", type=click.Choice(_STATUSES), help="Only deliveries that stand so.")
@_LIMIT
@_JSON
@remotely("webhooks.deliveries")
def deliveries(webhook_id: str, **_: Any) -> None:
    """List what was sent and what is to be, newest first; as JSON with every attempt.

    Example: ruvon webhooks deliveries 5d41402abc4b2a76 --status failed
    """
    del webhook_id
    require_a_server()


@webhooks.command("replay")
@_WEBHOOK
@argument("number", type=click.IntRange(min=1), metavar="NUMBER")
@_JSON
@remotely("webhooks.replay")
def replay(webhook_id: str, number: int, **_: Any) -> None:
    """Send a delivery again, under the same id of its event.

    Example: ruvon webhooks replay 5d41402abc4b2a76 17
    """
    del webhook_id, number
    require_a_server()


@webhooks.command("recover")
@_WEBHOOK
@option("--since", callback=_moment, required=True, metavar="TIME", help="From when on, such as 2026-11-20T08:00:00Z.")
@_REASON
@_JSON
@remotely("webhooks.recover")
def recover(webhook_id: str, **_: Any) -> None:
    """Send everything again that has failed since a moment, oldest first.

    Example: ruvon webhooks recover 5d41402abc4b2a76 --since 2026-11-20T08:00:00Z
    """
    del webhook_id
    require_a_server()
