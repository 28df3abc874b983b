"""API keys and where they are kept: what is needed to recognise them, never the keys themselves.

A key is 256 random bits behind a prefix by which it is looked up. Of a secret that nobody chose one round of SHA-256 is
guard enough: there is nothing to guess. A record is changed by one process at a time; the moment of the last use, which
many write, lies in a record of its own, so that it never brings back what a revocation has ended.
"""

import asyncio
import base64
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, final

from ruvon.providers import Clock, IdSource, PersistenceProvider
from ruvon_server.problems import KeyEndedError, KeyNotFoundError, KeysBusyError
from ruvon_server.stored import Documents

__all__ = ["ApiKey", "Keys", "secret_digest"]

_PREFIX: Final = "ruvon_"
_ID_BYTES: Final = 8
_SECRET_BYTES: Final = 32
_LONGEST: Final = 200
_RECORD: Final = "ruvon.server.key."
_INDEX: Final = "ruvon.server.keys"
_DUTY: Final = "ruvon.server.keys"
_TRIES: Final = 100
_PAUSE_US: Final = 20_000
_USE_EVERY_US: Final = 60_000_000
"""The moment of the last use is written once in so long."""
_KNOWN: Final = 10_000


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """What is kept of a key."""

    key_id: str
    name: str
    digest: str
    """SHA-256 of its secret part, in hexadecimal digits."""
    roles: tuple[str, ...]
    permissions: tuple[str, ...]
    """What it allows beside its roles."""
    owner_id: str | None
    org_id: str | None
    created_us: int
    created_by: str
    expires_us: int | None
    revoked_us: int | None = None
    replaced_by: str | None = None
    """The key that was made in its place."""

    @property
    def prefix(self) -> str:
        """What the key begins with: by this people know it again."""
        return f"{_PREFIX}{self.key_id}"

    def is_valid(self, now_us: int) -> bool:
        """Whether it is recognised at a moment."""
        return self.revoked_us is None and (self.expires_us is None or now_us < self.expires_us)


