"""What a step function may know about its run: `StepContext`.

The engine makes one context per attempt, on its hot path. So building one stores a few references, and whatever costs
something (the idempotency key is a hash, the previous result may lie in the log) is computed when it is read. Everything
behind it is one small Protocol, `ContextServices`, that the engine, the workers and `.local` implement.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, Protocol, TypeAlias, TypeVar, final, get_args
from uuid import UUID

from pydantic import BaseModel

from ruvon.ir._errors import RuvonError

__all__ = ["ContextServices", "ContextUnavailableError", "StepContext", "StepTransaction"]

M = TypeVar("M")
LogLevel: TypeAlias = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
LOG_LEVELS: Final[tuple[LogLevel, ...]] = get_args(LogLevel)


class ContextUnavailableError(RuvonError):
    """A step asked its context for something that this run was not given.

    Args:
        step_name: the step that asked.
        what: what it asked for.
        remedy: how to give it.
    """

    def __init__(self, step_name: str, what: str, remedy: str) -> None:
        self.step_name = step_name
        self.what = what
        super().__init__(f"the step `{step_name}` asks its context for {what}, which is not there; {remedy}")


class StepTransaction(Protocol):
    """The database transaction that commits a step; what is executed in it happens exactly once."""

    async def execute(
        self, sql: str, parameters: Sequence[object] | Mapping[str, object] = (), /
    ) -> list[tuple[Any, ...]]:
        """Run one statement on the author's own tables, and give its rows.

        Args:
            sql: the statement, in the store's dialect, with placeholders.
            parameters: their values, by place (`?`) or by name (`:name`).

        Raises:
            StatementError: it failed, reaches a table of Ruvon's, or begins or ends a transaction.
        """
        ...


class ContextServices(Protocol):
    """What stands behind a `StepContext`; one object may serve all attempts of an activation."""

    def idempotency_key(self) -> str:
        """The key of the activation, the same for all its attempts."""
        ...

    def previous_step_result(self) -> Mapping[str, Any] | None:
        """The result of the last finished step of the same frame, or None."""
        ...

    def resource(self, kind: type[M], /) -> M:
        """The resource of this class that the builder was given; `ContextUnavailableError` where there is none."""
        ...

    def publish(self, topic: str, event: BaseModel, /) -> None:
        """Put an event into the outbox, written in the same commit as the step."""
        ...

    def now(self) -> datetime:
        """The present moment of the run's clock, aware, in UTC."""
        ...

    def new_id(self) -> UUID:
        """A fresh identifier of the run's id source."""
        ...

    def random(self) -> float:
        """A random number of the run's id source, at least 0.0 and below 1.0."""
        ...

    def transaction(self) -> StepTransaction:
        """The transaction that commits the step; `ContextUnavailableError` where the step does not share it."""
        ...

    def heartbeat(self, progress: Mapping[str, Any], /) -> None:
        """Tell that the step is alive and how far it is; kept for the next attempt, no part of the workflow's truth."""
        ...

    def last_progress(self) -> Mapping[str, Any] | None:
        """What the previous attempt told last with `heartbeat`, or None."""
        ...

    def last_error(self) -> str | None:
        """Why the previous attempt failed, or None; recorded with that attempt."""
        ...

    def log(self, level: str, message: str, metadata: Mapping[str, Any], /) -> None:
        """Append a line to the execution log, a text log that is no part of the workflow's truth."""
        ...


