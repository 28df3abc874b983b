"""The operations of the keys room."""

from typing import Annotated, Any, Final, TypeAlias

from litestar import Request, Response
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter

from ruvon_server.auth import Permission, Principal
from ruvon_server.changes import REASON
from ruvon_server.models import keys as models
from ruvon_server.paging import DEFAULT_LIMIT, NUMBER, Cursor, Limit, Paging
from ruvon_server.rooms.keys.service import KeyService
from ruvon_server.routes import reads, writes

__all__ = ["HANDLERS"]

Service: TypeAlias = NamedDependency[KeyService]
Asker: TypeAlias = NamedDependency[Principal]
Asked: TypeAlias = Request[Principal, Any, Any]
Id: TypeAlias = Annotated[str, PathParameter(max_length=100, description="The id of a key.")]
_ONE: Final = ("key-not-found",)
_CHANGE: Final = ("beyond-own-rights", "keys-busy")
_LOCATION: Final = [
    ResponseHeader(name="Location", value="/api/v1/keys/...", description="Its path.", documentation_only=True)
]


def _made(found: models.KeyCreated) -> Response[models.KeyCreated]:
    return Response(found, status_code=201, headers={"Location": f"/api/v1/keys/{found.key_id}"})


@reads("/", name="list_keys", permission=Permission.KEYS_READ, problems=("bad-cursor",))
async def list_keys(
    service: Service, principal: Asker, pages: Paging, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> models.KeyPage:
    """List keys, newest first, also those that have ended."""
    (before,) = await pages.place(cursor, NUMBER) or (None,)
    items, left = await service.find(principal, limit, before)
    return models.KeyPage(items=items, next_cursor=await pages.cursor((left,) if left else None))


@writes(
    "/",
    name="create_key",
    permission=Permission.KEYS_WRITE,
    status_code=201,
    problems=("other-tenant", "unknown-role", "device-without-owner", *_CHANGE),
    response_headers=_LOCATION,
)
async def create_key(
    data: JSONBody[models.CreateKey], service: Service, principal: Asker, request: Asked
) -> Response[models.KeyCreated]:
    """Make a key. It is shown in this answer and never again; the store has only a checksum of it."""
    request.state[REASON] = data.reason
    return _made(await service.create(principal, data))


@reads("/{key_id:str}", name="get_key", permission=Permission.KEYS_READ, problems=_ONE)
async def get_key(key_id: Id, service: Service, principal: Asker) -> models.KeyInfo:
    """Show a key, without its secret."""
    return await service.show(principal, key_id)


@writes(
    "/{key_id:str}/rotate",
    name="rotate_key",
    permission=Permission.KEYS_WRITE,
    status_code=201,
    problems=(*_ONE, "key-ended", *_CHANGE),
    response_headers=_LOCATION,
)
async def rotate_key(
    key_id: Id, data: JSONBody[models.RotateKey], service: Service, principal: Asker, request: Asked
) -> Response[models.KeyCreated]:
    """Make a key that may do the same; the old one ends after `grace_s`."""
    request.state[REASON] = data.reason
    return _made(await service.rotate(principal, key_id, data))


@writes("/{key_id:str}/revoke", name="revoke_key", permission=Permission.KEYS_WRITE, problems=(*_ONE, *_CHANGE))
async def revoke_key(
    key_id: Id, data: JSONBody[models.RevokeKey], service: Service, principal: Asker, request: Asked
) -> models.KeyInfo:
    """End a key at once. A second time changes nothing."""
    request.state[REASON] = data.reason
    return await service.revoke(principal, key_id)


HANDLERS: Final[list[Any]] = [list_keys, create_key, get_key, rotate_key, revoke_key]
"""The operations of the room."""
