"""Pages of long lists: their limits, and cursors that say nothing to whoever has them.

A cursor is the place of the last row of a page in the order of the list, so rows that are added or taken away meanwhile move
nothing. A place may hold the store's own numbers, by which one tenant could count what others do; so it is encrypted, with
a key that the store keeps for all of its servers (AES-SIV, RFC 5297, which also tells whether somebody has made or changed
it). The list and the tenant that it was given for are sealed in: for others it is none.
"""

import asyncio
import base64
import binascii
from dataclasses import dataclass
from typing import Annotated, Final, TypeAlias, TypeVar, final

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from litestar.types import Scope
from pydantic import TypeAdapter, ValidationError

from ruvon.providers import Clock, IdSource, PersistenceProvider
from ruvon_server.auth import Principal
from ruvon_server.problems import BadCursorError
from ruvon_server.stored import Documents
from ruvon_server.turns import turn

__all__ = ["DEFAULT_LIMIT", "NUMBER", "PAIR", "Cursor", "Cursors", "Limit", "Pages", "Paging", "Place"]

T = TypeVar("T")
DEFAULT_LIMIT: Final = 50
MOST: Final = 500
_LONGEST: Final = 4_000
_KEY: Final = "ruvon.server.cursors"
_KEY_BYTES: Final = 32
_TURN: Final = "cursors"
_BLOCK: Final = 32
"""Places are filled up to a multiple of so many bytes, so that cursors do not tell by their length how large numbers are."""

Limit = Annotated[int, QueryParameter(ge=1, le=MOST, description=f"At most so many, up to {MOST}.")]
Cursor = Annotated[
    str | None, QueryParameter(max_length=_LONGEST, description="The `next_cursor` of the page before this one.")
]
Place: TypeAlias = tuple[int | str, ...]
"""Where a list goes on."""
NUMBER: Final = TypeAdapter(tuple[int])
"""Reads places that are a number."""
PAIR: Final = TypeAdapter(tuple[int, int])
"""Reads places that are a moment and a number."""


@final
class Cursors:
    """Makes and reads the cursors of one store.

    Args:
        store: keeps the key.
        clock: says how long to wait for another server that makes it.
        ids: makes it.
    """

    def __init__(self, store: PersistenceProvider, clock: Clock, ids: IdSource) -> None:
        self._store = store
        self._documents = Documents(store)
        self._clock = clock
        self._ids = ids
        self._lock = asyncio.Lock()
        self._cipher: AESSIV | None = None

    def pages(self, scope: Scope) -> "Pages":
        """The cursors of the list that a request asks for, as whoever asks sees it."""
        principal: object = dict(scope).get("user")
        whose = (principal.owner_id, principal.org_id) if isinstance(principal, Principal) else ()
        of = [str(value) for _, value in sorted(scope["path_params"].items())]
        return Pages(self, orjson.dumps([getattr(scope["route_handler"], "operation_id", None), of, whose]))

    async def seal(self, place: Place, about: bytes) -> str:
        """The cursor of a place in a list."""
        text = orjson.dumps(place)
        padded = text.ljust(-(-len(text) // _BLOCK) * _BLOCK)
        sealed = (await self._ready()).encrypt(padded, [about])
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    async def open(self, cursor: str, about: bytes) -> bytes:
        """The place of a cursor, as JSON.

        Raises:
            BadCursorError: it is none of this list.
        """
        try:
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            return (await self._ready()).decrypt(sealed, [about])
        except (binascii.Error, InvalidTag, ValueError):
            raise BadCursorError from None

    async def _ready(self) -> AESSIV:
        async with self._lock:
            if self._cipher is None:
                self._cipher = AESSIV(base64.b64decode(await self._key()))
            return self._cipher

    async def _key(self) -> str:
        """The key of the store; the first server that needs it makes it."""
        found = await self._documents.get(_KEY)
        if found is None:
            async with turn(self._store, self._clock, _TURN):
                found = await self._documents.get(_KEY)
                if found is None:
                    found = {"key": base64.b64encode(self._ids.token(_KEY_BYTES)).decode()}
                    await self._documents.put(_KEY, found)
        return str(found["key"])


@final
@dataclass(frozen=True, slots=True)
class Pages:
    """The cursors of one list, as one tenant sees it."""

    _cursors: Cursors
    _about: bytes

    async def place(self, cursor: str | None, kind: TypeAdapter[T]) -> T | None:
        """The place that a cursor stands for; None without one.

        Args:
            cursor: what the page before has given.
            kind: reads what places of this list are, such as `PAIR`.

        Raises:
            BadCursorError: it is none of this list.
        """
        if cursor is None:
            return None
        found = await self._cursors.open(cursor, self._about)
        try:
            place: T = kind.validate_json(found)
        except ValidationError:
            raise BadCursorError from None
        return place

    async def cursor(self, place: Place | None) -> str | None:
        """The cursor behind a place; None on the last page."""
        return await self._cursors.seal(place, self._about) if place is not None else None


Paging: TypeAlias = NamedDependency[Pages]
"""What handlers of lists ask for, under the name `pages`."""
