"""Typed errors of the provider seams: what a store, a queue or a peer can answer instead of doing what it was asked.

    RuvonError
    ├── PersistenceError (RuntimeError)        the operator must act
    │   ├── WorkflowNotFoundError (ValueError)
    │   ├── DuplicateIdempotencyKeyError
    │   ├── DefinitionNotFoundError
    │   ├── TaskNotFoundError
    │   ├── ScheduleNotFoundError (LookupError)
    │   ├── StaleScheduleError                 somebody else changed the schedule first
    │   ├── HistoryForgottenError
    │   ├── LogIncompleteError                 the store has lost a part of a workflow
    │   ├── UnsupportedError                   this kind of store cannot do it at all
    │   ├── StatementError (ValueError)        SQL of the author's own
    │   ├── EncryptionError                    what is encrypted at rest, and its keys
    │   │   ├── UnknownEncryptionKeyError      the key that it was written with is not at hand
    │   │   ├── DamagedDataError               it was changed, or moved to another place
    │   │   ├── UnencryptedDataError           it is in plain where that is not accepted
    │   │   └── EncryptionKeyFormatError (ValueError)
    │   └── StaleWorkflowError                 somebody else changed the workflow first
    │       └── WorkflowBusyError              somebody else is driving it right now
    ├── TransportError (RuntimeError)          the operator must act
    ├── ProtocolError (RuntimeError)           the peer must act
    └── MissingExtraError (ImportError)        an optional package is not installed

An unknown workflow is a `ValueError` too, because the documented `load_workflow` promises one.
"""

from uuid import UUID

from ruvon.ir._errors import RuvonError

__all__ = [
    "DamagedDataError",
    "DefinitionNotFoundError",
    "DuplicateIdempotencyKeyError",
    "EncryptionError",
    "EncryptionKeyFormatError",
    "EvaluationError",
    "HistoryForgottenError",
    "LogIncompleteError",
    "MissingExtraError",
    "PersistenceError",
    "ProtocolError",
    "ScheduleNotFoundError",
    "StaleScheduleError",
    "StaleWorkflowError",
    "StatementError",
    "TaskNotFoundError",
    "TemplateError",
    "TransportError",
    "UnencryptedDataError",
    "UnknownEncryptionKeyError",
    "UnsupportedError",
    "WorkflowBusyError",
    "WorkflowNotFoundError",
]


class PersistenceError(RuvonError, RuntimeError):
    """A store could not do what it was asked; nothing was changed unless the subclass says otherwise."""


class WorkflowNotFoundError(PersistenceError, ValueError):
    """No workflow has this id in this store."""

    def __init__(self, workflow_id: UUID | str) -> None:
        self.workflow_id = str(workflow_id)
        super().__init__(
            f"there is no workflow with the id {workflow_id} in this store; "
            "check the id, and that this process uses the store that it was created in"
        )


class DuplicateIdempotencyKeyError(PersistenceError):
    """A workflow with this idempotency key exists already; it was left as it is."""

    def __init__(self, idempotency_key: str, workflow_id: UUID | str | None = None) -> None:
        self.idempotency_key = idempotency_key
        self.workflow_id = str(workflow_id) if workflow_id is not None else None
        where = f" (it is {workflow_id})" if workflow_id is not None else ""
        super().__init__(
            f"a workflow with the idempotency key {idempotency_key!r} exists already{where}; "
            "load that one, or use another key"
        )


class DefinitionNotFoundError(PersistenceError):
    """The store has no definition with this digest."""

    def __init__(self, digest: bytes) -> None:
        self.digest = digest
        super().__init__(
            f"there is no definition with the digest {digest.hex()} in this store; "
            "it is written together with the first workflow that uses it, so the store is incomplete: restore it"
        )


class TaskNotFoundError(PersistenceError):
    """No task has this id."""

    def __init__(self, task_id: str) -> None:
        self.task_id = task_id
        super().__init__(f"there is no task with the id {task_id}; it was never queued here, or it was cleaned up")


class ScheduleNotFoundError(PersistenceError, LookupError):
    """No schedule has this name."""

    def __init__(self, schedule_id: str) -> None:
        self.schedule_id = schedule_id
        super().__init__(f"there is no schedule named {schedule_id!r} in this store; check the name")


class StaleScheduleError(PersistenceError):
    """The schedule was changed by somebody else since it was read; nothing of this change was written."""

    def __init__(self, schedule_id: str) -> None:
        self.schedule_id = schedule_id
        super().__init__(
            f"the schedule {schedule_id!r} was changed by somebody else since it was read; read it again and repeat"
        )


class HistoryForgottenError(PersistenceError):
    """The state at that point of the history is not kept any more."""

    def __init__(self, workflow_id: UUID | str, at: int) -> None:
        self.workflow_id = str(workflow_id)
        self.at = at
        super().__init__(
            f"the history of the workflow {workflow_id} was forgotten up to a point after entry {at}; "
            "choose a later entry, or give its definition a longer `history=` for the next time"
        )


