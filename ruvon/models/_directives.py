"""Directives: exceptions that a step function raises to steer the workflow instead of failing.

They exist for the documented YAML style; a Python body says the same with statements (`if`, `human`, a child call). A
directive is not an error: no retry policy, handler or `on_error` sees it, except `SagaWorkflowException`, which fails
the workflow and starts the rollback whether or not saga is switched on.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

__all__ = [
    "SagaWorkflowException",
    "StartSubWorkflowDirective",
    "WorkflowDirective",
    "WorkflowFailedException",
    "WorkflowJumpDirective",
    "WorkflowNextStepDirective",
    "WorkflowPauseDirective",
]

Data = BaseModel | Mapping[str, Any]


class WorkflowDirective(Exception):  # noqa: N818 - a documented name, and not an error
    """Root of what a step function may raise to steer its workflow."""


class WorkflowJumpDirective(WorkflowDirective):
    """Go on at another step of the same graph, or of one around it.

    Args:
        target_step_name: the step's name; elsewhere the step fails with `JumpTargetError`.
        result: a result to merge before the jump, as if the function had returned it.
    """

    def __init__(self, target_step_name: str, result: Mapping[str, Any] | None = None) -> None:
        self.target_step_name = target_step_name
        self.result = result
        super().__init__(f"go on at the step `{target_step_name}`")


class WorkflowNextStepDirective(WorkflowJumpDirective):
    """The older name of `WorkflowJumpDirective`."""


class WorkflowPauseDirective(WorkflowDirective):
    """The step is complete; wait for an answer, which goes to the step that follows.

    Args:
        result: the step's result, merged before the wait.
    """

    def __init__(self, result: Mapping[str, Any] | None = None) -> None:
        self.result = result
        super().__init__("wait for an answer")


class StartSubWorkflowDirective(WorkflowDirective):
    """Start a child workflow and wait for it.

    Args:
        workflow_type: the child's type.
        initial_data: the child's initial state.
        data_region: where the child's data may be kept; None takes the parent's.
    """

    def __init__(self, workflow_type: str, initial_data: Data, data_region: str | None = None) -> None:
        self.workflow_type = workflow_type
        self.initial_data = initial_data
        self.data_region = data_region
        super().__init__(f"start the child workflow `{workflow_type}`")


class SagaWorkflowException(WorkflowDirective):
    """Fail the workflow and undo everything that completed, whether or not saga is switched on.

    Args:
        step: the step that cannot go on.
        error: what is wrong; an exception becomes the cause.
    """

    def __init__(self, step: str, error: str | Exception) -> None:
        self.step = step
        self.error = error
        super().__init__(f"the step `{step}` asks for a rollback: {error}")
        if isinstance(error, Exception):
            self.__cause__ = error


class WorkflowFailedException(WorkflowDirective):
    """Fail the workflow at once, past every handler.

    Args:
        reason: one sentence for the operator.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)
