"""`Principal`: who asks."""

from dataclasses import dataclass
from typing import Final, final
from urllib.parse import quote

__all__ = ["EVERYTHING", "Principal"]

EVERYTHING: Final = "*"
"""In place of a permission: all of them."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who asks, what he may do, and whose workflows he may see."""

    name: str
    """What histories and audits call him."""
    person: str | None = None
    """What workflows call him, where that is another name."""
    roles: frozenset[str] = frozenset()
    """What he is: human tasks are for roles, too. What they allow is in `permissions`."""
    permissions: frozenset[str] = frozenset()
    """What he may do; `*` is everything."""
    owner_id: str | None = None
    """Only what this owner has; None: of all owners."""
    org_id: str | None = None
    """Only what this organisation has; None: of all organisations."""

    @classmethod
    def admin(cls, name: str) -> "Principal":
        """Somebody who may do everything with everything."""
        return cls(name=name, permissions=frozenset({EVERYTHING}))

    @property
    def is_admin(self) -> bool:
        """Whether he may do everything with whatever is there for him."""
        return EVERYTHING in self.permissions

    @property
    def is_limited(self) -> bool:
        """Whether only what one owner or organisation has is there for him."""
        return self.owner_id is not None or self.org_id is not None

    def may(self, permission: str) -> bool:
        """Whether he may do something."""
        return permission in self.permissions or self.is_admin

    def is_called(self, name: str) -> bool:
        """Whether a name of a workflow means him."""
        return name in (self.name, self.person)

    def sees(self, owner_id: str | None, org_id: str | None) -> bool:
        """Whether what an owner and an organisation have is there for him."""
        return self.owner_id in {None, owner_id} and self.org_id in {None, org_id}

    def narrowed(self, owner_id: str | None, org_id: str | None) -> "tuple[str | None, str | None] | None":
        """The owner and organisation to look for, where he asks for these; None where nothing of it is there for him."""
        owner = self.owner_id if owner_id is None else owner_id
        org = self.org_id if org_id is None else org_id
        return (owner, org) if self.sees(owner, org) else None

    def key(self, given: str | None) -> str | None:
        """An idempotency key as it is stored: those of two tenants never meet."""
        if given is None or (self.owner_id is None and self.org_id is None):
            return given
        return "/".join(quote(part, safe="") for part in (self.org_id or "", self.owner_id or "", given))
