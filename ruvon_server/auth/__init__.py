"""Who asks, and what he may do: principals, permissions, roles, keys and the providers that recognise people."""

from ruvon_server.auth._address import Addresses
from ruvon_server.auth._chosen import authenticator_of, roles_of
from ruvon_server.auth._guard import require_origin, require_permission
from ruvon_server.auth._keys import ApiKey, Keys
from ruvon_server.auth._limits import Buckets
from ruvon_server.auth._middleware import ADDRESS, STANDING, AuthMiddleware
from ruvon_server.auth._principal import Principal
from ruvon_server.auth._provider import Authenticator, Connection, DisabledAuthenticator
from ruvon_server.auth._roles import ROLES, STORE_WIDE, Roles
from ruvon_server.auth._standing import Standing
from ruvon_server.models.permissions import PUBLIC, Permission

__all__ = [
    "ADDRESS",
    "PUBLIC",
    "ROLES",
    "STANDING",
    "STORE_WIDE",
    "Addresses",
    "ApiKey",
    "AuthMiddleware",
    "Authenticator",
    "Buckets",
    "Connection",
    "DisabledAuthenticator",
    "Keys",
    "Permission",
    "Principal",
    "Roles",
    "Standing",
    "authenticator_of",
    "require_origin",
    "require_permission",
    "roles_of",
]
