"""The calls of the keys room."""

from ruvon_server.client._call import API, Call, asking, asking_named, json_of, part, query
from ruvon_server.models import keys as models

__all__ = ["create_key", "get_key", "list_keys", "revoke_key", "rotate_key"]

create_key = asking("create_key", "/keys", models.CreateKey, json_of(models.KeyCreated))
rotate_key = asking_named("rotate_key", "/keys/{}/rotate", models.RotateKey, json_of(models.KeyCreated))
revoke_key = asking_named("revoke_key", "/keys/{}/revoke", models.RevokeKey, json_of(models.KeyInfo))


def list_keys(*, limit: int | None = None, cursor: str | None = None) -> Call[models.KeyPage]:
    """A page of the keys, newest first, without their secrets."""
    name, wanted = "list_keys", query({"limit": limit, "cursor": cursor})
    return Call(name, "GET", f"{API}/keys", json_of(models.KeyPage), wanted, repeatable=True)


def get_key(key_id: str, /) -> Call[models.KeyInfo]:
    """A key, without its secret."""
    name = "get_key"
    return Call(name, "GET", f"{API}/keys/{part(name, key_id)}", json_of(models.KeyInfo), repeatable=True)
