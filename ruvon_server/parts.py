"""What the rooms are built from: the parts of one server."""

from dataclasses import dataclass
from typing import final

from prometheus_client import CollectorRegistry

from ruvon.builder import WorkflowBuilder
from ruvon_server.auth import Keys, Roles
from ruvon_server.drives import Drives
from ruvon_server.feed import Feed
from ruvon_server.settings import ServerSettings
from ruvon_server.uploads import Uploads
from ruvon_server.webhooks._relay import Webhooks

__all__ = ["Parts"]


@final
@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one server; rooms make their services of them."""

    settings: ServerSettings
    builder: WorkflowBuilder
    drives: Drives
    uploads: Uploads
    feed: Feed
    """What changes in the store, for event streams."""
    keys: Keys
    roles: Roles
    webhooks: Webhooks
    registry: CollectorRegistry
    """The numbers of this process."""
