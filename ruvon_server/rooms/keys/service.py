"""What the keys room does."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Literal, final

from ruvon.providers import Clock
from ruvon_server.auth import ApiKey, Keys, Principal, Roles
from ruvon_server.models import keys as models
from ruvon_server.problems import BeyondOwnRightsError, DeviceWithoutOwnerError, KeyNotFoundError, OtherTenantError
from ruvon_server.shown import moment

__all__ = ["KeyService"]

_SECOND_US: Final = 1_000_000
_DEVICE: Final = "device"


@final
class KeyService:
    """Makes, lists, rotates and revokes keys.

    A key of another tenant is not there for whoever asks, and nobody makes, rotates or revokes one that may do more than
    he himself.

    Args:
        keys: the keys of the store.
        roles: what roles allow.
        clock: says which have expired.
    """

    def __init__(self, keys: Keys, roles: Roles, clock: Clock) -> None:
        self._keys = keys
        self._roles = roles
        self._clock = clock

    async def create(self, principal: Principal, wanted: models.CreateKey) -> models.KeyCreated:
        """Make a key.

        Raises:
            OtherTenantError: it would belong to somebody else.
            UnknownRoleError: there is no such role.
            DeviceWithoutOwnerError: a device that belongs to nobody.
            BeyondOwnRightsError: it could do more than whoever makes it.
        """
        whose = principal.narrowed(wanted.owner_id, wanted.org_id)
        if whose is None:
            raise OtherTenantError
        self._roles.require(wanted.roles)
        if _DEVICE in wanted.roles and whose[0] is None:
            raise DeviceWithoutOwnerError
        self._require_within(principal, wanted.roles, map(str, wanted.permissions))
        made, text = await self._keys.create(
            name=wanted.name,
            roles=tuple(dict.fromkeys(wanted.roles)),
            permissions=tuple(dict.fromkeys(map(str, wanted.permissions))),
            owner_id=whose[0],
            org_id=whose[1],
            created_by=principal.name,
            expires_us=self._end_us(wanted.expires_in_s),
        )
        return await self._created(made, text)

    async def find(self, principal: Principal, limit: int, before: int | None) -> tuple[list[models.KeyInfo], int]:
        """A page of the keys that are there for whoever asks, newest first, and how many come behind it."""
        seen = [item for item in await self._keys.find() if principal.sees(item["owner_id"], item["org_id"])]
        before = len(seen) if before is None else min(before, len(seen))
        first = max(before - limit, 0)
        items = [await self._info(await self._keys.get(item["key_id"])) for item in reversed(seen[first:before])]
        return items, first

    async def show(self, principal: Principal, key_id: str) -> models.KeyInfo:
        """A key."""
        return await self._info(await self._key(principal, key_id))

    async def rotate(self, principal: Principal, key_id: str, wanted: models.RotateKey) -> models.KeyCreated:
        """Make a key in the place of another one, which ends.

        Raises:
            KeyEndedError: the old one has ended, or was rotated before.
            BeyondOwnRightsError: it can do more than whoever asks.
        """
        old = await self._key(principal, key_id)
        self._require_within(principal, old.roles, old.permissions)
        made, text = await self._keys.rotate(
            key_id,
            created_by=principal.name,
            expires_us=self._end_us(wanted.expires_in_s),
            grace_us=wanted.grace_s * _SECOND_US,
        )
        return await self._created(made, text)

    async def revoke(self, principal: Principal, key_id: str) -> models.KeyInfo:
        """End a key at once; a second time changes nothing.

        Raises:
            BeyondOwnRightsError: it can do more than whoever asks.
        """
        found = await self._key(principal, key_id)
        self._require_within(principal, found.roles, found.permissions)
        return await self._info(await self._keys.revoke(key_id))

    async def _key(self, principal: Principal, key_id: str) -> ApiKey:
        found = await self._keys.get(key_id)
        if not principal.sees(found.owner_id, found.org_id):
            raise KeyNotFoundError(key_id)
        return found

    def _require_within(self, principal: Principal, roles: Iterable[str], permissions: Iterable[str]) -> None:
        named = set(roles)
        for role in sorted(named - principal.roles if not principal.is_admin else ()):
            raise BeyondOwnRightsError(role=role)
        for permission in sorted(self._roles.permissions(named) | set(permissions)):
            if not principal.may(permission):
                raise BeyondOwnRightsError(permission)

    def _end_us(self, lifetime_s: int | None) -> int | None:
        return None if lifetime_s is None else self._clock.now_us() + lifetime_s * _SECOND_US

    async def _created(self, key: ApiKey, text: str) -> models.KeyCreated:
        return models.KeyCreated(**(await self._info(key)).model_dump(), key=text)

    async def _info(self, key: ApiKey) -> models.KeyInfo:
        used_us = await self._keys.used_us(key.key_id)
        return models.KeyInfo(
            key_id=key.key_id,
            prefix=key.prefix,
            name=key.name,
            status=_status(key, self._clock.now_us()),
            roles=list(key.roles),
            permissions=list(key.permissions),
            owner_id=key.owner_id,
            org_id=key.org_id,
            created_at=moment(key.created_us),
            created_by=key.created_by,
            expires_at=_moment(key.expires_us),
            revoked_at=_moment(key.revoked_us),
            used_at=_moment(used_us),
            replaced_by=key.replaced_by,
        )


def _status(key: ApiKey, now_us: int) -> Literal["valid", "expired", "revoked"]:
    if key.revoked_us is not None:
        return "revoked"
    return "valid" if key.is_valid(now_us) else "expired"


def _moment(moment_us: int | None) -> datetime | None:
    return None if moment_us is None else moment(moment_us)
