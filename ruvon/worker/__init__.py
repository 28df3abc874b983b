"""Workers: processes that run queued steps, and drive the instances that those steps belong to."""

from ruvon.implementations.execution._context import current_execution_context
from ruvon.worker._feeder import Feeder
from ruvon.worker._worker import Worker

__all__ = ["Feeder", "Worker", "current_execution_context"]
