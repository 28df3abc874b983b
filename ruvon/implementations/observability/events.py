"""`RedisStreamObserver`: every event as an entry of a Redis stream, in the envelope of CloudEvents 1.0.

An entry has the fields `specversion`, `id`, `source`, `type`, `subject` (the workflow's id), `time` (RFC 3339, UTC),
`datacontenttype`, `workflowtype`, `workflowversion` and `data`, a JSON object with the hook's arguments. Secrets are `***`.

Delivery is at most once: events wait in the memory of this process for a batch, and are dropped, counted and reported where
Redis does not keep up or does not answer. What must not be lost is published by a step with `context.publish`: the outbox is
written with the step's commit and delivered at least once.
"""

import asyncio
import functools
import inspect
import itertools
import logging
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, cast, final

import orjson

from ruvon.ir.values import Json, mask
from ruvon.ir.values._secrets import MASK
from ruvon.providers import Clock, IdSource, MissingExtraError, SystemClock, SystemIds, datetime_of
from ruvon.providers.observer import HOOKS, ObservedWorkflow, WorkflowObserver

__all__ = ["DEFAULT_STREAM", "EVENT_TYPES", "EventPublisherObserver", "RedisStreamObserver"]

_LOGGER: Final = logging.getLogger("ruvon.observers")
DEFAULT_STREAM: Final = "ruvon:events"
EVENT_TYPES: Final[Mapping[str, str]] = {
    "on_child_workflow_started": "ruvon.workflow.child_started",
    "on_compensation_completed": "ruvon.compensation.completed",
    "on_compensation_started": "ruvon.compensation.started",
    "on_step_executed": "ruvon.step.executed",
    "on_step_failed": "ruvon.step.failed",
    "on_workflow_completed": "ruvon.workflow.completed",
    "on_workflow_failed": "ruvon.workflow.failed",
    "on_workflow_paused": "ruvon.workflow.paused",
    "on_workflow_resumed": "ruvon.workflow.resumed",
    "on_workflow_started": "ruvon.workflow.started",
    "on_workflow_status_changed": "ruvon.workflow.status_changed",
}
"""The `type` of the event of each hook."""
_BATCH: Final = 500
_PATIENCE_S: Final = 5.0
"""Seconds that Redis has for a batch."""
_RETRY_S: Final = 1.0
"""Seconds between two batches while Redis does not answer."""
_DROPPED_TYPE: Final = "ruvon.events.dropped"
_LARGE: Final = ("result", "initial_state", "final_state", "resume_data")
"""What is left out of an event that would be too large."""


@final
class _Sender:
    """A thread that writes batches; it knows nothing of what it writes."""

    def __init__(self, connect: Callable[[], Any], stream: str, maxlen: int, most_queued: int) -> None:
        self._connect = connect
        self._stream = stream
        self._maxlen = maxlen
        self._most_queued = most_queued
        self._queue: deque[Mapping[str, str | bytes]] = deque()
        self._wake = threading.Condition()
        self._busy = False
        self._hurried = False
        self._thread: threading.Thread | None = None
        self._client: Any = None
        self._is_down = False
        self.dropped = 0
        """Events that were lost, all in all."""
        self.untold = 0
        """Those of them that the stream does not know of yet."""

    def put(self, entry: Mapping[str, str | bytes]) -> None:
        """Have an entry written; never waits for Redis."""
        with self._wake:
            if len(self._queue) >= self._most_queued:
                self._lose(1)
                return
            self._queue.append(entry)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="ruvon-events", daemon=True)
                self._thread.start()
            self._wake.notify_all()

    def _lose(self, count: int) -> None:
        if not self.untold:
            _LOGGER.error("events for the Redis stream %s are dropped: Redis does not keep up or answer", self._stream)
        self.dropped += count
        self.untold += count

    def flush(self, timeout_s: float) -> None:
        """Wait until everything is written, or given up; the thread ends, until there is something new."""
        with self._wake:
            if self._thread is None:
                return
            self._hurried = True
            self._wake.notify_all()
            done = self._wake.wait_for(lambda: self._thread is None, timeout_s)
            if not done:
                self._lose(len(self._queue))
                self._queue.clear()

    def _work(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._queue or self._hurried)
                if not self._queue:
                    self._hurried, self._thread = False, None
                    self._close()
                    self._wake.notify_all()
                    return
                batch = [self._queue.popleft() for _ in range(min(_BATCH, len(self._queue)))]
            if not self._write(batch):
                with self._wake:
                    self._lose(len(batch))
                    if self._hurried:
                        self._lose(len(self._queue))
                        self._queue.clear()
                    else:
                        self._wake.wait_for(lambda: self._hurried, _RETRY_S)

    def _write(self, batch: Sequence[Mapping[str, str | bytes]]) -> bool:
        """Write a batch; False where that failed, and some of it may have been written all the same."""
        try:
            if self._client is None:
                self._client = self._connect()
            pipe = self._client.pipeline(transaction=False)
            for entry in batch:
                pipe.xadd(self._stream, entry, maxlen=self._maxlen, approximate=True)
            pipe.execute()
            self._tell_lost()
        except Exception as exc:  # noqa: BLE001 - whatever is wrong with Redis or the network, the thread goes on
            if not self._is_down:
                _LOGGER.warning("the Redis stream %s cannot be written: %s", self._stream, exc)
            self._is_down = True
            self._close()
            return False
        self._is_down = False
        return True

    def _tell_lost(self) -> None:
        """Put an event into the stream that says how many are missing before it."""
        with self._wake:
            lost, self.untold = self.untold, 0
        if lost:
            entry = {
                "specversion": "1.0",
                "type": _DROPPED_TYPE,
                "datacontenttype": "application/json",
                "data": orjson.dumps({"count": lost}),
            }
            self._client.xadd(self._stream, entry, maxlen=self._maxlen, approximate=True)
            _LOGGER.error("the Redis stream %s is written again; %d events were dropped", self._stream, lost)

    def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()


