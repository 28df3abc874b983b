"""Looking whether the store answers."""

import asyncio
import logging
from typing import Final, final

from prometheus_client import CollectorRegistry, generate_latest

from ruvon.builder import WorkflowBuilder
from ruvon.providers import InstanceFilter
from ruvon_server.documents import ruvon_version
from ruvon_server.models.health import Health, Readiness

__all__ = ["HealthService"]

_LOGGER: Final = logging.getLogger("ruvon.server")
_PATIENCE_S: Final = 2.0


@final
class HealthService:
    """Says how the server is.

    Args:
        builder: has the store.
        registry: has the numbers of this process.
    """

    def __init__(self, builder: WorkflowBuilder, registry: CollectorRegistry) -> None:
        self._store = builder.persistence
        self._registry = registry

    def health(self) -> Health:
        """That the process answers."""
        return Health(version=ruvon_version())

    def metrics(self) -> bytes:
        """The numbers of this process in the text form of Prometheus."""
        return generate_latest(self._registry)

    async def readiness(self) -> Readiness:
        """Whether the store answers within two seconds."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._store.find_instances(InstanceFilter(), limit=1)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the store does not answer; the log says why
            _LOGGER.warning("the store does not answer: %s", str(exc) or type(exc).__name__)
            return Readiness(status="not ready", store="away")
        return Readiness(status="ready", store="ok")
