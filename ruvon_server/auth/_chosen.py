"""The authentication provider that the settings choose."""

from pathlib import Path
from typing import Final, final
from urllib.parse import urlsplit

from ruvon.providers import Clock
from ruvon_server.auth._api_key import ApiKeyAuthenticator
from ruvon_server.auth._jwt import JwtAuthenticator, TokenRules
from ruvon_server.auth._key_set import KeySet
from ruvon_server.auth._keys import Keys
from ruvon_server.auth._principal import Principal
from ruvon_server.auth._provider import Authenticator, Connection, DisabledAuthenticator, token_of
from ruvon_server.auth._roles import Roles
from ruvon_server.settings import ServerSettings, ServerSettingsError, is_loopback

__all__ = ["authenticator_of", "roles_of"]

_PROVIDERS: Final = ("disabled", "api-key", "jwt")
_SHORTEST: Final = 32
"""So many characters an administrator's key has at least."""


@final
class _Both:
    """Keys and tokens beside each other: what begins like a token is one."""

    def __init__(self, by_key: Authenticator, by_token: Authenticator) -> None:
        self._by_key = by_key
        self._by_token = by_token

    async def authenticate(self, connection: Connection, /) -> Principal:
        """The one who asks."""
        is_token = token_of(connection).startswith("eyJ")  # `{"` in Base64
        return await (self._by_token if is_token else self._by_key).authenticate(connection)


def roles_of(settings: ServerSettings) -> Roles:
    """The roles of a server.

    Raises:
        ServerSettingsError: one of its own roles is none.
    """
    try:
        return Roles(settings.roles)
    except ValueError as exc:
        raise ServerSettingsError(f"the setting roles cannot be used: {exc}") from None


def authenticator_of(settings: ServerSettings, keys: Keys, roles: Roles, clock: Clock) -> Authenticator:
    """The provider of these settings.

    Raises:
        ServerSettingsError: there is none of this name, or what it needs is missing.
    """
    names = settings.providers
    unknown = sorted(names - set(_PROVIDERS))
    if unknown or ("disabled" in names and len(names) > 1):
        raise ServerSettingsError(
            f"there is no authentication provider `{settings.auth}`; it is one of: {', '.join(_PROVIDERS)}, or "
            "api-key,jwt for both"
        )
    if "disabled" in names:
        return DisabledAuthenticator(settings.cors_origins, settings.allowed_hosts)
    if "jwt" not in names:
        return ApiKeyAuthenticator(keys, roles, _admin_key(settings))
    by_token = _by_token(settings, roles, clock)
    if "api-key" not in names:
        return by_token
    return _Both(ApiKeyAuthenticator(keys, roles, _admin_key(settings)), by_token)


def _admin_key(settings: ServerSettings) -> str | None:
    """The administrator's key of the settings, or of the file that they name."""
    found = settings.admin_key.get_secret_value() if settings.admin_key is not None else None
    if settings.admin_key_file is not None:
        if found is not None:
            raise ServerSettingsError("both admin_key and admin_key_file are set; one of them is enough")
        try:
            found = Path(settings.admin_key_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as exc:
            raise ServerSettingsError(f"the administrator's key cannot be read: {exc}") from None
    if found is not None and (len(found) < _SHORTEST or not found.isascii() or not found.isprintable()):
        raise ServerSettingsError(
            f"the administrator's key has to be at least {_SHORTEST} printable ASCII characters that nobody can guess; "
            "`openssl rand -hex 32` prints some"
        )
    return found


def _by_token(settings: ServerSettings, roles: Roles, clock: Clock) -> Authenticator:
    if settings.jwt_issuer is None or settings.jwt_audience is None or settings.jwt_jwks is None:
        raise ServerSettingsError(
            "authentication by jwt needs the settings jwt_issuer, jwt_audience and jwt_jwks (RUVON_SERVER_JWT_...)"
        )
    place = urlsplit(settings.jwt_jwks)
    if "://" not in settings.jwt_jwks:
        if not Path(settings.jwt_jwks).is_file():
            raise ServerSettingsError(
                f"there is no file {settings.jwt_jwks} with the keys of the tokens' issuer (jwt_jwks)"
            )
    elif place.scheme != "https" and not (place.scheme == "http" and is_loopback(place.hostname or "")):
        raise ServerSettingsError(f"the keys of the tokens' issuer are read over https, not from {settings.jwt_jwks}")
    rules = TokenRules(
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        skew_s=settings.jwt_skew_s,
        roles_claim=settings.jwt_roles_claim,
        owner_claim=settings.jwt_owner_claim.strip("-"),
        org_claim=settings.jwt_org_claim.strip("-"),
    )
    return JwtAuthenticator(KeySet(settings.jwt_jwks, clock), rules, roles, clock)