@final
class RedisStreamObserver(WorkflowObserver):
    """Publishes every event to a Redis stream, at most once.

    Args:
        url: the server; the environment variable `RUVON_REDIS_URL`, else `redis://localhost:6379/0`, where none is given.
        stream: the stream's key.
        maxlen: about so many entries are kept (`XADD ... MAXLEN ~`).
        source: the `source` of the events: which installation they are of.
        most_queued: events that wait in memory; further ones are dropped and counted.
        max_data_bytes: an event with more data is published without its results and states, which `omitted` names.
        payloads: publish results and states at all.
        clock: what time it is, for events that do not say it.
        ids: where the events' ids come from.

    Raises:
        MissingExtraError: `redis` is not installed.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        stream: str = DEFAULT_STREAM,
        maxlen: int = 100_000,
        source: str = "/ruvon",
        most_queued: int = 10_000,
        max_data_bytes: int = 65_536,
        payloads: bool = True,
        clock: Clock | None = None,
        ids: IdSource | None = None,
    ) -> None:
        try:
            from redis import Redis  # noqa: PLC0415 - an optional dependency
        except ImportError:
            raise MissingExtraError("redis", "redis") from None
        address = url or os.environ.get("RUVON_REDIS_URL") or "redis://localhost:6379/0"
        connect = functools.partial(
            cast("Any", Redis).from_url, address, socket_timeout=_PATIENCE_S, socket_connect_timeout=_PATIENCE_S
        )
        self._sender = _Sender(connect, stream, maxlen, most_queued)
        # At the end of the process too: what was told is handed over, though the thread is a daemon.
        weakref.finalize(self, self._sender.flush, _PATIENCE_S)
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._prefix = (ids if ids is not None else SystemIds()).new_id().hex
        self._numbers = itertools.count(1)
        self._source = source
        self._most_bytes = max_data_bytes
        self._payloads = payloads

    @property
    def dropped(self) -> int:
        """Events that were lost since the observer was made."""
        return self._sender.dropped

    async def close(self) -> None:
        """Hand over what waits, for five seconds at most; a later event connects again."""
        await asyncio.to_thread(self._sender.flush, _PATIENCE_S)

    def publish(self, hook: str, source: ObservedWorkflow | None, arguments: Mapping[str, Any]) -> None:
        """Queue the event of a hook; never waits.

        Args:
            hook: the hook's name.
            source: the instance.
            arguments: the hook's own arguments.
        """
        at_us = source.at_us if source is not None else self._clock.now_us()
        kind = source.workflow_type if source is not None else str(arguments.get("workflow_type", ""))
        subject = arguments.get("workflow_id") or arguments.get("parent_id") or ""
        entry: dict[str, str | bytes] = {
            "specversion": "1.0",
            "id": f"{self._prefix}-{next(self._numbers)}",
            "source": self._source,
            "type": EVENT_TYPES[hook],
            "subject": str(subject),
            "time": datetime_of(at_us).isoformat().replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "workflowtype": kind,
            "workflowversion": source.workflow_version if source is not None else "",
            "data": self._data(arguments, source.secret_fields if source is not None else frozenset()),
        }
        self._sender.put(entry)

    def _data(self, arguments: Mapping[str, Any], secrets: frozenset[str]) -> bytes:
        left_out = [] if self._payloads else [name for name in _LARGE if name in arguments]
        data = _json({name: value for name, value in arguments.items() if name not in left_out}, left_out, secrets)
        if len(data) <= self._most_bytes:
            return data
        left_out = [name for name in _LARGE if name in arguments]
        return _json({name: value for name, value in arguments.items() if name not in left_out}, left_out, secrets)


def _json(arguments: Mapping[str, Any], omitted: Sequence[str], secrets: frozenset[str]) -> bytes:
    tree = {name: _plain(value, secrets) for name, value in arguments.items()}
    if omitted:
        tree["omitted"] = list(omitted)
    return orjson.dumps(tree, default=str, option=orjson.OPT_NON_STR_KEYS)


def _plain(value: Any, secrets: frozenset[str]) -> Json:
    if isinstance(value, BaseException):
        return {"type": type(value).__qualname__, "message": str(value)}
    return _hidden(mask(value), secrets)


def _hidden(tree: Json, secrets: frozenset[str]) -> Json:
    """A JSON tree without the values of secret fields: a dict has lost the types that would say it."""
    if isinstance(tree, dict):
        return {name: MASK if name in secrets else _hidden(item, secrets) for name, item in tree.items()}
    if isinstance(tree, list):
        return [_hidden(item, secrets) for item in _items(tree)]
    return tree


def _items(tree: list[Any]) -> list[Any]:
    """The list itself, of whatever it holds."""
    return tree


def _publishing(name: str) -> Callable[..., Coroutine[Any, Any, None]]:
    """The hook of a name: its arguments by place or by name."""
    parameters = tuple(inspect.signature(getattr(WorkflowObserver, name)).parameters)[1:]

    async def hook(
        self: RedisStreamObserver, *places: Any, source: ObservedWorkflow | None = None, **named: Any
    ) -> None:
        self.publish(name, source, {**dict(zip(parameters, places, strict=False)), **named})

    hook.__name__ = name
    hook.__doc__ = f"Publish `{EVENT_TYPES[name]}`."
    return hook


for _name in HOOKS:
    setattr(RedisStreamObserver, _name, _publishing(_name))

EventPublisherObserver = RedisStreamObserver
