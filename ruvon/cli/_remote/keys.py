"""Who may ask a server, and who has changed what there: `ruvon keys`, `ruvon changes`."""

from datetime import timedelta
from itertools import islice
from typing import Any, Final

import rich_click as click

from ruvon.cli._output import print_json, print_table
from ruvon.cli._remote.shown import PAGE, at, maybe, print_fields, seconds
from ruvon.cli._remotely import Place
from ruvon_server.models import keys as models

__all__ = ["changes", "create", "list_", "revoke", "rotate", "show"]

_COLUMNS: Final = ("key_id", "name", "status", "roles", "owner_id", "org_id", "expires_at", "used_at")
_MOMENTS: Final = ("created_at", "expires_at", "revoked_at", "used_at")


def list_(place: Place, *, limit: int, as_json: bool) -> None:
    """`ruvon keys list`."""
    rows = [_data(item) for item in islice(place.client.each_key(limit=min(limit, PAGE)), limit)]
    if as_json:
        print_json(rows)
    else:
        print_table([{**row, "roles": ",".join(row["roles"]) or None} for row in rows], _COLUMNS)


def show(place: Place, key_id: str, *, as_json: bool) -> None:
    """`ruvon keys show`."""
    _print(place.client.get_key(key_id), as_json=as_json)


def create(
    place: Place,
    name: str,
    *,
    roles: tuple[str, ...],
    permissions: tuple[str, ...],
    owner: str | None,
    org: str | None,
    expires: timedelta | None,
    reason: str,
    as_json: bool,
) -> None:
    """`ruvon keys create`."""
    wanted: dict[str, Any] = {
        "name": name,
        "roles": list(roles),
        "permissions": list(permissions),
        "owner_id": owner,
        "org_id": org,
        "expires_in_s": seconds(expires),
        "reason": reason or None,
    }
    _print_new(place.client.create_key(**wanted), as_json=as_json)


def rotate(
    place: Place, key_id: str, *, grace: timedelta | None, expires: timedelta | None, reason: str, as_json: bool
) -> None:
    """`ruvon keys rotate`."""
    made = place.client.rotate_key(
        key_id, grace_s=seconds(grace) or 0, expires_in_s=seconds(expires), reason=reason or None
    )
    _print_new(made, as_json=as_json)


def revoke(place: Place, key_id: str, *, reason: str, as_json: bool) -> None:
    """`ruvon keys revoke`."""
    _print(place.client.revoke_key(key_id, reason=reason or None), as_json=as_json)


def changes(place: Place, *, limit: int, as_json: bool) -> None:
    """`ruvon changes`."""
    rows = [
        {**item.model_dump(mode="json"), "at": at(item.at)} for item in place.client.list_changes(limit=limit).items
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, ("at", "operation", "path", "status", "actor", "address", "reason"))


def _data(key: models.KeyInfo) -> dict[str, Any]:
    return {**key.model_dump(mode="json"), **{name: maybe(getattr(key, name)) for name in _MOMENTS}}


def _print(key: models.KeyInfo, *, as_json: bool) -> None:
    print_fields(_data(key), as_json=as_json)


def _print_new(made: models.KeyCreated, *, as_json: bool) -> None:
    """The key alone on standard output, so that it can be piped to where it is kept."""
    if as_json:
        print_json(_data(made))
        return
    click.echo(f"the key {made.key_id} is shown this once:", err=True)
    click.echo(made.key)
