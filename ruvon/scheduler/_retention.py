"""The end of old runs: ended instances are deleted when they are older than their type is kept."""

from collections.abc import Callable
from typing import Final, final

from ruvon._registrations import Registration
from ruvon.engine import UnknownWorkflowTypeError
from ruvon.providers import Clock, EngineStore

__all__ = ["Retention"]

_BATCH: Final = 100
"""Instances deleted in one transaction, so that no commit of a running workflow waits long."""


@final
class Retention:
    """Deletes ended instances in small batches.

    Args:
        store: where they lie.
        clock: what time it is.
        registered: how long a type is kept by its own registration.
        default_us: how long the others are kept; None keeps them for ever.
    """

    def __init__(
        self, store: EngineStore, clock: Clock, registered: Callable[[str], Registration], default_us: int | None
    ) -> None:
        self._store = store
        self._clock = clock
        self._registered = registered
        self._default_us = default_us

    async def sweep(self) -> int:
        """Delete everything that is old enough; how many instances."""
        counted = await self._store.count_by_definition(None)
        gone = 0
        for workflow_type in sorted({row[1] for row in counted if row[4]}):
            kept_us = self._kept_us(workflow_type)
            if kept_us is not None:
                gone += await self._delete(workflow_type, self._clock.now_us() - kept_us)
        return gone

    def _kept_us(self, workflow_type: str) -> int | None:
        try:
            own = self._registered(workflow_type).retention_us
        except UnknownWorkflowTypeError:
            own = None
        return self._default_us if own is None else own

    async def _delete(self, workflow_type: str, before_us: int) -> int:
        gone = 0
        while True:
            count = await self._store.purge_ended(before_us, workflow_type=workflow_type, limit=_BATCH)
            gone += count
            if count < _BATCH:
                return gone
            await self._clock.sleep_us(0)
