"""What stands behind the `context` of a step: computed when asked for, because most steps never ask."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast, final
from uuid import UUID

import orjson
from pydantic import BaseModel

from ruvon.models import ContextUnavailableError, StepTransaction, as_result_mapping
from ruvon.providers import OutboxRecord, datetime_of

if TYPE_CHECKING:
    from ruvon.engine._frames import GraphFrame
    from ruvon.engine._run import Run

__all__ = ["RunContext", "idempotency_key"]

M = TypeVar("M")


def idempotency_key(workflow_id: str, activation: str) -> str:
    """The key of an activation: the same for all its attempts, and of no other activation anywhere."""
    return hashlib.blake2b(f"{workflow_id}/{activation}".encode(), digest_size=16).hexdigest()


@final
class RunContext:
    """The services of one attempt."""

    __slots__ = ("_activation", "_frame", "_run", "error", "lines", "published", "sql")

    def __init__(self, run: "Run", activation: str, frame: "GraphFrame | None") -> None:
        self._run = run
        self._activation = activation
        self._frame = frame
        self.published: list[OutboxRecord] = []
        """Events for the outbox; they count only when the step completes."""
        self.error: str | None = None
        """Why the previous attempt failed."""
        self.lines: list[tuple[str, str, Mapping[str, Any]]] = []
        """For the execution log, when the attempt has ended: level, message, metadata."""
        self.sql: StepTransaction | None = None
        """The transaction that the attempt shares."""

    def idempotency_key(self) -> str:
        """The key of the activation."""
        return idempotency_key(self._run.id, self._place())

    def _place(self) -> str:
        run = self._run
        prefix = f"e{run.epoch}:" if run.epoch and not self._activation.startswith(f"e{run.epoch}:") else ""
        return prefix + self._activation

    def previous_step_result(self) -> Mapping[str, Any] | None:
        """The result of the last finished step of the same frame."""
        if self._frame is None:
            return None
        data = self._run.previous.get(self._frame.previous)
        return as_result_mapping(self._run.program.types.dynamic.decode(data)) if data is not None else None

    def resource(self, kind: type[M], /) -> M:
        """A resource given to the builder."""
        found = self._run.services.resources.get(kind)
        if found is None:
            name = self._activation
            raise ContextUnavailableError(
                name, f"a resource of the class {kind.__qualname__}", "give it to the builder with resources=[...]"
            )
        return cast("M", found)

    def publish(self, topic: str, event: BaseModel, /) -> None:
        """Put an event into the outbox."""
        payload = orjson.dumps(event.model_dump(mode="json"))
        number = f"#{len(self.published)}" if self.published else ""
        key = self._place() + number
        self.published.append(OutboxRecord(topic, payload, self._run.now_us(), key=key))

    def transaction(self) -> StepTransaction:
        """The transaction that the attempt shares."""
        if self.sql is None:
            raise ContextUnavailableError(
                self._activation,
                "its transaction",
                "declare it with @step(transaction=True), in YAML `transaction: true`",
            )
        return self.sql

    def now(self) -> datetime:
        """The present moment."""
        return datetime_of(self._run.now_us())

    def new_id(self) -> UUID:
        """A fresh identifier."""
        return self._run.services.ids.new_id()

    def random(self) -> float:
        """A random number."""
        return self._run.services.ids.random()

    def heartbeat(self, progress: Mapping[str, Any], /) -> None:
        """Keep the progress for the next attempt in this process."""
        self._run.progress[self._activation] = dict(progress)

    def last_progress(self) -> Mapping[str, Any] | None:
        """What the previous attempt told last."""
        return self._run.progress.get(self._activation)

    def last_error(self) -> str | None:
        """Why the previous attempt failed."""
        return self.error

    def log(self, level: str, message: str, metadata: Mapping[str, Any], /) -> None:
        """Keep a line until the attempt has ended."""
        self.lines.append((level, message, metadata))
