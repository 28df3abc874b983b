"""Which operation a node becomes: one handler per action, and the table of CALL types, the only open set."""

from collections.abc import Callable
from typing import Final, TypeAlias, assert_never

from ruvon.engine import Compiler, Op, UnknownStepTypeError
from ruvon.ir._nodes import (
    Assign,
    Call,
    Decision,
    Fail,
    HumanSource,
    Loop,
    Node,
    Parallel,
    Return,
    SignalSource,
    Start,
    StartMode,
    TimerSource,
    Try,
    Wait,
)
from ruvon.steps._call import FunctionOp, PassOp
from ruvon.steps._custom import CustomOp
from ruvon.steps._http import HttpOp
from ruvon.steps._inference import InferenceOp
from ruvon.steps._loop import LoopStep
from ruvon.steps._parallel import ParallelStep
from ruvon.steps._pure import DecisionOp, FailOp, ReturnOp, assign_op
from ruvon.steps._restart import RestartOp
from ruvon.steps._schedule import ScheduleOp
from ruvon.steps._start import StartOp
from ruvon.steps._try import TryStep
from ruvon.steps._wait import HumanOp, SignalOp, TimerOp
from ruvon.steps._wasm import WasmOp

__all__ = ["CALL_TYPES", "CallFactory", "compile_node", "register_call_type"]

CallFactory: TypeAlias = Callable[[Node, Call, Compiler], Op]
"""Makes the operation of a CALL of one type."""


def _function(node: Node, call: Call, compiler: Compiler) -> Op:
    return (
        FunctionOp(node, call, compiler, call.function) if call.function is not None else PassOp(node, call, compiler)
    )


CALL_TYPES: Final[dict[str, CallFactory]] = {
    "STANDARD": _function,
    "ASYNC": _function,
    "RESTART": RestartOp,
    "HTTP": HttpOp,
    "AI_INFERENCE": InferenceOp,
    "WASM": WasmOp,
}
"""Built-in CALL types by name; a further one is a module with an operation and a line here."""


def register_call_type(name: str, factory: CallFactory) -> None:
    """Add a built-in CALL type; custom types of applications are `WorkflowStep` classes given to the builder instead."""
    CALL_TYPES[name] = factory


def compile_node(node: Node, compiler: Compiler) -> Op:
    """The operation of a node."""
    match node.action:
        case Call() as call:
            return _call(node, call, compiler)
        case Wait() as wait:
            return _wait(node, wait, compiler)
        case Start(mode=StartMode.SCHEDULE) as start:
            return ScheduleOp(node, start, compiler)
        case Start() as start:
            return StartOp(node, start, compiler)
        case Assign() as assign:
            return assign_op(node, assign, compiler)
        case Decision() as decision:
            return DecisionOp(node, decision, compiler)
        case Loop() as loop:
            return LoopStep(node, loop, compiler)
        case Parallel() as parallel:
            return ParallelStep(node, parallel, compiler)
        case Try() as attempt:
            return TryStep(node, attempt, compiler)
        case Return() as leaving:
            return ReturnOp(node, leaving, compiler)
        case Fail() as failing:
            return FailOp(node, failing, compiler)
        case _:
            assert_never(node.action)


def _wait(node: Node, wait: Wait, compiler: Compiler) -> Op:
    match wait.source:
        case TimerSource() as source:
            return TimerOp(node, wait, source, compiler)
        case SignalSource() as source:
            return SignalOp(node, wait, source, compiler)
        case HumanSource() as source:
            return HumanOp(node, wait, source, compiler)
        case _:
            assert_never(wait.source)


def _call(node: Node, call: Call, compiler: Compiler) -> Op:
    factory = CALL_TYPES.get(call.type)
    if factory is not None:
        return factory(node, call, compiler)
    cls = compiler.step_types.get(call.type)
    if cls is None:
        known = [*CALL_TYPES, *compiler.step_types]
        raise UnknownStepTypeError(compiler.definition.workflow_type, node.id, call.type, known)
    return CustomOp(node, call, compiler, cls)
