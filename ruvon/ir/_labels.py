"""The documented step-type name of a node: what YAML, the API and drawings call it. Computed, never stored."""

from typing import assert_never

from ruvon.ir._nodes import (
    Assign,
    Call,
    Decision,
    Fail,
    HumanSource,
    Join,
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
    WaitSource,
)

__all__ = ["label"]


def label(node: Node) -> str:
    """STANDARD, ASYNC, HTTP, DECISION, LOOP, ...: the name people know the step type by."""
    match node.action:
        case Call(type=kind, queue=queue):
            return "ASYNC" if kind == "STANDARD" and queue is not None else kind
        case Wait(source=source):
            return _wait_label(source)
        case Start(mode=mode):
            return _START_LABELS[mode]
        case Assign():
            return "ASSIGN"
        case Decision():
            return "DECISION"
        case Loop():
            return "LOOP"
        case Parallel(join=join, branches=branches):
            if join is Join.FIRST:
                return "RACE"
            return "FORK" if any(branch.after for branch in branches) else "PARALLEL"
        case Try():
            return "TRY"
        case Return():
            return "RETURN"
        case Fail():
            return "FAIL"
        case _:
            assert_never(node.action)


_START_LABELS = {
    StartMode.AWAIT: "SUB_WORKFLOW",
    StartMode.DETACH: "FIRE_AND_FORGET",
    StartMode.SCHEDULE: "CRON_SCHEDULE",
}


def _wait_label(source: WaitSource) -> str:
    match source:
        case TimerSource():
            return "SLEEP"
        case SignalSource():
            return "RECEIVE"
        case HumanSource():
            return "HUMAN_IN_LOOP"
        case _:
            assert_never(source)