class LogIncompleteError(PersistenceError):
    """Entries of a workflow's log are missing, so its state cannot be put together; nothing was run."""

    def __init__(self, workflow_id: UUID | str, missing: int) -> None:
        self.workflow_id = str(workflow_id)
        self.missing = missing
        super().__init__(
            f"the log of the workflow {workflow_id} lacks entry {missing}, so its state cannot be put together; "
            "the store has lost rows: restore it from a backup"
        )


class UnsupportedError(PersistenceError):
    """This kind of store cannot do what was asked, ever."""

    def __init__(self, what: str, remedy: str) -> None:
        self.what = what
        self.remedy = remedy
        super().__init__(f"this store has no {what}; {remedy}")


class StatementError(PersistenceError, ValueError):
    """A statement inside `transact()` was refused, or failed; where the driver said so, its error is the cause."""

    def __init__(self, statement: str, reason: str) -> None:
        self.statement = statement
        self.reason = reason
        super().__init__(f"the statement `{' '.join(statement.split())}` cannot be executed: {reason}")


class EncryptionError(PersistenceError):
    """What is encrypted at rest cannot be read, or not written; nothing was changed."""


class UnknownEncryptionKeyError(EncryptionError):
    """Data was encrypted with a key that this process does not have."""

    def __init__(self, key_id: str, where: str = "") -> None:
        self.key_id = key_id
        self.where = where
        super().__init__(
            f"{where or 'data of this store'} is encrypted with the key `{key_id}`, which this process does not have; "
            "add that key to RUVON_ENCRYPTION_KEY or to the file that RUVON_ENCRYPTION_KEY_FILE names"
        )


class DamagedDataError(EncryptionError):
    """Encrypted data is not what was written there, or the key of that name is another one."""

    def __init__(self, where: str, key_id: str | None = None) -> None:
        self.where = where
        self.key_id = key_id
        key = f", or the key `{key_id}` given here is not the one it was written with" if key_id is not None else ""
        super().__init__(
            f"{where} is not what was written there: it was changed or moved{key}; "
            "check the keys, else restore the store from a backup"
        )


class UnencryptedDataError(EncryptionError):
    """Data is in plain where encryption is required."""

    def __init__(self, where: str) -> None:
        self.where = where
        super().__init__(
            f"{where} is not encrypted, and RUVON_ENCRYPTION_REQUIRED says that it must be; "
            "run `ruvon db rotate-key` with that variable unset if it was written before encryption was switched on"
        )


class EncryptionKeyFormatError(EncryptionError, ValueError):
    """A key for encryption cannot be used as it is given; its value is never shown."""

    def __init__(self, source: str, reason: str) -> None:
        self.source = source
        self.reason = reason
        super().__init__(f"{source}: {reason}; make a key with `ruvon db new-key`")


class StaleWorkflowError(PersistenceError):
    """The workflow was changed by somebody else since it was read; nothing of this change was written."""

    def __init__(self, workflow_id: UUID | str, message: str = "") -> None:
        self.workflow_id = str(workflow_id)
        super().__init__(
            message
            or f"the workflow {workflow_id} was changed by somebody else since it was read; load it again and repeat"
        )


class WorkflowBusyError(StaleWorkflowError):
    """Somebody else drives the workflow right now; nothing was run and nothing was written."""

    def __init__(self, workflow_id: UUID | str) -> None:
        super().__init__(
            workflow_id,
            f"the workflow {workflow_id} is being driven by somebody else; wait until that call returns, "
            "or send a signal, an answer or a cancel, which need no turn",
        )


class TransportError(RuvonError, RuntimeError):
    """A peer or a broker cannot be reached."""


class ProtocolError(RuvonError, RuntimeError):
    """A peer sent what cannot be accepted."""


class MissingExtraError(RuvonError, ImportError):
    """An optional package is not installed here.

    Args:
        extra: the extra of Ruvon that brings it.
        package: the package that could not be imported.
    """

    def __init__(self, extra: str, package: str) -> None:
        self.extra = extra
        self.package = package
        super().__init__(f"`{package}` is not installed; install it with `pip install 'ruvon[{extra}]'`")


class EvaluationError(RuvonError, ValueError):
    """An expression given to an evaluator is not in the language, or fails on the values it was given."""

    def __init__(self, expression: str, reason: str) -> None:
        self.expression = expression
        self.reason = reason
        super().__init__(f"the expression `{expression}` cannot be evaluated: {reason}")


class TemplateError(RuvonError, ValueError):
    """A template is malformed, unsafe, too large, or names something that is not there."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the template cannot be rendered: {reason}")
