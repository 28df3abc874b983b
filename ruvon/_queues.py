"""`Queues`: the limits of the queues of a store, for applications and operators."""

from collections.abc import Sequence
from datetime import timedelta
from typing import final

from ruvon.engine import Engine
from ruvon.providers import QueueLimits, QueueLoad, duration_us

__all__ = ["Queues"]


@final
class Queues:
    """The queues of one store; made by `WorkflowBuilder.queues`.

    Limits lie in the store and hold for every worker of it, from the next claim on: what runs already goes on.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def set_limits(
        self,
        queue: str,
        *,
        concurrency: int | None = None,
        per_key: int | None = None,
        rate: int | None = None,
        period: timedelta | None = None,
    ) -> QueueLimits:
        """Give a queue these limits, in place of those that it had; harmless when repeated.

        Args:
            queue: its name; there need not be a task of it yet.
            concurrency: so many of its steps run at a time, over all workers; 0: none is begun.
            per_key: so many of those with the same `concurrency_key`.
            rate: so many start within any period.
            period: the period of `rate`.

        Raises:
            InvalidLimitsError: a number is negative or too large, or the rate has no period.
        """
        limits = QueueLimits(
            queue=queue,
            concurrency=concurrency,
            per_key=per_key,
            rate=rate,
            period_us=duration_us(period) if period is not None else 0,
        )
        await self._engine.store.put_limits(limits)
        return limits

    async def lift_limits(self, queue: str) -> bool:
        """Let a queue have no limits any more.

        Returns:
            Whether it had any.
        """
        return await self._engine.store.remove_limits(queue)

    async def loads(self) -> Sequence[QueueLoad]:
        """Every queue that has limits, by name, with what runs and what has started."""
        return await self._engine.store.queue_loads()
