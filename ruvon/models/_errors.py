"""Errors that a workflow body can meet, raised alike by the engine and by `.local`.

    RuvonError
    └── ExecutionError
        ├── StepFailed               stands in for an error whose class is gone or cannot be rebuilt
        │   ├── ChildFailed          the same, of an awaited child
        │   ├── HttpError            an HTTP step was answered with a status of 400 or more
        │   └── RecordedError        the record of an error, with its data
        ├── BranchError              one failed branch of `gather(..., on_failure="collect")`
        ├── MergeConflictError       two branches wrote one field
        ├── JumpTargetError          a jump to a step that cannot be reached from here
        ├── LoopLimitError           `max_iterations` exceeded: an engine limit, no handler sees it
        └── UndeclaredKeyError       strict_results: a returned key is no field of the state
    TimedOut (TimeoutError)          every `timeout=`
    Offline (ConnectionError)        the device has no network

A value that does not fit the type it enters raises the value codec's `InvalidValueError` (`ruvon.ir.values`). `TimedOut`
and `Offline` are subclasses of Python's own errors, so that `except TimeoutError` means what it says.
"""

from collections.abc import Mapping
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

from ruvon.ir._errors import RuvonError

__all__ = [
    "BranchError",
    "ChildFailed",
    "ExecutionError",
    "HttpError",
    "JumpTargetError",
    "LoopLimitError",
    "MergeConflictError",
    "Offline",
    "RecordedError",
    "StepFailed",
    "TimedOut",
    "UndeclaredKeyError",
]


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
        body: the answer's text, shortened by the sender of the error if need be.
        attempts: how many attempts were made.
    """

    def __init__(self, status: int, message: str = "", body: str = "", attempts: int = 1) -> None:
        self.status = status
        self.body = body
        super().__init__(message or f"the server answered with status {status}", "HttpError", attempts)


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

    def __init__(self, what: str, after: timedelta | None = None) -> None:
        self.what = what
        self.after = after
        super().__init__(f"`{what}` did not end within {after}" if after is not None else f"`{what}` timed out")


class Offline(ConnectionError):  # noqa: N818 - the documented name
    """The device has no network; raised at once, without using up retries.

    Args:
        target: what was to be reached.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        super().__init__(f"there is no network to reach {target}")


class BranchError(ExecutionError):
    """Stands in the place of a failed branch of `gather(..., on_failure="collect")`.

    Args:
        index: the branch's place in the call, from 0.
        label: the branch's label.
        kind: the qualified name of the error's class.
        message: the error's text.
    """

    def __init__(self, index: int, label: str, kind: str, message: str) -> None:
        self.index = index
        self.label = label
        self.kind = kind
        self.message = message
        super().__init__(f"the branch `{label}` failed: {kind}: {message}")


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
        near = get_close_matches(key, fields, n=1)
        hint = f" (did you mean `{near[0]}`?)" if near else ""
        super().__init__(f"`{step}` returned the key `{key}`, but `{model}` has no such field{hint}")