@final
class StepContext:
    """What a step function is given as `context`; made by the engine, or by a test by naming what it needs.

    Args:
        workflow_id: the running instance.
        step_name: the name of this step.
        services: what the engine offers; without it (a test) the computed fields are the plain values given.
        attempt: which attempt this is, from 1.
        loop_index: the turn of the innermost loop, from 0, or None outside loops.
        loop_item: the item of that turn.
        validated_input: the input of a step with an input model, validated.
        step_result: in a compensation, the recorded result of the step to undo.
        scheduled_for: the planned time of a run started by a schedule, aware.
        previous_step_result: for tests; the engine computes it.
        idempotency_key: for tests; the engine computes it.
    """

    __slots__ = (
        "_key",
        "_previous",
        "_services",
        "attempt",
        "loop_index",
        "loop_item",
        "scheduled_for",
        "step_name",
        "step_result",
        "validated_input",
        "workflow_id",
    )

    def __init__(
        self,
        workflow_id: str,
        step_name: str,
        services: ContextServices | None = None,
        *,
        attempt: int = 1,
        loop_index: int | None = None,
        loop_item: Any = None,
        validated_input: Any = None,
        step_result: Any = None,
        scheduled_for: datetime | None = None,
        previous_step_result: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> None:
        self.workflow_id = workflow_id
        self.step_name = step_name
        self.attempt = attempt
        self.loop_index = loop_index
        self.loop_item = loop_item
        self.validated_input = validated_input
        self.step_result = step_result
        self.scheduled_for = scheduled_for
        self._services = services
        self._previous = previous_step_result
        self._key = idempotency_key

    @property
    def idempotency_key(self) -> str:
        """The same text for all attempts of this activation, crash, retry and operator retry included.

        Give it to whatever you call, so that a repeated call has one effect.
        """
        if self._key is None:
            self._key = self._services.idempotency_key() if self._services else f"{self.workflow_id}/{self.step_name}"
        return self._key

    @property
    def has_used_key(self) -> bool:
        """Whether anybody has read `idempotency_key`; tools tell from it which steps guard against being repeated."""
        return self._key is not None

    @property
    def previous_step_result(self) -> Mapping[str, Any] | None:
        """The result of the last finished step of the same frame: a dict as returned, a model by its fields."""
        if self._previous is None and self._services is not None:
            self._previous = self._services.previous_step_result()
        return self._previous

    @property
    def last_progress(self) -> Mapping[str, Any] | None:
        """What the previous attempt of this step told last with `heartbeat`, or None."""
        return self._services.last_progress() if self._services else None

    @property
    def last_error(self) -> str | None:
        """Why the previous attempt of this step failed, class and message, or None; it survives a restart."""
        return self._services.last_error() if self._services else None

    def log(self, message: str, level: LogLevel = "INFO", **metadata: Any) -> None:
        """Append a line to the execution log: for people, and no part of the workflow's truth.

        Lines are written when the attempt has ended, well or not; a process that dies before that loses them.

        Args:
            message: what to say.
            level: how much it matters.
            metadata: more about it; what is no JSON is written as its text.

        Raises:
            ValueError: there is no such level.
        """
        if level not in LOG_LEVELS:
            raise ValueError(f"there is no log level {level!r}; write one of {', '.join(LOG_LEVELS)}")
        self._need("the execution log").log(level, message, metadata)

    def get(self, kind: type[M], /) -> M:
        """The resource of the concrete class `kind` that the builder (or the test's world) was given.

        Raises:
            ContextUnavailableError: there is none.
        """
        return self._need(f"a resource of the class {kind.__qualname__}").resource(kind)

    def publish(self, topic: str, event: BaseModel, /) -> None:
        """Put `event` into the outbox under `topic`; it is written in the same commit as the step, or not at all."""
        self._need("the outbox").publish(topic, event)

    @property
    def transaction(self) -> StepTransaction:
        """The database transaction that commits the step, for a step with `transaction=True`.

        Its statements are written with the step's result, or not at all: when the step raises, they are rolled back. It
        holds the store's only write turn, so do in such a step what belongs into the transaction, and nothing slow.

        Raises:
            ContextUnavailableError: the step does not say `transaction=True`.
        """
        return self._need("its transaction").transaction()

    def now(self) -> datetime:
        """The present moment of the run's clock, aware, in UTC."""
        return self._need("the time").now()

    def new_id(self) -> UUID:
        """A fresh identifier of the run's id source."""
        return self._need("a new id").new_id()

    def random(self) -> float:
        """A random number of the run's id source, at least 0.0 and below 1.0."""
        return self._need("a random number").random()

    def heartbeat(self, **progress: Any) -> None:
        """Tell that the step is alive and how far it is; the next attempt reads it as `last_progress`."""
        self._need("the heartbeat").heartbeat(progress)

    def _need(self, what: str) -> ContextServices:
        if self._services is None:
            raise ContextUnavailableError(
                self.step_name, what, "this context was made by hand: run the step with `.local(...)` or in the engine"
            )
        return self._services

    def __repr__(self) -> str:
        return f"StepContext({self.workflow_id!r}, {self.step_name!r}, attempt={self.attempt})"
