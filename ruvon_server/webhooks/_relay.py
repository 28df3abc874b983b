"""The webhooks of one process: what they are made of, and the tasks that find, send and forget."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final, final

from ruvon.builder import WorkflowBuilder
from ruvon.providers import Clock, Duty, EgressProvider, PersistenceError, PersistenceProvider
from ruvon.scheduler._pace import Pace
from ruvon_server.problems import RequestRefusedError
from ruvon_server.webhooks._courier import Courier, egress_for, policy_for
from ruvon_server.webhooks._deliveries import Deliveries, Progress, Span, shard_of
from ruvon_server.webhooks._endpoints import Endpoints
from ruvon_server.webhooks._planner import Planner
from ruvon_server.webhooks._sender import Sender

__all__ = ["Webhooks"]

_LOGGER: Final = logging.getLogger("ruvon.server.webhooks")
_DUTY: Final = "ruvon.server.webhooks.plan"
_EVERY_US: Final = 500_000
_SHARE: Final = 5
"""Looking takes at most one part in so many of the time."""
_OTHERS_US: Final = 5_000_000
"""So long after the death of the process that looks another one does."""
_KEEP: Final = 10_000
_KEEP_US: Final = 30 * 86_400_000_000
_SWEEP_US: Final = 600_000_000
_PORTION: Final = 1_000


@final
class Webhooks:
    """The webhooks of one server.

    Args:
        builder: has the store, the clock and the ids.
        allow: names and networks that are not public and that webhooks may reach.
        egress: sends the requests; the client of HTTP steps, under a policy of its own, where none is given.

    Raises:
        ValueError: something in `allow` is neither a name nor a network.
    """

    def __init__(
        self, builder: WorkflowBuilder, allow: tuple[str, ...] = (), *, egress: EgressProvider | None = None
    ) -> None:
        store, clock, ids = builder.persistence, builder.clock, builder.ids
        self.policy = policy_for(allow)
        self.endpoints = Endpoints(store, clock, ids)
        self.deliveries = Deliveries(store, clock)
        self._egress = egress or egress_for(self.policy)
        courier = Courier(self._egress, self.policy, clock, ids)
        self._sender = Sender(store, clock, ids, self.endpoints, self.deliveries, courier)
        planner = Planner(store, clock, self.endpoints, self.deliveries)
        self._finder = _Finder(store, clock, planner, self.deliveries, self.endpoints, self._sender)

    def wake(self) -> None:
        """Look at once what there is to send, and whom to tell."""
        self._sender.wake()
        self._finder.wake()

    async def progress(self, webhook_id: str) -> Progress:
        """How far the deliveries of a webhook are."""
        span = await self.deliveries.span(webhook_id)
        return (await self.deliveries.progress(shard_of(webhook_id))).get(webhook_id, Progress(span.first))

    @asynccontextmanager
    async def running(self, *, grace_s: float) -> AsyncGenerator[None, None]:
        """Find and send, meanwhile.

        Args:
            grace_s: so long at the end attempts may take that are under way, in seconds; then they are broken off, and
                made again by the next process.
        """
        tasks = [
            asyncio.create_task(self._finder.run(), name="ruvon-webhooks-find"),
            asyncio.create_task(self._sender.run(), name="ruvon-webhooks-send"),
        ]
        try:
            yield
        finally:
            self._finder.stop()
            self._sender.stop()
            _, late = await asyncio.wait(tasks, timeout=grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._egress.close()


@final
class _Finder:
    """Has the duty to look what happened, adds deliveries, and forgets old ones."""

    def __init__(
        self,
        store: PersistenceProvider,
        clock: Clock,
        planner: Planner,
        deliveries: Deliveries,
        endpoints: Endpoints,
        sender: Sender,
    ) -> None:
        self._store = store
        self._clock = clock
        self._planner = planner
        self._deliveries = deliveries
        self._endpoints = endpoints
        self._sender = sender
        self._pace = Pace(clock)
        self._duty: Duty | None = None
        self._swept_us = 0

    def wake(self) -> None:
        """Look at once."""
        self._pace.wake()

    def stop(self) -> None:
        """End `run` after the look that goes on."""
        self._pace.stop()

    async def run(self) -> None:
        """Look until `stop`."""
        away = False
        try:
            while not self._pace.stopped:
                began_us = self._clock.monotonic_us()
                wait_us = _OTHERS_US
                try:
                    if not await self._is_of_use():
                        await self._leave()
                    elif await self._has_duty():
                        wait_us = _EVERY_US
                        await self._look()
                    away = False
                except Exception as exc:
                    if not away:
                        is_ours = isinstance(exc, PersistenceError | RequestRefusedError)
                        _LOGGER.warning("what happened is not known, it is tried again: %s", exc, exc_info=not is_ours)
                    away = True
                    await self._leave()
                took_us = self._clock.monotonic_us() - began_us
                await self._pace.rest(self._clock.now_us() + max(wait_us, took_us * _SHARE))
        finally:
            await self._leave()

    async def _is_of_use(self) -> bool:
        """Whether there is a webhook, or something left of one."""
        return bool(await self._endpoints.list() or await self._deliveries.spans())

    async def _has_duty(self) -> bool:
        if self._duty is None:
            self._duty = await self._store.take_duty(_DUTY)
        return self._duty is not None

    async def _leave(self) -> None:
        """Leave it to others; whoever looks next begins where the store says."""
        duty, self._duty = self._duty, None
        self._planner.forget()
        if duty is not None:
            with contextlib.suppress(PersistenceError):
                await duty.release()

    async def _look(self) -> None:
        if await self._planner.plan():
            self._sender.wake()
        now_us = self._clock.now_us()
        if now_us - self._swept_us >= _SWEEP_US:
            self._swept_us = now_us
            await self._sweep(now_us)

    async def _sweep(self, now_us: int) -> None:
        """Forget deliveries that are done and old or too many, and all of webhooks that were deleted."""
        known = {item.webhook_id for item in await self._endpoints.list()}
        for webhook_id, span in (await self._deliveries.spans()).items():
            if webhook_id not in known:
                before = min(span.end, span.first + _PORTION)
                await self._deliveries.forget(webhook_id, before)
                if before == span.end:
                    await self._deliveries.forget_webhook(webhook_id)
            elif (before := await self._old_before(webhook_id, span, now_us)) > span.first:
                await self._deliveries.forget(webhook_id, before)

    async def _old_before(self, webhook_id: str, span: Span, now_us: int) -> int:
        """The number below which nothing of a webhook is worth keeping."""
        progress = (await self._deliveries.progress(shard_of(webhook_id))).get(webhook_id, Progress(span.first))
        most = min(span.first + _PORTION, progress.done)
        before = min(most, max(span.first, span.end - _KEEP))
        while before < most:
            found = await self._deliveries.find(webhook_id, before)
            if found is not None and found.created_us >= now_us - _KEEP_US:
                break
            before += 1
        return before