def secret_digest(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


@final
class Keys:
    """The keys of one store.

    Args:
        store: keeps them.
        clock: says when they end.
        ids: makes them.
    """

    def __init__(self, store: PersistenceProvider, clock: Clock, ids: IdSource) -> None:
        self._store = store
        self._documents = Documents(store)
        self._clock = clock
        self._ids = ids
        self._lock = asyncio.Lock()
        self._used: OrderedDict[str, int] = OrderedDict()

    async def recognise(self, text: str) -> ApiKey | None:
        """The key that a text is; None where it is none, or one that has ended. Its use is noted."""
        key_id, _, secret = text.removeprefix(_PREFIX).partition("_")
        if not self.is_one(text) or len(text) > _LONGEST or not _is_id(key_id):
            return None
        found = await self._load(key_id)
        now_us = self._clock.now_us()
        if found is None or not hmac.compare_digest(found.digest, secret_digest(secret)) or not found.is_valid(now_us):
            return None
        await self._note_use(key_id, now_us)
        return found

    @staticmethod
    def is_one(text: str) -> bool:
        """Whether a text looks like a key of ours."""
        return text.startswith(_PREFIX)

    async def find(self) -> list[dict[str, Any]]:
        """The ids of all keys with their owners and organisations, oldest first."""
        found: list[dict[str, Any]] = (await self._documents.get(_INDEX) or {"keys": []})["keys"]
        return found

    async def get(self, key_id: str) -> ApiKey:
        """A key.

        Raises:
            KeyNotFoundError: there is none.
        """
        found = await self._load(key_id) if _is_id(key_id) else None
        if found is None:
            raise KeyNotFoundError(key_id)
        return found

    async def used_us(self, key_id: str) -> int | None:
        """When it was used last, to the minute."""
        found = await self._documents.get(f"{_RECORD}{key_id}.used")
        return None if found is None else int(found["used_us"])

    async def create(
        self,
        *,
        name: str,
        roles: tuple[str, ...],
        permissions: tuple[str, ...],
        owner_id: str | None,
        org_id: str | None,
        created_by: str,
        expires_us: int | None,
    ) -> tuple[ApiKey, str]:
        """Make a key; what is kept of it, and the key itself, which is never seen again."""
        secret = base64.urlsafe_b64encode(self._ids.token(_SECRET_BYTES)).decode().rstrip("=")
        made = ApiKey(
            key_id=self._ids.token(_ID_BYTES).hex(),
            name=name,
            digest=secret_digest(secret),
            roles=roles,
            permissions=permissions,
            owner_id=owner_id,
            org_id=org_id,
            created_us=self._clock.now_us(),
            created_by=created_by,
            expires_us=expires_us,
        )
        async with self._turn():
            await self._add(made)
        return made, f"{made.prefix}_{secret}"

    async def rotate(
        self, key_id: str, *, created_by: str, expires_us: int | None, grace_us: int
    ) -> tuple[ApiKey, str]:
        """Make a key that may do the same; the old one ends after a while.

        Raises:
            KeyNotFoundError: there is none.
            KeyEndedError: it has ended, or has been rotated before.
        """
        secret = base64.urlsafe_b64encode(self._ids.token(_SECRET_BYTES)).decode().rstrip("=")
        async with self._turn():
            old, now_us = await self.get(key_id), self._clock.now_us()
            if not old.is_valid(now_us) or old.replaced_by is not None:
                raise KeyEndedError(key_id)
            made = replace(
                old,
                key_id=self._ids.token(_ID_BYTES).hex(),
                digest=secret_digest(secret),
                created_us=now_us,
                created_by=created_by,
                expires_us=expires_us,
            )
            await self._add(made)
            ends_us = now_us + grace_us if old.expires_us is None else min(old.expires_us, now_us + grace_us)
            await self._save(replace(old, expires_us=ends_us, replaced_by=made.key_id))
        return made, f"{made.prefix}_{secret}"

    async def revoke(self, key_id: str) -> ApiKey:
        """End a key at once; one that was revoked stays as it is.

        Raises:
            KeyNotFoundError: there is none.
        """
        async with self._turn():
            found = await self.get(key_id)
            if found.revoked_us is None:
                found = replace(found, revoked_us=self._clock.now_us())
                await self._save(found)
        return found

    async def _add(self, made: ApiKey) -> None:
        """Write a new record, then its place in the list."""
        await self._save(made)
        known = await self.find()
        entry = {"key_id": made.key_id, "owner_id": made.owner_id, "org_id": made.org_id}
        await self._documents.put(_INDEX, {"keys": [*known, entry]})

    async def _save(self, key: ApiKey) -> None:
        await self._documents.put(f"{_RECORD}{key.key_id}", {"key": asdict(key)})

    async def _load(self, key_id: str) -> ApiKey | None:
        found = await self._documents.get(f"{_RECORD}{key_id}")
        if found is None:
            return None
        values: dict[str, Any] = dict(found["key"])
        values["roles"], values["permissions"] = tuple(values["roles"]), tuple(values["permissions"])
        return ApiKey(**values)

    async def _note_use(self, key_id: str, now_us: int) -> None:
        if now_us - self._used.get(key_id, 0) < _USE_EVERY_US:
            return
        self._used[key_id] = now_us
        self._used.move_to_end(key_id)
        if len(self._used) > _KNOWN:
            self._used.popitem(last=False)
        await self._documents.put(f"{_RECORD}{key_id}.used", {"used_us": now_us})

    @asynccontextmanager
    async def _turn(self) -> AsyncGenerator[None, None]:
        """The right to change keys: of all processes of the store one has it.

        Raises:
            KeysBusyError: another process has it for long.
        """
        async with self._lock:
            for _ in range(_TRIES):
                duty = await self._store.take_duty(_DUTY)
                if duty is not None:
                    break
                await self._clock.sleep_us(_PAUSE_US)
            else:
                raise KeysBusyError
            try:
                yield
            finally:
                await duty.release()


def _is_id(text: str) -> bool:
    return len(text) == 2 * _ID_BYTES and not set(text) - set("0123456789abcdef")
