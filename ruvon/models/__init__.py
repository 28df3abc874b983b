"""What step functions and applications share with the engine: contexts, directives, statuses, results, errors.

Stands on `ruvon.ir` alone, so that a step module can be imported on a device or in a worker without any front end.
"""

from ruvon.ir.values import InvalidValueError
from ruvon.models._context import ContextServices, ContextUnavailableError, StepContext
from ruvon.models._directives import (
    SagaWorkflowException,
    StartSubWorkflowDirective,
    WorkflowDirective,
    WorkflowFailedException,
    WorkflowJumpDirective,
    WorkflowNextStepDirective,
    WorkflowPauseDirective,
)
from ruvon.models._errors import (
    BranchError,
    ChildFailed,
    ExecutionError,
    HttpError,
    JumpTargetError,
    LoopLimitError,
    MergeConflictError,
    Offline,
    RecordedError,
    StepFailed,
    TimedOut,
    UndeclaredKeyError,
)
from ruvon.models._ids import ActivationId, TaskId, WorkflowId
from ruvon.models._results import (
    Batch,
    Elapsed,
    Failure,
    HttpResponse,
    MergeConflictBehavior,
    MergeStrategy,
    StepResult,
    Won,
    as_result_mapping,
)
from ruvon.models._status import TERMINAL_STATUSES, WAITING_STATUSES, WorkflowStatus, may_become
from ruvon.models._step_type import WorkflowStep

__all__ = [
    "TERMINAL_STATUSES",
    "WAITING_STATUSES",
    "ActivationId",
    "Batch",
    "BranchError",
    "ChildFailed",
    "ContextServices",
    "ContextUnavailableError",
    "Elapsed",
    "ExecutionError",
    "Failure",
    "HttpError",
    "HttpResponse",
    "InvalidValueError",
    "JumpTargetError",
    "LoopLimitError",
    "MergeConflictBehavior",
    "MergeConflictError",
    "MergeStrategy",
    "Offline",
    "RecordedError",
    "SagaWorkflowException",
    "StartSubWorkflowDirective",
    "StepContext",
    "StepFailed",
    "StepResult",
    "TaskId",
    "TimedOut",
    "UndeclaredKeyError",
    "Won",
    "WorkflowDirective",
    "WorkflowFailedException",
    "WorkflowId",
    "WorkflowJumpDirective",
    "WorkflowNextStepDirective",
    "WorkflowPauseDirective",
    "WorkflowStatus",
    "WorkflowStep",
    "as_result_mapping",
    "may_become",
]

# Definitions name these classes by path for ever, so the path is the public one and not the file they happen to lie in.
for _class in (
    Batch,
    BranchError,
    ChildFailed,
    ContextUnavailableError,
    Elapsed,
    ExecutionError,
    Failure,
    HttpError,
    HttpResponse,
    JumpTargetError,
    LoopLimitError,
    MergeConflictBehavior,
    MergeConflictError,
    Offline,
    RecordedError,
    SagaWorkflowException,
    StartSubWorkflowDirective,
    StepFailed,
    TimedOut,
    UndeclaredKeyError,
    Won,
    WorkflowDirective,
    WorkflowFailedException,
    WorkflowJumpDirective,
    WorkflowNextStepDirective,
    WorkflowPauseDirective,
    WorkflowStatus,
):
    _class.__module__ = "ruvon.models"
