"""`ruvon keys` and `ruvon changes`: who may ask a server, and who has changed what there; only a server answers them."""

from typing import Any

import rich_click as click

from ruvon.cli._bulk import span
from ruvon.cli._options import argument, option
from ruvon.cli._remotely import remotely, require_a_server

__all__ = ["changes", "keys"]

_JSON = option("--json", "as_json", is_flag=True, help="Print JSON.")
_REASON = option("--reason", default="", help="Why; `ruvon changes` tells it.")
_EXPIRES = option(
    "--expires",
    callback=span,
    metavar="SPAN",
    help="So long the new key is recognised, such as 90d; default: for ever.",
)


@click.group()
def keys() -> None:
    """Make, list, rotate and revoke the API keys of a server.

    A new key is printed once, and nobody can show it again. Keep it where secrets are kept, and give it to commands as the
    variable RUVON_API_KEY.
    """


@keys.command("list")
@option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many, the newest.")
@_JSON
@remotely("keys.list_")
def list_(**_: Any) -> None:
    """List the keys, newest first, without their secrets.

    Example: ruvon keys list --server https://flows.example.org
    """
    require_a_server()


@keys.command("show")
@argument("key_id", metavar="KEY")
@_JSON
@remotely("keys.show")
def show(key_id: str, **_: Any) -> None:
    """Show a key, without its secret.

    Example: ruvon keys show 5d41402abc4b2a76
    """
    del key_id
    require_a_server()


@keys.command("create")
@argument("name")
@option("--role", "roles", multiple=True, metavar="ROLE", help="What it may do: admin, operator, viewer, device, ...")
@option("--permission", "permissions", multiple=True, metavar="NAME", help="What it may do besides.")
@option("--owner", metavar="ID", help="Only for what this owner has.")
@option("--org", metavar="ID", help="Only for what this organisation has.")
@_EXPIRES
@_REASON
@_JSON
@remotely("keys.create")
def create(name: str, **_: Any) -> None:
    """Make a key, and print it: this once.

    Example: ruvon keys create billing --role operator --org acme --expires 90d
    """
    del name
    require_a_server()


@keys.command("rotate")
@argument("key_id", metavar="KEY")
@option("--grace", callback=span, metavar="SPAN", help="So long the old one still is recognised, such as 1h.")
@_EXPIRES
@_REASON
@_JSON
@remotely("keys.rotate")
def rotate(key_id: str, **_: Any) -> None:
    """Make a key in the place of another one, and print it: this once.

    Example: ruvon keys rotate 5d41402abc4b2a76 --grace 1h
    """
    del key_id
    require_a_server()


@keys.command("revoke")
@argument("key_id", metavar="KEY")
@_REASON
@_JSON
@remotely("keys.revoke")
def revoke(key_id: str, **_: Any) -> None:
    """End a key at once; a second time changes nothing.

    Example: ruvon keys revoke 5d41402abc4b2a76 --reason "the laptop was lost"
    """
    del key_id
    require_a_server()


@click.command()
@option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="At most so many, the newest.")
@_JSON
@remotely("keys.changes")
def changes(**_: Any) -> None:
    """Tell who has changed keys, definitions and whatever else of a server is no run, newest first.

    Example: ruvon changes --server https://flows.example.org
    """
    require_a_server()
