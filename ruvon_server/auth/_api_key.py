"""Recognising people and programs by an API key."""

import hmac
from typing import Final, final

from ruvon_server.auth._keys import Keys, secret_digest
from ruvon_server.auth._principal import Principal
from ruvon_server.auth._provider import Connection, token_of
from ruvon_server.auth._roles import Roles
from ruvon_server.problems import NotAuthenticatedError

__all__ = ["ApiKeyAuthenticator"]

_ADMIN: Final = Principal.admin("admin-key")


@final
class ApiKeyAuthenticator:
    """Says who asks by the header `Authorization: Bearer KEY` or `X-API-Key: KEY`.

    Args:
        keys: the keys of the store.
        roles: what their roles allow.
        admin_key: a key that is no record of the store and may do everything: with it the first keys are made.
    """

    def __init__(self, keys: Keys, roles: Roles, admin_key: str | None = None) -> None:
        self._keys = keys
        self._roles = roles
        self._admin = secret_digest(admin_key) if admin_key is not None else None

    async def authenticate(self, connection: Connection, /) -> Principal:
        """The one who has the key.

        Raises:
            NotAuthenticatedError: there is no key, or one that is unknown or has ended.
        """
        text = token_of(connection)
        if self._admin is not None and hmac.compare_digest(self._admin, secret_digest(text)):
            return _ADMIN
        found = await self._keys.recognise(text)
        if found is None:
            raise NotAuthenticatedError("the key is unknown or has ended; ask an administrator for another one")
        return Principal(
            name=f"key/{found.key_id}/{found.name}",
            roles=frozenset(found.roles),
            permissions=self._roles.permissions(found.roles) | set(found.permissions),
            owner_id=found.owner_id,
            org_id=found.org_id,
        )
