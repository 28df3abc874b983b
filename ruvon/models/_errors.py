"""Errors that a workflow body can meet, raised alike by the engine and by `.local`.

    RuvonError
    └── ExecutionError
        ├── StepFailed               stands in for an error whose class is gone or cannot be rebuilt
        │   ├── ChildFailed          the same, of an awaited child
        │   ├── WasmError                a WebAssembly module was refused, stopped, or gave no answer
        │   ├── InferenceError           a model is not there, or gave no answer
        │   ├── HttpError            an HTTP step was answered with a status of 400 or more
        │   └── RecordedError        the record of an error, with its data
        ├── MergeConflictError       two branches wrote one field
        ├── JumpTargetError          a jump to a step that cannot be reached from here
        ├── LoopLimitError           `max_iterations` exceeded: an engine limit, no handler sees it
        ├── UndeclaredKeyError       strict_results: a returned key is no field of the state
        ├── AwaitableResultError     a step that is not `async` returned what would have to be awaited
        ├── BodyCancelledError       a step raised `asyncio.CancelledError` though nobody had cancelled it
        └── CompensationFailedError  a rollback ended, and some compensation did not work
    TimedOut (TimeoutError)          every `timeout=`
    └── WorkflowTimeoutError         that of a whole workflow: an engine limit, no handler of its own sees it
    Offline (ConnectionError)        the device has no network

A value that does not fit the type it enters raises the value codec's `InvalidValueError` (`ruvon.ir.values`). `TimedOut`
and `Offline` are subclasses of Python's own errors, so that `except TimeoutError` means what it says.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final, Literal, TypeAlias

from ruvon.ir._errors import RuvonError

__all__ = [
    "AwaitableResultError",
    "BodyCancelledError",
    "ChildFailed",
    "CompensationFailedError",
    "ExecutionError",
    "HttpError",
    "InferenceError",
    "InferenceFault",
    "JumpTargetError",
    "LoopLimitError",
    "MergeConflictError",
    "Offline",
    "RecordedError",
    "StepFailed",
    "TimedOut",
    "UndeclaredKeyError",
    "WasmError",
    "WasmFault",
    "WorkflowTimeoutError",
]

_TOO_MANY_REQUESTS: Final = 429
_FIRST_SERVER_ERROR: Final = 500


class ExecutionError(RuvonError):
    """A run failed, or was asked for something that it cannot do."""


class StepFailed(ExecutionError):  # noqa: N818 - the documented name
    """A step failed with an error that cannot be raised as itself.

    Args:
        message: the original error's text.
        kind: the qualified name of the original class.
        attempts: how many attempts were made.
    """

    def __init__(self, message: str, kind: str = "StepFailed", attempts: int = 1) -> None:
        self.kind = kind
        self.message = message
        self.attempts = attempts
        super().__init__(message)


class ChildFailed(StepFailed):
    """An awaited child failed with an error that cannot be raised as itself.

    Args:
        message: the child's error text.
        kind: the qualified name of the child's error class.
        workflow_id: the child's id.
    """

    def __init__(self, message: str, kind: str = "ChildFailed", workflow_id: str = "") -> None:
        self.workflow_id = workflow_id
        super().__init__(message, kind)


class HttpError(StepFailed):
    """An HTTP step was answered with a status of 400 or more that `expect=` does not name.

    Args:
        status: the HTTP status.
        message: what was asked and answered; a sentence is built when it is empty.
        body: the beginning of the answer's text.
        attempts: how many attempts were made.
        headers: the answer's headers, their names in lower case, without those that carry credentials.
        retry_after_us: how long the server asks to wait before another attempt, in microseconds.
    """

    def __init__(
        self,
        status: int,
        message: str = "",
        body: str = "",
        attempts: int = 1,
        *,
        headers: Mapping[str, str] | None = None,
        retry_after_us: int | None = None,
    ) -> None:
        self.status = status
        self.body = body
        self.headers: Mapping[str, str] = dict(headers or {})
        self.retry_after_us = retry_after_us
        super().__init__(message or f"the server answered with status {status}", "HttpError", attempts)

    @property
    def retryable(self) -> bool:
        """Whether another attempt may be answered otherwise: the server has trouble (500 and more), or too much to do."""
        return self.status == _TOO_MANY_REQUESTS or self.status >= _FIRST_SERVER_ERROR


WasmFault: TypeAlias = Literal[
    "module", "hash", "entry", "input", "trap", "exit", "fuel", "memory", "timeout", "output"
]
"""What went wrong with a module: it is not there or not valid, its digest differs, it has no such function, its input has
no JSON form; it trapped, ended with a code, used up its fuel, its memory or its time; its output is no answer."""


class WasmError(StepFailed):
    """A WebAssembly module was refused, was stopped, or gave no answer.

    Args:
        fault: what went wrong, in one word.
        message: the sentence about it.
        module: the module as the step names it.
        stderr: the beginning of what the module wrote to its standard error.
        attempts: how many attempts were made.
    """

    def __init__(self, fault: WasmFault, message: str, module: str = "", stderr: str = "", attempts: int = 1) -> None:
        self.fault = fault
        self.module = module
        self.stderr = stderr
        super().__init__(message, "WasmError", attempts)


InferenceFault: TypeAlias = Literal["model", "runtime", "input", "transform", "failed", "output"]
"""What went wrong with a model: it is not there or cannot be loaded, nothing here runs its kind, its input does not fit,
a transformation refused, the run failed, its output is no answer."""


class InferenceError(StepFailed):
    """A model is not there, or gave no answer.

    Args:
        fault: what went wrong, in one word.
        message: the sentence about it.
        model: the model's name.
        attempts: how many attempts were made.
    """

    def __init__(self, fault: InferenceFault, message: str, model: str = "", attempts: int = 1) -> None:
        self.fault = fault
        self.model = model
        super().__init__(message, "InferenceError", attempts)


class RecordedError(StepFailed):
    """An error as it was recorded, where its class cannot be imported any more; `data` holds its public attributes."""

    def __init__(self, message: str, kind: str, attempts: int = 1, data: Mapping[str, Any] | None = None) -> None:
        self.data: Mapping[str, Any] = dict(data or {})
        super().__init__(message, kind, attempts)


class TimedOut(TimeoutError):  # noqa: N818 - the documented name
    """A `timeout=` has passed.

    Args:
        what: the step, wait or `gather` that took too long.
        after: the timeout.
    """

    outcome_unknown = True

    def __init__(self, what: str, after: timedelta | None = None) -> None:
        self.what = what
        self.after = after
        super().__init__(f"`{what}` did not end within {after}" if after is not None else f"`{what}` timed out")


class WorkflowTimeoutError(TimedOut):
    """The `timeout=` of a workflow has passed before it ended; no handler of its own sees it.

    Args:
        what: the type of the workflow.
        after: its timeout.
    """


class Offline(ConnectionError):  # noqa: N818 - the documented name
    """The device has no network; raised at once, without using up retries.

    Args:
        target: what was to be reached.
    """

    retryable = False

    def __init__(self, target: str) -> None:
        self.target = target
        super().__init__(f"there is no network to reach {target}")


class MergeConflictError(ExecutionError):
    """Two branches wrote one field and the merge is told to refuse that.

    Args:
        key: the field, or the path below it.
        branches: the labels of the branches that wrote it, in branch order.
    """

    def __init__(self, key: str, branches: tuple[str, ...]) -> None:
        self.key = key
        self.branches = branches
        names = " and ".join(f"`{name}`" for name in branches)
        super().__init__(
            f"the branches {names} both wrote `{key}`; let one of them return the value instead, "
            "or say who wins with conflict="
        )


class JumpTargetError(ExecutionError):
    """A jump names a step that cannot be reached from where it is raised.

    Args:
        step: the step that raised the directive.
        target: the step it names.
        reason: why that step cannot be reached.
    """

    def __init__(self, step: str, target: str, reason: str = "") -> None:
        self.step = step
        self.target = target
        why = f": {reason}" if reason else ""
        super().__init__(
            f"`{step}` cannot jump to `{target}`{why}; a jump reaches steps of its own list or one around it"
        )


class LoopLimitError(ExecutionError):
    """A loop made more turns than `max_iterations` allows.

    Args:
        loop: the loop's name.
        limit: the number of turns allowed.
    """

    def __init__(self, loop: str, limit: int) -> None:
        self.loop = loop
        self.limit = limit
        super().__init__(
            f"the loop `{loop}` made more than {limit} turns; raise max_iterations, or set it to null for none"
        )


class UndeclaredKeyError(ExecutionError):
    """A step returned a key that is no field of the state, and `strict_results` is on.

    Args:
        step: the step's name.
        key: the undeclared key.
        model: the name of the state's class.
        fields: the fields that there are, for the suggestion.
    """

    def __init__(self, step: str, key: str, model: str, fields: tuple[str, ...] = ()) -> None:
        self.step = step
        self.key = key
        self.model = model
        from difflib import get_close_matches  # noqa: PLC0415 - only who errs needs it

        near = get_close_matches(key, fields, n=1)
        hint = f" (did you mean `{near[0]}`?)" if near else ""
        super().__init__(f"`{step}` returned the key `{key}`, but `{model}` has no such field{hint}")


class AwaitableResultError(ExecutionError):
    """A function that is not declared `async def` returned a coroutine, or something else that has to be awaited.

    Args:
        step: the step's name.
        kind: what it returned.
    """

    def __init__(self, step: str, kind: str) -> None:
        self.step = step
        self.kind = kind
        super().__init__(
            f"`{step}` is a plain function, but it returned a {kind}, which would have to be awaited; "
            "declare it with `async def` and await there what it calls"
        )


class BodyCancelledError(ExecutionError):
    """A step raised `asyncio.CancelledError` though nobody had cancelled it: something it awaited was cancelled.

    Args:
        step: the step's name.
    """

    def __init__(self, step: str) -> None:
        self.step = step
        super().__init__(
            f"`{step}` raised asyncio.CancelledError though nobody had cancelled it; "
            "catch the cancellation of what it awaits, and raise an error of its own"
        )


class CompensationFailedError(ExecutionError):
    """A rollback ended, but these compensations failed; what they were to undo still stands."""

    def __init__(self, steps: Iterable[str]) -> None:
        self.steps = tuple(steps)
        names = ", ".join(f"`{name}`" for name in self.steps)
        super().__init__(
            f"the rollback could not undo {names}; see the errors in the workflow's history and undo by hand"
        )
