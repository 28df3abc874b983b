"""Protocols, records and typed errors of every seam: what the engine needs of a store, a queue, a clock, an observer.

Nothing here does any work. An implementation needs none of these classes as a base: having the methods is enough.
"""

from ruvon.providers._clock import (
    Clock,
    IdSource,
    SystemClock,
    SystemIds,
    datetime_of,
    duration_us,
    microseconds_of,
    uuid7,
)
from ruvon.providers._errors import (
    DefinitionNotFoundError,
    DuplicateIdempotencyKeyError,
    EvaluationError,
    PersistenceError,
    ProtocolError,
    StaleWorkflowError,
    TaskNotFoundError,
    TemplateError,
    TransportError,
    WorkflowBusyError,
    WorkflowNotFoundError,
)
from ruvon.providers._records import (
    DefinitionRecord,
    InboxEntry,
    InboxKind,
    InstanceRecord,
    LogEntry,
    OutboxRecord,
    TaskKind,
    TaskRecord,
    Transition,
    WorkflowSummary,
)
from ruvon.providers.execution import ExecutionContext, ExecutionProvider
from ruvon.providers.expression_evaluator import ExpressionEvaluator
from ruvon.providers.observer import NoopObserver, WorkflowObserver
from ruvon.providers.persistence import EngineStore, Hold, PersistenceProvider
from ruvon.providers.template_engine import TemplateEngine

__all__ = [
    "Clock",
    "DefinitionNotFoundError",
    "DefinitionRecord",
    "DuplicateIdempotencyKeyError",
    "EngineStore",
    "EvaluationError",
    "ExecutionContext",
    "ExecutionProvider",
    "ExpressionEvaluator",
    "Hold",
    "IdSource",
    "InboxEntry",
    "InboxKind",
    "InstanceRecord",
    "LogEntry",
    "NoopObserver",
    "OutboxRecord",
    "PersistenceError",
    "PersistenceProvider",
    "ProtocolError",
    "StaleWorkflowError",
    "SystemClock",
    "SystemIds",
    "TaskKind",
    "TaskNotFoundError",
    "TaskRecord",
    "TemplateEngine",
    "TemplateError",
    "Transition",
    "TransportError",
    "WorkflowBusyError",
    "WorkflowNotFoundError",
    "WorkflowObserver",
    "WorkflowSummary",
    "datetime_of",
    "duration_us",
    "microseconds_of",
    "uuid7",
]
