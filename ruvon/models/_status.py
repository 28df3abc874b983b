"""The statuses of a workflow and the one table that says which may follow which.

The names are the documented ones. COMPENSATING is the one addition: a rollback is in progress and goes on after a crash.
Operator repair (retry, rewind) may leave FAILED statuses; nothing leaves COMPLETED except the rollback of a parent.
"""

from enum import StrEnum
from typing import Final

__all__ = ["TERMINAL_STATUSES", "WAITING_STATUSES", "WorkflowStatus", "may_become"]


class WorkflowStatus(StrEnum):
    """Where a workflow stands; the value is the stored and documented name."""

    ACTIVE = "ACTIVE"
    PENDING_ASYNC = "PENDING_ASYNC"
    """A queued step is with a worker."""
    PENDING_SUB_WORKFLOW = "PENDING_SUB_WORKFLOW"
    """An awaited child has not ended."""
    PAUSED = "PAUSED"
    """Waiting for a timer, a signal or a resume; `waiting_for` says which."""
    WAITING_HUMAN = "WAITING_HUMAN"
    """A human step waits for its answer."""
    WAITING_HUMAN_INPUT = "WAITING_HUMAN_INPUT"
    """Another step waits for its declared input."""
    WAITING_CHILD_HUMAN_INPUT = "WAITING_CHILD_HUMAN_INPUT"
    """A child, at any depth, waits for a person."""
    COMPENSATING = "COMPENSATING"
    """A rollback is in progress."""
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    FAILED_ROLLED_BACK = "FAILED_ROLLED_BACK"
    """Failed, and everything that had completed was undone."""
    FAILED_CHILD_WORKFLOW = "FAILED_CHILD_WORKFLOW"
    """A child's error was not caught."""
    FAILED_WORKER_CRASH = "FAILED_WORKER_CRASH"
    """Workers died on it more often than its crash budget allows."""
    CANCELLED = "CANCELLED"

    @property
    def is_terminal(self) -> bool:
        """Nothing happens any more by itself."""
        return self in TERMINAL_STATUSES

    @property
    def is_waiting(self) -> bool:
        """Something from outside must arrive before it goes on."""
        return self in WAITING_STATUSES


_Status = WorkflowStatus

WAITING_STATUSES: Final[frozenset[WorkflowStatus]] = frozenset(
    {
        _Status.PENDING_ASYNC,
        _Status.PENDING_SUB_WORKFLOW,
        _Status.PAUSED,
        _Status.WAITING_HUMAN,
        _Status.WAITING_HUMAN_INPUT,
        _Status.WAITING_CHILD_HUMAN_INPUT,
    }
)
"""Statuses of a live instance that waits for something from outside."""

_FAILED: Final = frozenset(
    {
        _Status.FAILED,
        _Status.FAILED_ROLLED_BACK,
        _Status.FAILED_CHILD_WORKFLOW,
        _Status.FAILED_WORKER_CRASH,
    }
)
TERMINAL_STATUSES: Final[frozenset[WorkflowStatus]] = _FAILED | {_Status.COMPLETED, _Status.CANCELLED}
"""Statuses that end an instance; only repair (retry, rewind), or the rollback of a parent, leaves them."""

RETRYABLE_STATUSES: Final[frozenset[WorkflowStatus]] = _FAILED - {_Status.FAILED_ROLLED_BACK}
"""Statuses from which an operator's retry leads on; messages lie in the inbox until then."""

_LIVE: Final = WAITING_STATUSES | {_Status.ACTIVE}
# After a rollback it has ended, or goes on: behind a saga scope inside the body, or where it was rewound to.
_AFTER_ROLLBACK: Final = _LIVE | frozenset(
    {
        _Status.FAILED_ROLLED_BACK,
        _Status.FAILED,
        _Status.FAILED_CHILD_WORKFLOW,
        _Status.FAILED_WORKER_CRASH,
        _Status.CANCELLED,
    }
)
_REPAIR: Final = _LIVE | {_Status.COMPENSATING}

_TABLE: Final[dict[WorkflowStatus, frozenset[WorkflowStatus]]] = {
    **{live: (_LIVE | TERMINAL_STATUSES | {_Status.COMPENSATING}) - {_Status.FAILED_ROLLED_BACK} for live in _LIVE},
    _Status.COMPENSATING: _AFTER_ROLLBACK,
    _Status.COMPLETED: _REPAIR,
    _Status.CANCELLED: _REPAIR,
    **dict.fromkeys(_FAILED, _REPAIR),
}


def may_become(old: WorkflowStatus, new: WorkflowStatus) -> bool:
    """Whether a workflow may go from `old` to `new`; staying where it is always is allowed."""
    return old is new or new in _TABLE[old]
