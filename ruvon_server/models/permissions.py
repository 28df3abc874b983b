"""The permissions: one for each thing that somebody may be allowed to do."""

from enum import StrEnum
from typing import Final

__all__ = ["PUBLIC", "Permission"]

PUBLIC: Final = "public"
"""In place of a permission: everybody may, whoever he is."""


class Permission(StrEnum):
    """What a handler asks of whoever calls it."""

    WORKFLOWS_READ = "workflows:read"
    """See workflows, their state, history and numbers."""
    WORKFLOWS_START = "workflows:start"
    """Make new ones."""
    WORKFLOWS_RUN = "workflows:run"
    """Let them go on: next step, answers, signals."""
    WORKFLOWS_CANCEL = "workflows:cancel"
    """End them."""
    WORKFLOWS_REPAIR = "workflows:repair"
    """Retry, rewind, fork, jump, migrate."""
    WORKFLOWS_BULK = "workflows:bulk"
    """Do one thing with many of them."""
    DEFINITIONS_READ = "definitions:read"
    """See definitions, their versions and pictures."""
    DEFINITIONS_WRITE = "definitions:write"
    """Upload definitions."""
    SCHEDULES_READ = "schedules:read"
    """See schedules."""
    SCHEDULES_WRITE = "schedules:write"
    """Add, change, pause and remove them."""
    QUEUES_READ = "queues:read"
    """See workers and queues."""
    QUEUES_WRITE = "queues:write"
    """Set and lift the limits of queues."""
    CUSTOM_USE = "custom:use"
    """Use routes that were added by settings or plugins and that ask for nothing else."""
    METRICS_READ = "metrics:read"
    """Read the numbers of the server."""
    WEBHOOKS_READ = "webhooks:read"
    """See webhooks, without their secrets, and what was sent."""
    WEBHOOKS_WRITE = "webhooks:write"
    """Make, change, test, replay and delete them."""
    KEYS_READ = "keys:read"
    """See API keys, without their secrets."""
    KEYS_WRITE = "keys:write"
    """Make, rotate and revoke them; never ones that may do more than oneself."""
    CHANGES_READ = "changes:read"
    """See who has changed what beside workflows."""
