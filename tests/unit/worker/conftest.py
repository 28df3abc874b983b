"""Builders over a memory store whose queued steps go to workers."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.implementations.execution.queued import QueuedExecutionProvider
from tests.support import queued_flows as flows


@pytest.fixture
def queued() -> "Iterator[Callable[..., WorkflowBuilder]]":
    """Make a builder with the queued workflows."""
    flows.SEEN.clear()
    flows.GATE.clear()

    def make(**options: Any) -> WorkflowBuilder:
        builder = WorkflowBuilder(
            execution_provider=QueuedExecutionProvider(), plugins=False, import_roots=["tests"], **options
        )
        builder.register(*flows.WORKFLOWS)
        return builder

    yield make
    flows.SEEN.clear()
    flows.GATE.clear()
