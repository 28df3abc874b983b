"""Roles: sets of permissions with a name."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, final

from ruvon_server.auth._principal import EVERYTHING
from ruvon_server.models.permissions import Permission
from ruvon_server.problems import UnknownRoleError

__all__ = ["ROLES", "STORE_WIDE", "Roles"]

_VIEWER: Final = frozenset(
    {
        Permission.WORKFLOWS_READ,
        Permission.DEFINITIONS_READ,
        Permission.METRICS_READ,
        Permission.SCHEDULES_READ,
        Permission.QUEUES_READ,
        Permission.WEBHOOKS_READ,
        Permission.CUSTOM_USE,
    }
)
_OPERATOR: Final = _VIEWER | {
    Permission.WORKFLOWS_START,
    Permission.WORKFLOWS_RUN,
    Permission.WORKFLOWS_CANCEL,
    Permission.WORKFLOWS_REPAIR,
    Permission.WORKFLOWS_BULK,
    Permission.SCHEDULES_WRITE,
    Permission.QUEUES_WRITE,
    Permission.WEBHOOKS_WRITE,
}
_DEVICE: Final = frozenset(
    {
        Permission.WORKFLOWS_READ,
        Permission.WORKFLOWS_START,
        Permission.WORKFLOWS_RUN,
        Permission.DEFINITIONS_READ,
    }
)

ROLES: Final[Mapping[str, frozenset[str]]] = {
    "admin": frozenset({EVERYTHING}),
    "operator": frozenset(map(str, _OPERATOR)),
    "viewer": frozenset(map(str, _VIEWER)),
    "device": frozenset(map(str, _DEVICE)),
}
"""The roles that every server has."""

DEVICE: Final = "device"
"""The role that always belongs to one owner."""

STORE_WIDE: Final = frozenset(
    {
        Permission.DEFINITIONS_WRITE,
        Permission.QUEUES_READ,
        Permission.QUEUES_WRITE,
        Permission.METRICS_READ,
        Permission.CHANGES_READ,
    }
)
"""What reaches beyond any tenant: only for whoever is limited to none."""


@final
class Roles:
    """The roles of a server: the built-in ones, and those of its settings.

    Args:
        custom: further roles, as `name=permission+permission`.

    Raises:
        ValueError: one of them is written in another way, has the name of another role or names no permission.
    """

    def __init__(self, custom: Sequence[str] = ()) -> None:
        self._roles = dict(ROLES)
        for text in custom:
            name, _, listed = text.partition("=")
            permissions = frozenset(item.strip() for item in listed.split("+") if item.strip())
            self._require(name.strip(), permissions)
            self._roles[name.strip()] = permissions

    def permissions(self, names: Iterable[str]) -> frozenset[str]:
        """What roles allow together; a role that is not there (any more) allows nothing."""
        return frozenset[str]().union(*(self._roles.get(name, frozenset()) for name in names))

    def require(self, names: Iterable[str]) -> None:
        """Refuse names that no role has.

        Raises:
            UnknownRoleError: there is no such role.
        """
        for name in names:
            if name not in self._roles:
                raise UnknownRoleError(name, sorted(self._roles))

    def _require(self, name: str, permissions: frozenset[str]) -> None:
        if not name or not permissions:
            raise ValueError(
                "a role is written name=permission+permission, such as auditor=workflows:read+changes:read"
            )
        if name in self._roles:
            raise ValueError(f"there is a role {name} already; give yours another name")
        unknown = sorted(permissions - set(Permission))
        if unknown:
            raise ValueError(f"{unknown[0]} is no permission; they are {', '.join(sorted(Permission))}")
