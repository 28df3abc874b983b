"""The interpreter of the graph: programs, instances, positions, transitions, saga.

`Engine` is the entrance; applications use it through `ruvon.builder`. The step modules of `ruvon.steps` and the stores
use the rest.
"""

from ruvon.engine._cancel import is_cleaning_up, leave_fork, stop_strand
from ruvon.engine._compile import Compiler, build_program
from ruvon.engine._context import RunContext, idempotency_key
from ruvon.engine._effects import EXPIRED, Arrival, Effect, Expired, Given, Message
from ruvon.engine._engine import Engine
from ruvon.engine._error_records import ErrorRecord, rebuild, record_error
from ruvon.engine._errors import (
    CompensationFailedError,
    DefinitionDriftError,
    InvalidInitialDataError,
    InvalidInputError,
    NotWaitingForInputError,
    ProgramError,
    RepairError,
    UnknownStepTypeError,
    UnknownWorkflowTypeError,
    WorkerCrashError,
    WorkflowFinishedError,
    WrongArgumentError,
)
from ruvon.engine._frames import (
    BodyFrame,
    Exit,
    ExitKind,
    ForkFrame,
    GraphFrame,
    LoopFrame,
    Strand,
    TryFrame,
    UndoFrame,
    WaitKind,
    WaitState,
)
from ruvon.engine._functions import Function
from ruvon.engine._inbox import signal_of
from ruvon.engine._inputs import InputSpec, as_mapping, fields_of
from ruvon.engine._interceptors import StepCall, StepInterceptor
from ruvon.engine._join import BranchWrites, merge_branches
from ruvon.engine._machine import fail, finish_node, forget_frame, handled_error, path_of_try, record_step, unwind
from ruvon.engine._merge import merge_result, step_writes
from ruvon.engine._net import is_net
from ruvon.engine._observe import Observers
from ruvon.engine._program import (
    ENTERED,
    WAITS,
    EffectOp,
    ForkBranch,
    ForkOp,
    GraphProgram,
    LoopOp,
    Op,
    Outcome,
    Program,
    TryHandler,
    TryOp,
)
from ruvon.engine._program_source import Definitions, ProgramCache
from ruvon.engine._retry import next_attempt_us
from ruvon.engine._rewind import RepairPlan
from ruvon.engine._run import Run
from ruvon.engine._scope import Chunks, Scope
from ruvon.engine._targets import TargetWriter, bind_variable
from ruvon.engine._undo import saga_bytes
from ruvon.engine._values import validate

__all__ = [
    "ENTERED",
    "EXPIRED",
    "WAITS",
    "Arrival",
    "BodyFrame",
    "BranchWrites",
    "Chunks",
    "CompensationFailedError",
    "Compiler",
    "DefinitionDriftError",
    "Definitions",
    "Effect",
    "EffectOp",
    "Engine",
    "ErrorRecord",
    "Exit",
    "ExitKind",
    "Expired",
    "ForkBranch",
    "ForkFrame",
    "ForkOp",
    "Function",
    "Given",
    "GraphFrame",
    "GraphProgram",
    "InputSpec",
    "InvalidInitialDataError",
    "InvalidInputError",
    "LoopFrame",
    "LoopOp",
    "Message",
    "NotWaitingForInputError",
    "Observers",
    "Op",
    "Outcome",
    "Program",
    "ProgramCache",
    "ProgramError",
    "RepairError",
    "RepairPlan",
    "Run",
    "RunContext",
    "Scope",
    "StepCall",
    "StepInterceptor",
    "Strand",
    "TargetWriter",
    "TryFrame",
    "TryHandler",
    "TryOp",
    "UndoFrame",
    "UnknownStepTypeError",
    "UnknownWorkflowTypeError",
    "WaitKind",
    "WaitState",
    "WorkerCrashError",
    "WorkflowFinishedError",
    "WrongArgumentError",
    "as_mapping",
    "bind_variable",
    "build_program",
    "fail",
    "fields_of",
    "finish_node",
    "forget_frame",
    "handled_error",
    "idempotency_key",
    "is_cleaning_up",
    "is_net",
    "leave_fork",
    "merge_branches",
    "merge_result",
    "next_attempt_us",
    "path_of_try",
    "rebuild",
    "record_error",
    "record_step",
    "saga_bytes",
    "signal_of",
    "step_writes",
    "stop_strand",
    "unwind",
    "validate",
]
