"""Identifiers as types of their own, so that a task id is never passed where a workflow id is meant."""

from typing import NewType

__all__ = ["ActivationId", "TaskId", "WorkflowId"]

WorkflowId = NewType("WorkflowId", str)
"""One running instance of a workflow."""
TaskId = NewType("TaskId", str)
"""One entry of the durable queue."""
ActivationId = NewType("ActivationId", str)
"""One execution of one node: node id, loop indices, branch labels and visit; the same for all its attempts."""
