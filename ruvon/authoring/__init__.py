"""What authors write workflows with: decorators, calls, waits, concurrency, and `.local`, the run under CPython.

Nothing here loads a front end or a store: a step module can be imported on a device or in a worker. The decorated objects
carry plain data (`Step.__ruvon_step__`, `Workflow.__ruvon_workflow__`, `Compensation.__ruvon_compensation__`) that the
compiler's linker reads.
"""

from typing import TYPE_CHECKING

from ruvon.authoring._calls import StepReferenceError, call, step_ref
from ruvon.authoring._checks import DeclarationError
from ruvon.authoring._compensate import Compensation, compensate, compensation
from ruvon.authoring._declarations import (
    CompensationDeclaration,
    Parameter,
    StepDeclaration,
    WorkflowDeclaration,
    resolved_hints,
)
from ruvon.authoring._flow import (
    BREAK,
    CONTINUE,
    END,
    Leave,
    Stage,
    block,
    flow,
    is_block,
    is_pure,
    node,
    pure,
    saga,
)
from ruvon.authoring._parallel import after, first_of, gather, named, start
from ruvon.authoring._retry import Retry
from ruvon.authoring._services import http, infer, wasm
from ruvon.authoring._step import StateStep, Step, step
from ruvon.authoring._template import template
from ruvon.authoring._waits import human, new_id, now, random, receive, secret, sleep, sleep_until
from ruvon.authoring._work import Data, OutsideRunError, Work
from ruvon.authoring._workflow import Workflow, external_workflow, workflow
from ruvon.ir._lazy import lazy_names
from ruvon.models import (
    Batch,
    ChildFailed,
    Elapsed,
    Failure,
    HttpError,
    HttpResponse,
    InferenceError,
    JumpTargetError,
    LoopLimitError,
    MergeConflictBehavior,
    MergeConflictError,
    MergeStrategy,
    Offline,
    RecordedError,
    StepContext,
    StepFailed,
    StepTransaction,
    TimedOut,
    WasmError,
    Won,
    WorkflowTimeoutError,
)

if TYPE_CHECKING:
    from ruvon.authoring._local import (
        BranchLabelError,
        Called,
        Compensated,
        EndlessRunError,
        InTurn,
        LocalDirectiveError,
        LocalOutcome,
        Published,
        RaceBranchError,
        Reply,
        Restarted,
        Signal,
        Spawned,
        World,
        WorldInputMissing,
        run_local,
    )

__all__ = [
    "BREAK",
    "CONTINUE",
    "END",
    "Batch",
    "BranchLabelError",
    "Called",
    "ChildFailed",
    "Compensated",
    "Compensation",
    "CompensationDeclaration",
    "Data",
    "DeclarationError",
    "Elapsed",
    "EndlessRunError",
    "Failure",
    "HttpError",
    "HttpResponse",
    "InTurn",
    "InferenceError",
    "JumpTargetError",
    "Leave",
    "LocalDirectiveError",
    "LocalOutcome",
    "LoopLimitError",
    "MergeConflictBehavior",
    "MergeConflictError",
    "MergeStrategy",
    "Offline",
    "OutsideRunError",
    "Parameter",
    "Published",
    "RaceBranchError",
    "RecordedError",
    "Reply",
    "Restarted",
    "Retry",
    "Signal",
    "Spawned",
    "Stage",
    "StateStep",
    "Step",
    "StepContext",
    "StepDeclaration",
    "StepFailed",
    "StepReferenceError",
    "StepTransaction",
    "TimedOut",
    "WasmError",
    "Won",
    "Work",
    "Workflow",
    "WorkflowDeclaration",
    "WorkflowTimeoutError",
    "World",
    "WorldInputMissing",
    "after",
    "block",
    "call",
    "compensate",
    "compensation",
    "external_workflow",
    "first_of",
    "flow",
    "gather",
    "http",
    "human",
    "infer",
    "is_block",
    "is_pure",
    "named",
    "new_id",
    "node",
    "now",
    "pure",
    "random",
    "receive",
    "resolved_hints",
    "run_local",
    "saga",
    "secret",
    "sleep",
    "sleep_until",
    "start",
    "step",
    "step_ref",
    "template",
    "wasm",
    "workflow",
]

if not TYPE_CHECKING:  # a module's `__getattr__` would make type checkers believe in any name
    __getattr__ = lazy_names(
        __name__,
        {
            "._local": (
                "BranchLabelError",
                "Called",
                "Compensated",
                "EndlessRunError",
                "InTurn",
                "LocalDirectiveError",
                "LocalOutcome",
                "Published",
                "RaceBranchError",
                "Reply",
                "Restarted",
                "Signal",
                "Spawned",
                "World",
                "WorldInputMissing",
                "run_local",
            ),
        },
    )
