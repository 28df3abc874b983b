"""Who asks, and what he may do: principals, permissions and the providers that recognise people."""

from ruvon_server.auth._guard import require_origin, require_permission
from ruvon_server.auth._middleware import AuthMiddleware
from ruvon_server.auth._permissions import PUBLIC, Permission
from ruvon_server.auth._principal import Principal
from ruvon_server.auth._provider import Authenticator, DisabledAuthenticator, authenticator_named

__all__ = [
    "PUBLIC",
    "AuthMiddleware",
    "Authenticator",
    "DisabledAuthenticator",
    "Permission",
    "Principal",
    "authenticator_named",
    "require_origin",
    "require_permission",
]
